/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor's client, in one of two ways.
 *
 * A closed loop of N requests, each sent when the one before it in its slot was answered. It waits for a slow answer before it asks
 * again, so it shows fewer slow ones than an open arrival of requests would (coordinated omission); wrk, which measures the HTTP side,
 * does the same, so the two compare.
 *
 * An open loop (--rate): requests are due at fixed times, and a latency counts from then, also while no slot is free: as
 * roundtrip-bench-load does it over as many connections.
 */
#include "floor.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "histogram.h"

#define NS_PER_S INT64_C(1000000000)
#define KEYS     10000
#define POLL_MS  100
/** A run with a request unanswered for this long ends: nothing here may be lost. */
#define LOST_NS (10 * NS_PER_S)

struct slot {
    int64_t from_ns; /* when its request was sent; in an open loop: was due */
    uint64_t number;
};

struct driver {
    const struct floor_options *options;
    rd_kafka_t *producer, *consumer;
    rd_kafka_topic_t *topic;
    char *value;
    struct slot *slots;
    uint32_t *free_slots; /* open loop */
    size_t free_count;
    int64_t due_ns; /* of the next request; open loop */
    int fd;         /* readable when replies may have come; open loop */
    uint32_t run; /* tells this run's replies from an earlier one's */
    uint64_t sent, strays;
    struct histogram histogram;
};

static void send_next(struct driver *driver, uint32_t slot, int64_t from_ns)
{
    struct floor_correlation correlation = {slot, driver->run, ++driver->sent};
    char key[24];
    int key_len = snprintf(key, sizeof(key), "%llu", (unsigned long long)(driver->sent % KEYS));
    driver->slots[slot] = (struct slot){from_ns, correlation.number};
    floor_send(driver->producer, driver->topic, RD_KAFKA_PARTITION_UA, key, (size_t)key_len, driver->value,
               (size_t)driver->options->value_bytes, &correlation, driver->options->write, NULL);
}

/* Its slot goes on at once, or waits until a request is due. */
static void release(struct driver *driver, uint32_t slot, int64_t now_ns)
{
    if (driver->options->rate == 0)
        send_next(driver, slot, now_ns);
    else
        driver->free_slots[driver->free_count++] = slot;
}

/* True when it was the answer to a request of this run. */
static bool take_reply(struct driver *driver, const rd_kafka_message_t *msg, int64_t from_ns)
{
    struct floor_correlation correlation;
    if (!floor_correlation_of(msg, &correlation) || correlation.run != driver->run ||
        correlation.slot >= (uint32_t)driver->options->in_flight ||
        driver->slots[correlation.slot].number != correlation.number) {
        driver->strays++;
        return false;
    }
    int64_t now_ns = clock_mono_ns();
    if (now_ns >= from_ns)
        histogram_add(&driver->histogram, now_ns - driver->slots[correlation.slot].from_ns);
    driver->slots[correlation.slot].number = 0; /* a second reply to it is a stray */
    release(driver, correlation.slot, now_ns);
    return true;
}

static void send_due(struct driver *driver)
{
    const struct floor_options *options = driver->options;
    for (int64_t now_ns = clock_mono_ns(); driver->free_count > 0 && driver->due_ns <= now_ns; driver->due_ns += NS_PER_S / options->rate)
        send_next(driver, driver->free_slots[--driver->free_count], driver->due_ns);
}

/* The next reply; NULL when a request is due before one comes. librdkafka waits in whole milliseconds, which is too long here. */
static rd_kafka_message_t *wait_due(struct driver *driver)
{
    rd_kafka_message_t *msg = rd_kafka_consumer_poll(driver->consumer, 0);
    if (msg)
        return msg;
    int64_t most_ns = POLL_MS * CLOCK_NS_PER_MS, wait_ns = driver->free_count > 0 ? driver->due_ns - clock_mono_ns() : most_ns;
    struct timespec wait = {0, wait_ns < 0 ? 0 : wait_ns < most_ns ? wait_ns : most_ns};
    struct pollfd fds = {.fd = driver->fd, .events = POLLIN};
    uint64_t count;
    if (ppoll(&fds, 1, &wait, NULL) > 0 && read(driver->fd, &count, sizeof(count)) < 0)
        floor_die("driver", "the wake-up descriptor cannot be read");
    return rd_kafka_consumer_poll(driver->consumer, 0);
}

static rd_kafka_message_t *next_reply(struct driver *driver)
{
    if (driver->options->rate == 0)
        return rd_kafka_consumer_poll(driver->consumer, POLL_MS);
    send_due(driver);
    return wait_due(driver);
}

