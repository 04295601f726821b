/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that reads replies and serves the producer; see fan.h.
 *
 * A correlation id is <random id of this process>/<call>/<part>/<place>: an answer to an earlier process, which may have had the same
 * partition, is told by it and dropped.
 */
#include "fan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bus/producer.h"
#include "bus/reader.h"
#include "clock.h"
#include "log.h"
#include "loop.h"
#include "settings.h"
#include "steady.h"

#define COMMANDS_TOPIC "compute.commands"
/** One question to a broker while connecting, and between two tries. */
#define STEP_TIMEOUT_MS 200
#define RETRY_NS        (INT64_C(200) * CLOCK_NS_PER_MS)
/** What the producer has gathered goes out in time. */
#define SLEEP_MAX_NS (INT64_C(20) * CLOCK_NS_PER_MS)
/** Without a job for so long replies are not read any more. */
#define IDLE_NS (INT64_C(10000) * CLOCK_NS_PER_MS)
/** A command that Kafka does not take in this time is sent again by who waits. */
#define MESSAGE_TIMEOUT_MS 10000

enum tag { TAG_WAKE, TAG_REPLIES, TAG_COMMANDS };

struct fan {
    /* fixed after fan_open() */
    struct bus_settings bus;
    const char *instance, *replies_topic;
    char id[ENVELOPE_UUID_SIZE], source[160];
    int wake_fd;
    struct loop loop;
    pthread_t thread;
    _Atomic bool stop;
    /* the thread's */
    struct reader *reader;
    bool reading;
    int64_t retry_ns, idle_ns; /* when to try to connect again; since when there is no call, INT64_MAX: there is one */
    struct bus_error problem;  /* the last one that was logged */
    /* written by the thread before `partitions` is set, read by all after it */
    int32_t reply_partition;

    pthread_mutex_t lock;
    /* guarded by lock; the first is written by the thread alone, which reads it without */
    struct producer *producer;
    struct fan_call *calls;
    uint64_t numbers;   /* given out */
    int32_t partitions; /* of the command topic; 0: replies are not read */
};

void fan_reply_free(struct fan_reply *reply)
{
    if (!reply)
        return;
    buf_done(&reply->body);
    free(reply);
}

/* ---- replies ---- */

/* Called with the lock held; NULL: nobody's any more. */
static struct fan_call *find_call(const struct fan *fan, uint64_t number)
{
    struct fan_call *call = fan->calls;
    while (call && call->number != number)
        call = call->next;
    return call;
}

/* Reads "<id>/<call>/<part>/<place>"; false: another process's. */
static bool read_correlation(const struct fan *fan, struct slice s, uint64_t *ret_number, size_t *ret_part, unsigned *ret_place)
{
    char text[96];
    size_t prefix = strlen(fan->id);
    if (s.len >= sizeof(text) || s.len <= prefix || memcmp(s.p, fan->id, prefix) != 0)
        return false;
    memcpy(text, s.p, s.len);
    text[s.len] = '\0';
    return sscanf(text + prefix, "/%" SCNu64 "/%zu/%u", ret_number, ret_part, ret_place) == 3;
}

static struct fan_reply *copy_reply(const struct reply *reply, size_t part, unsigned place)
{
    struct fan_reply *copy = calloc(1, sizeof(*copy));
    if (!copy)
        return NULL;
    *copy = (struct fan_reply){
        .part = part, .place = place, .status = reply->status, .replayed = reply->replayed, .worked_us = reply->worked_us};
    buf_append_slice(&copy->body, reply->body);
    if (buf_ok(&copy->body))
        return copy;
    fan_reply_free(copy);
    return NULL;
}

static void take_reply(struct fan *fan, const struct record *rec)
{
    uint64_t number;
    size_t part;
    unsigned place;
    struct reply reply;
    if (!read_correlation(fan, record_header(rec, "kafka_correlationId"), &number, &part, &place) ||
        envelope_decode_reply(rec, &reply) != ENVELOPE_OK)
        return;
    struct fan_reply *copy = copy_reply(&reply, part, place);
    if (!copy)
        return; /* out of memory: it is asked for again */
    pthread_mutex_lock(&fan->lock);
    struct fan_call *call = find_call(fan, number);
    if (call) {
        *call->last = copy;
        call->last = &copy->next;
        pthread_cond_signal(&call->changed);
    }
    pthread_mutex_unlock(&fan->lock);
    if (!call)
        fan_reply_free(copy);
}

static void read_replies(struct fan *fan)
{
    struct message *msg;
    while (fan->reading && (msg = reader_poll(fan->reader, 0))) {
        take_reply(fan, &msg->rec);
        message_free(msg);
    }
}

/* ---- connecting ---- */

static void set_producer(struct fan *fan, struct producer *producer)
{
    pthread_mutex_lock(&fan->lock);
    fan->producer = producer;
    pthread_mutex_unlock(&fan->lock);
}

