/* SPDX-License-Identifier: Apache-2.0 */
/* bus/reader.h on the simulated wire, and fetching for both readers and consumers. */
#include "bus/reader.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "feed.h"

struct reader {
    struct feed feeds[SIM_PARTITIONS];
};

/* ---- feeds ---- */

static bool feed_alive(const struct feed *feed)
{
    return feed->open && process_alive(feed->process, feed->incarnation);
}

static void fetch(void *arg, int64_t value)
{
    struct feed *feed = arg;
    feed->fetching = false;
    if (!feed_alive(feed))
        return;
    int64_t at = process_connected_at(feed->process);
    if (at > world.now) {
        feed->fetching = true;
        sim_at(at, fetch, feed, 0);
        return;
    }
    feed->fetched = broker_end_offset(feed->topic, feed->partition);
    if (feed->fetched > feed->position)
        process_wake(feed->process);
}

void feed_notify(struct feed *feed)
{
    if (!feed->open || feed->fetching)
        return;
    feed->fetching = true;
    sim_at(world.now + process_latency(feed->process), fetch, feed, 0);
}

void feed_open(struct feed *feed, enum topic topic, int32_t partition, int64_t position)
{
    bool fetching = feed->fetching; /* an old fetch comes back all the same: it brings the end of the log */
    *feed = (struct feed){.process = world.current,
                          .incarnation = world.current->incarnation,
                          .topic = topic,
                          .partition = partition,
                          .open = true,
                          .fetching = fetching,
                          .position = position < 0 ? 0 : position};
    feed_notify(feed);
}

static long messages;

long messages_alive(void)
{
    return messages;
}

void message_free(struct message *msg)
{
    if (!msg)
        return;
    messages--;
    free(msg);
}

struct message *feed_poll(struct feed *feed)
{
    if (!feed_alive(feed))
        return NULL;
    struct entry *entry = broker_next(feed->topic, feed->partition, &feed->position, feed->fetched);
    if (!entry)
        return NULL;
    struct message *msg = calloc(1, sizeof(*msg));
    assert(msg);
    messages++;
    msg->rec = entry->rec; /* the memory lives as long as the schedule */
    return msg;
}

void readers_notify(enum topic topic, int32_t partition)
{
    for (int i = 0; i < SIM_PROCESSES; i++) {
        struct process *p = &world.processes[i];
        if (!p->up || p->dying)
            continue;
        if (topic == TOPIC_COMMANDS && p->consumer)
            feed_notify(consumer_feed(p->consumer, partition));
        if (topic == TOPIC_EVENTS && p->reader)
            feed_notify(&p->reader->feeds[partition]);
    }
}

/* ---- reader ---- */

static int open_reader(struct reader **ret_reader)
{
    *ret_reader = world.current->reader = sim_alloc(sizeof(**ret_reader));
    return 0;
}

int reader_open(const struct bus_settings *settings, const char *role, struct reader **ret_reader,
                struct bus_error *ret_error)
{
    return open_reader(ret_reader);
}

int reader_open_brief(const struct bus_settings *settings, const char *role, struct reader **ret_reader,
                      struct bus_error *ret_error)
{
    return open_reader(ret_reader);
}

void reader_close(struct reader *reader)
{
}

int reader_add(struct reader *reader, const char *topic, int32_t partition, int64_t offset)
{
    process_hiccup();
    feed_open(&reader->feeds[partition], TOPIC_EVENTS, partition, offset);
    return 0;
}

void reader_remove(struct reader *reader, const char *topic, int32_t partition)
{
    reader->feeds[partition].open = false;
}

int reader_fd(const struct reader *reader)
{
    return -1;
}

struct message *reader_poll(struct reader *reader, int timeout_ms)
{
    process_hiccup();
    for (int32_t p = 0; p < SIM_PARTITIONS; p++) {
        struct message *msg = feed_poll(&reader->feeds[p]);
        if (msg)
            return msg;
    }
    return NULL;
}

bool broker_ask(int64_t timeout_ns, int64_t (*question)(int32_t), int32_t partition, int64_t *ret_answer)
{
    struct process *p = world.current;
    int64_t deadline = world.now + timeout_ns;
    process_wait(world.now + process_latency(p), false);
    while (p->cut_until > world.now && world.now < deadline && !p->dying)
        process_wait(p->cut_until < deadline ? p->cut_until : deadline, false);
    *ret_answer = question(partition);
    process_wait(world.now + process_latency(p), false);
    return world.now <= deadline && !p->dying;
}

static int64_t end_of_events(int32_t partition)
{
    return broker_end_offset(TOPIC_EVENTS, partition);
}

static int64_t end_of_commands(int32_t partition)
{
    return broker_end_offset(TOPIC_COMMANDS, partition);
}

static int ask_end(const char *topic, int32_t partition, int timeout_ms, int64_t *ret_high)
{
    return broker_ask(timeout_ms * SIM_MS, broker_topic(topic) == TOPIC_EVENTS ? end_of_events : end_of_commands, partition, ret_high) ? 0 : -ETIMEDOUT;
}

int reader_begin(struct reader *reader, const char *topic, int32_t partition, int timeout_ms, int64_t *ret_low)
{
    int64_t high;
    *ret_low = 0;
    return ask_end(topic, partition, timeout_ms, &high);
}

int reader_end(struct reader *reader, const char *topic, int32_t partition, int timeout_ms, int64_t *ret_high)
{
    return ask_end(topic, partition, timeout_ms, ret_high);
}

int32_t reader_partition_count(struct reader *reader, const char *topic, struct bus_error *ret_error)
{
    return SIM_PARTITIONS;
}

const char *reader_cluster_id(struct reader *reader)
{
    return "simulated";
}

const char *reader_fatal(const struct reader *reader)
{
    return NULL;
}