/* Measures what is answered in [from_ns, until_ns). */
static void loop(struct driver *driver, int64_t from_ns, int64_t until_ns)
{
    int64_t last_ns = clock_mono_ns();
    for (uint64_t n = 0; !floor_stop; n++) {
        rd_kafka_message_t *msg = next_reply(driver);
        int64_t now_ns = clock_mono_ns();
        if (msg && msg->err)
            fprintf(stderr, "driver: %s\n", rd_kafka_message_errstr(msg));
        else if (msg && now_ns < until_ns && take_reply(driver, msg, from_ns))
            last_ns = now_ns;
        if (msg)
            rd_kafka_message_destroy(msg);
        if ((!msg && driver->options->rate == 0) || n % 1024 == 0)
            rd_kafka_poll(driver->producer, 0); /* failed deliveries only */
        if (now_ns >= until_ns)
            return;
        if (now_ns - last_ns > LOST_NS)
            floor_die("driver", "no reply for 10 s: is the responder running?");
    }
}

/* The plain figures, and beside them quantiles corrected as wrk does, which are those to compare with
 * wrk's. */
static void print_result(struct driver *driver)
{
    const struct floor_options *options = driver->options;
    struct histogram *h = &driver->histogram;
    uint64_t count = h->total;
    printf("{\"mode\":\"%s\",\"inflight\":%d,\"seconds\":%d,\"count\":%llu,\"rate\":%.1f,\"p50_us\":%.1f,"
           "\"p99_us\":%.1f,\"p999_us\":%.1f,",
           options->write ? "write" : "echo", options->in_flight, options->seconds, (unsigned long long)count,
           (double)count / options->seconds, (double)histogram_quantile(h, 0.5) / 1e3,
           (double)histogram_quantile(h, 0.99) / 1e3, (double)histogram_quantile(h, 0.999) / 1e3);
    histogram_correct(h, options->seconds * NS_PER_S * options->in_flight / (int64_t)count);
    printf("\"corrected_p50_us\":%.1f,\"corrected_p99_us\":%.1f,\"corrected_p999_us\":%.1f,\"strays\":%llu}\n",
           (double)histogram_quantile(h, 0.5) / 1e3, (double)histogram_quantile(h, 0.99) / 1e3, (double)histogram_quantile(h, 0.999) / 1e3,
           (unsigned long long)driver->strays);
}

/* All slots begin at once, or free. */
static void begin(struct driver *driver)
{
    static const uint64_t one = 1;
    const struct floor_options *options = driver->options;
    for (uint32_t slot = 0; slot < (uint32_t)options->in_flight; slot++)
        release(driver, slot, clock_mono_ns());
    if (options->rate == 0)
        return;
    driver->due_ns = clock_mono_ns();
    driver->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(driver->consumer);
    if (driver->fd < 0 || !queue)
        floor_die("driver", "no wake-up descriptor");
    rd_kafka_queue_io_event_enable(queue, driver->fd, &one, sizeof(one));
    rd_kafka_queue_destroy(queue);
}

int floor_driver(const struct floor_options *options)
{
    struct driver driver = {.options = options, .run = (uint32_t)getpid(), .fd = -1};
    driver.slots = calloc((size_t)options->in_flight, sizeof(*driver.slots));
    driver.free_slots = calloc((size_t)options->in_flight, sizeof(*driver.free_slots));
    driver.value = malloc((size_t)options->value_bytes + 1);
    if (!driver.slots || !driver.free_slots || !driver.value)
        floor_die("driver", "out of memory");
    memset(driver.value, 'x', (size_t)options->value_bytes);
    driver.producer = floor_producer(options, NULL, NULL);
    driver.topic = floor_topic(driver.producer, FLOOR_COMMANDS);
    driver.consumer = floor_consumer(options, FLOOR_REPLIES, 0);
    int64_t from_ns = clock_mono_ns() + options->warmup_seconds * NS_PER_S;
    begin(&driver);
    loop(&driver, from_ns, from_ns + options->seconds * NS_PER_S);
    if (driver.histogram.total == 0)
        floor_die("driver", "no reply came: is the responder running?");
    print_result(&driver);
    fflush(stdout);
    rd_kafka_flush(driver.producer, 1000);
    rd_kafka_topic_destroy(driver.topic);
    rd_kafka_destroy(driver.producer);
    rd_kafka_consumer_close(driver.consumer);
    rd_kafka_destroy(driver.consumer);
    if (driver.fd >= 0)
        close(driver.fd);
    free(driver.slots);
    free(driver.free_slots);
    free(driver.value);
    return EXIT_SUCCESS;
}