static int open_clients(struct fan *fan, struct bus_error *error)
{
    const struct producer_options options = {.settings = &fan->bus, .role = "parts", .message_timeout_ms = MESSAGE_TIMEOUT_MS};
    int err = 0;
    if (!fan->producer) {
        struct producer *producer = NULL;
        err = producer_open(&options, &producer, error);
        if (!err)
            err = loop_add(&fan->loop, producer_fd(producer), TAG_COMMANDS);
        if (err)
            producer_close(producer);
        else
            set_producer(fan, producer);
    }
    if (!err && !fan->reader) {
        err = reader_open(&fan->bus, "parts", &fan->reader, error);
        if (!err)
            err = loop_add(&fan->loop, reader_fd(fan->reader), TAG_REPLIES);
    }
    return err;
}

/* The end is asked for before anything is sent: a start "at the end" is found out later, and would miss what comes before that. */
static int read_from_the_end(struct fan *fan, struct bus_error *error)
{
    int64_t end;
    int err = reader_end(fan->reader, fan->replies_topic, fan->reply_partition, STEP_TIMEOUT_MS, &end);
    if (!err)
        err = reader_add(fan->reader, fan->replies_topic, fan->reply_partition, end);
    if (err && !error->text[0])
        snprintf(error->text, sizeof(error->text), "cannot read %.100s: %s", fan->replies_topic, strerror(-err));
    return err;
}

static int connect_fan(struct fan *fan, int32_t *ret_partitions, struct bus_error *error)
{
    int err = open_clients(fan, error);
    if (err)
        return err;
    int32_t replies = producer_warm(fan->producer, fan->replies_topic, STEP_TIMEOUT_MS, error);
    if (replies < 0)
        return replies;
    *ret_partitions = producer_warm(fan->producer, COMMANDS_TOPIC, STEP_TIMEOUT_MS, error);
    if (*ret_partitions < 0)
        return *ret_partitions;
    fan->reply_partition = bus_partition_of(slice_of(fan->instance), replies);
    return read_from_the_end(fan, error);
}

/* A fatal error leaves a client that takes nothing any more: another goes on. What this one had is sent again by who waits. */
static void mend_producer(struct fan *fan)
{
    struct bus_error error = {""};
    struct producer *failed = fan->producer;
    const char *why = failed ? producer_fatal(failed) : NULL;
    if (why) {
        log_error("the producer of parts cannot go on; it is replaced", "error=\"%s\"", why);
        set_producer(fan, NULL);
        producer_close(failed);
    }
    if (fan->reading && !fan->producer && open_clients(fan, &error) != 0)
        log_error("the producer of parts cannot be replaced; it is tried again", "error=\"%s\"", error.text);
}

static void set_partitions(struct fan *fan, int32_t partitions)
{
    pthread_mutex_lock(&fan->lock);
    fan->partitions = partitions;
    for (struct fan_call *call = fan->calls; call && partitions > 0; call = call->next)
        pthread_cond_signal(&call->changed);
    pthread_mutex_unlock(&fan->lock);
}

static void try_to_connect(struct fan *fan, int64_t now_ns)
{
    struct bus_error error = {""};
    int32_t partitions = 0;
    if (now_ns < fan->retry_ns)
        return;
    if (connect_fan(fan, &partitions, &error) == 0) {
        fan->reading = true;
        set_partitions(fan, partitions);
        log_debug("reading replies of parts", "topic=%s partition=%d", fan->replies_topic, fan->reply_partition);
        return;
    }
    fan->retry_ns = clock_mono_ns() + RETRY_NS;
    if (strcmp(error.text, fan->problem.text) != 0)
        log_warn("computations cannot be spread over the workers yet", "topic=%s why=\"%s\"", fan->replies_topic, error.text);
    fan->problem = error;
}

/* False: there are none, and have not been for some time. Then it has no partitions either, before anyone can ask. */
static bool has_calls(struct fan *fan, int64_t now_ns)
{
    pthread_mutex_lock(&fan->lock);
    if (fan->calls)
        fan->idle_ns = INT64_MAX;
    else if (fan->idle_ns == INT64_MAX)
        fan->idle_ns = now_ns;
    bool wanted = fan->calls || (fan->reading && now_ns - fan->idle_ns < IDLE_NS);
    if (!wanted)
        fan->partitions = 0;
    pthread_mutex_unlock(&fan->lock);
    return wanted;
}

static void steer(struct fan *fan, int64_t now_ns)
{
    bool wanted = has_calls(fan, now_ns);
    if (wanted && !fan->reading)
        try_to_connect(fan, now_ns);
    if (!wanted && fan->reading) {
        reader_remove(fan->reader, fan->replies_topic, fan->reply_partition);
        fan->reading = false;
    }
}

/* ---- the thread ---- */

static int64_t next_wake_ns(struct fan *fan)
{
    int64_t now_ns = clock_mono_ns();
    if (!fan->producer)
        return fan->idle_ns == INT64_MAX ? now_ns + RETRY_NS : INT64_MAX;
    int64_t due_ns = producer_due_ns(fan->producer), most_ns = now_ns + (fan->reading ? SLEEP_MAX_NS : RETRY_NS);
    return due_ns < most_ns ? due_ns : most_ns;
}

