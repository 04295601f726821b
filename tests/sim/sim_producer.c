/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus/producer.h on the simulated wire.
 *
 * A record waits in its process, is on the wire, lands in the log, and its acknowledgement comes back; in order for each
 * partition. A kill loses what waits, and what is on the wire may still land much later. A frozen or cut off process sends
 * and hears nothing. Now and then an acknowledgement has no offset (a retry that the broker had already), a reply is lost, or
 * the client fails for good.
 */
#include "bus/producer.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "broker.h"

#define LINES (TOPICS * SIM_PARTITIONS)

struct parcel {
    struct producer *from;
    struct record *rec;
    void *opaque;
    enum topic topic;
    int32_t partition;
    int64_t offset;
    enum { WAITS, ON_WIRE, LANDED, LOST } where;
    bool blind, handed_back;
    const char *error;
    struct parcel *next; /* in the order of sending */
};

struct producer {
    struct process *process;
    int incarnation;
    bool gapless, leaving, closed;
    const char *fatal;
    producer_delivered_fn *delivered;
    void *arg;
    struct parcel *first, **last;    /* not handed back yet */
    int64_t landing[LINES], acknowledging[LINES]; /* of the last one of each line */
};

static bool alive(const struct producer *producer)
{
    return process_alive(producer->process, producer->incarnation) && !producer->closed;
}

int producer_open(const struct producer_options *options, struct producer **ret_producer, struct bus_error *ret_error)
{
    struct producer *producer = sim_alloc(sizeof(*producer));
    producer->process = world.current;
    producer->incarnation = world.current->incarnation;
    producer->gapless = options->gapless;
    producer->delivered = options->delivered;
    producer->arg = options->arg;
    producer->last = &producer->first;
    *ret_producer = producer;
    return 0;
}

static int line_of(const struct parcel *parcel)
{
    return (int)parcel->topic * SIM_PARTITIONS + parcel->partition;
}

/* ---- the way there and back ---- */

/* On one line nothing overtakes. */
static int64_t behind(int64_t *last, int64_t at)
{
    *last = at > *last ? at : *last;
    return *last;
}

static void set_done(struct parcel *parcel, const char *error)
{
    if (parcel->handed_back)
        return;
    parcel->handed_back = true; /* as far as the wire goes: producer_serve() hands it over */
    parcel->error = error;
    process_wake(parcel->from->process);
}

static void acknowledge(void *arg, int64_t value)
{
    struct parcel *parcel = arg;
    struct producer *producer = parcel->from;
    if (!alive(producer) || producer->fatal)
        return;
    int64_t at = process_connected_at(producer->process);
    if (at > world.now) {
        sim_at(behind(&producer->acknowledging[line_of(parcel)], at), acknowledge, parcel, 0);
        return;
    }
    set_done(parcel, NULL);
}

/* The client has failed for good: nobody knows what became of what was on its way. */
static void fail_for_good(struct producer *producer)
{
    sim_say("%s: a producer fails for good", producer->process->label);
    world.faults++;
    producer->fatal = "failed for good by the simulation";
    for (struct parcel *parcel = producer->first; parcel; parcel = parcel->next)
        set_done(parcel, producer->fatal);
}

static void land(void *arg, int64_t value)
{
    struct parcel *parcel = arg;
    struct producer *producer = parcel->from;
    if (parcel->where != ON_WIRE)
        return;
    bool calm = world.healed || !alive(producer);
    if (!calm && !producer->gapless && sim_chance(4000)) { /* refused */
        parcel->where = LOST;
        set_done(parcel, "refused by the simulation");
        return;
    }
    parcel->where = LANDED;
    parcel->offset = broker_append(parcel->topic, parcel->partition, parcel->rec);
    if (!calm && producer->gapless && sim_chance(100)) {
        fail_for_good(producer);
        return;
    }
    parcel->blind = !calm && sim_chance(400);
    int64_t at = world.now + process_latency(producer->process);
    sim_at(behind(&producer->acknowledging[line_of(parcel)], at), acknowledge, parcel, 0);
}

static void leave(void *arg, int64_t value)
{
    struct producer *producer = arg;
    producer->leaving = false;
    if (!alive(producer) || producer->fatal)
        return;
    int64_t at = process_connected_at(producer->process);
    if (at > world.now) {
        producer->leaving = true;
        sim_at(at, leave, producer, 0);
        return;
    }
    for (struct parcel *parcel = producer->first; parcel; parcel = parcel->next) {
        if (parcel->where != WAITS)
            continue;
        parcel->where = ON_WIRE;
        int64_t at_broker = world.now + process_latency(producer->process);
        sim_at(behind(&producer->landing[line_of(parcel)], at_broker), land, parcel, 0);
    }
}