static void *run(void *arg)
{
    struct fan *fan = arg;
    while (!atomic_load(&fan->stop)) {
        if (loop_wait(&fan->loop, next_wake_ns(fan)) & 1U << TAG_WAKE) {
            uint64_t count;
            ssize_t n = read(fan->wake_fd, &count, sizeof(count));
            (void)n;
        }
        steer(fan, clock_mono_ns());
        read_replies(fan);
        if (fan->producer)
            producer_serve(fan->producer, clock_mono_ns());
        mend_producer(fan);
    }
    return NULL;
}

static void wake(struct fan *fan)
{
    ssize_t n = write(fan->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
    (void)n;
}

int fan_open(const struct config *config, struct fan **ret_fan)
{
    struct fan *fan = calloc(1, sizeof(*fan));
    if (!fan)
        return -ENOMEM;
    fan->bus = settings_bus(config);
    fan->instance = config_string(config, "instance-id");
    fan->replies_topic = config_string(config, "parts-reply-topic");
    fan->idle_ns = 0;
    snprintf(fan->source, sizeof(fan->source), "roundtrip-compute-worker/%s", fan->instance);
    envelope_new_id(clock_wall_ms(), fan->id);
    pthread_mutex_init(&fan->lock, NULL);
    fan->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int err = fan->wake_fd < 0 ? -errno : loop_open(&fan->loop);
    if (!err)
        err = loop_add(&fan->loop, fan->wake_fd, TAG_WAKE);
    if (!err)
        err = -pthread_create(&fan->thread, NULL, run, fan);
    if (err) {
        if (fan->wake_fd >= 0)
            close(fan->wake_fd);
        free(fan);
        return err;
    }
    *ret_fan = fan;
    return 0;
}

void fan_close(struct fan *fan)
{
    if (!fan)
        return;
    atomic_store(&fan->stop, true);
    wake(fan);
    pthread_join(fan->thread, NULL);
    reader_close(fan->reader);
    producer_close(fan->producer);
    loop_close(&fan->loop);
    close(fan->wake_fd);
    pthread_mutex_destroy(&fan->lock);
    free(fan);
}

/* ---- calls ---- */

bool fan_begin(struct fan *fan, struct fan_call *call)
{
    *call = (struct fan_call){.last = &call->first};
    if (steady_cond_init(&call->changed) != 0)
        return false;
    pthread_mutex_lock(&fan->lock);
    call->number = ++fan->numbers;
    call->next = fan->calls;
    fan->calls = call;
    pthread_mutex_unlock(&fan->lock);
    wake(fan);
    return true;
}

void fan_end(struct fan *fan, struct fan_call *call)
{
    pthread_mutex_lock(&fan->lock);
    struct fan_call **at = &fan->calls;
    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
    pthread_mutex_unlock(&fan->lock);
    while (call->first) {
        struct fan_reply *reply = call->first;
        call->first = reply->next;
        fan_reply_free(reply);
    }
    pthread_cond_destroy(&call->changed);
}

/* Called with the lock held: until it is signalled. False: `until_ns` has come. */
static bool sleep_until(struct fan *fan, struct fan_call *call, int64_t until_ns)
{
    return steady_cond_wait(&call->changed, &fan->lock, until_ns) != ETIMEDOUT;
}

int32_t fan_ready(struct fan *fan, struct fan_call *call, int64_t until_ns)
{
    pthread_mutex_lock(&fan->lock);
    while (fan->partitions == 0 && sleep_until(fan, call, until_ns))
        continue;
    int32_t partitions = fan->partitions;
    pthread_mutex_unlock(&fan->lock);
    return partitions;
}

void fan_send(struct fan *fan, const struct fan_call *call, const struct command *cmd, size_t part, unsigned place)
{
    struct command sent = *cmd;
    struct headers headers;
    char correlation[96];
    sent.source = slice_of(fan->source);
    if (call) {
        int len = snprintf(correlation, sizeof(correlation), "%s/%" PRIu64 "/%zu/%u", fan->id, call->number, part, place);
        sent.reply = (struct reply_address){slice_of(fan->replies_topic), fan->reply_partition, slice_make(correlation, (size_t)len)};
    }
    envelope_encode_command(&sent, &headers);
    const struct record rec = {.topic = COMMANDS_TOPIC, .partition = -1, .key = cmd->key, .value = cmd->body};
    pthread_mutex_lock(&fan->lock);
    int err = fan->producer ? producer_send(fan->producer, &rec, &headers, NULL) : -EPIPE;
    pthread_mutex_unlock(&fan->lock);
    if (err)
        log_debug("a part was not sent", "id=%.*s error=\"%s\"", SLICE_ARG(cmd->id), strerror(-err));
}

struct fan_reply *fan_wait(struct fan *fan, struct fan_call *call, int64_t until_ns)
{
    pthread_mutex_lock(&fan->lock);
    while (!call->first && sleep_until(fan, call, until_ns))
        continue;
    struct fan_reply *first = call->first;
    call->first = NULL;
    call->last = &call->first;
    pthread_mutex_unlock(&fan->lock);
    return first;
}