/* What was on its way when the process ended: of each line some of the first may still land. */
static void cut_lines(struct producer *producer)
{
    bool lost[LINES] = {false};
    for (struct parcel *parcel = producer->first; parcel; parcel = parcel->next) {
        bool *line = &lost[line_of(parcel)];
        if (parcel->where == WAITS || (parcel->where == ON_WIRE && (*line || sim_below(3) == 0))) {
            *line = true;
            parcel->where = LOST;
        }
    }
}

int producer_send(struct producer *producer, const struct record *rec, const struct headers *headers, void *opaque)
{
    if (strcmp(rec->topic, "control") == 0)
        return 0; /* what operators are told: nothing here reads it */
    if (producer->fatal || !alive(producer))
        return -EPIPE;
    if (headers->overflow)
        return -EINVAL;
    if (!world.healed && sim_chance(100))
        return -ENOBUFS;
    struct parcel *parcel = sim_alloc(sizeof(*parcel));
    *parcel = (struct parcel){.from = producer,
                              .rec = entry_copy(rec, headers->list, headers->count),
                              .opaque = opaque,
                              .topic = broker_topic(rec->topic),
                              .offset = -1};
    bool one = parcel->topic == TOPIC_DEAD || parcel->topic == TOPIC_REPLIES;
    parcel->partition = one ? 0 : rec->partition < 0 ? broker_partition_of(rec->key) : rec->partition;
    *producer->last = parcel;
    producer->last = &parcel->next;
    if (!producer->leaving)
        sim_at(world.now + (int64_t)sim_below(30 * SIM_US), leave, producer, 0);
    producer->leaving = true;
    process_hiccup();
    return 0;
}

/* ---- the caller's side ---- */

static struct parcel *take_done(struct producer *producer)
{
    for (struct parcel **at = &producer->first; *at; at = &(*at)->next) {
        struct parcel *parcel = *at;
        if (!parcel->handed_back)
            continue;
        *at = parcel->next;
        if (producer->last == &parcel->next)
            producer->last = at;
        return parcel;
    }
    return NULL;
}

static void hand_back(struct producer *producer, struct parcel *parcel)
{
    struct delivery delivery = {.opaque = parcel->opaque,
                                .partition = parcel->partition,
                                .offset = parcel->error || parcel->blind ? -1 : parcel->offset,
                                .error_text = parcel->error,
                                .maybe_written = parcel->error && parcel->where != LOST};
    if (producer->delivered)
        producer->delivered(producer->arg, &delivery);
}

int producer_serve(struct producer *producer, int64_t now_ns)
{
    int n = 0;
    struct parcel *parcel;
    process_hiccup();
    while (alive(producer) && (parcel = take_done(producer))) {
        hand_back(producer, parcel);
        n++;
    }
    return n;
}

void producer_push(struct producer *producer, int64_t now_ns)
{
}

int producer_flush(struct producer *producer, int64_t timeout_ms)
{
    int64_t deadline = world.now + timeout_ms * SIM_MS;
    while (alive(producer) && producer->first) {
        if (world.now >= deadline)
            return -ETIMEDOUT;
        producer_serve(producer, world.now);
        process_wait(world.now + SIM_MS, true);
    }
    return 0;
}

void producer_close(struct producer *producer)
{
    if (!producer)
        return;
    cut_lines(producer);
    producer->closed = true;
    while (producer->first) {
        struct parcel *parcel = producer->first;
        producer->first = parcel->next;
        if (!parcel->error)
            parcel->error = "the producer was closed";
        hand_back(producer, parcel);
    }
    producer->last = &producer->first;
}

const char *producer_fatal(struct producer *producer)
{
    return producer->fatal;
}

bool producer_connected(const struct producer *producer)
{
    return producer->process->cut_until <= world.now;
}

int32_t producer_warm(struct producer *producer, const char *topic, int64_t timeout_ms, struct bus_error *ret_error)
{
    return SIM_PARTITIONS;
}

size_t producer_max_bytes(const struct producer *producer)
{
    return 10000; /* small, so that results have parts */
}

int64_t producer_in_flight(const struct producer *producer)
{
    int64_t n = 0;
    for (const struct parcel *parcel = producer->first; parcel; parcel = parcel->next)
        n++;
    return n;
}

int producer_fd(const struct producer *producer)
{
    return -1;
}

int64_t producer_due_ns(const struct producer *producer)
{
    return INT64_MAX;
}

int32_t bus_partition_of(struct slice key, int32_t partitions)
{
    assert(partitions == SIM_PARTITIONS);
    return broker_partition_of(key);
}
