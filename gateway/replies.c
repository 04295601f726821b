/* SPDX-License-Identifier: Apache-2.0 */
/* The bus thread's loop. */
#include "replies.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "trace/trace.h"

/** A new request's deadline may be sooner than what the loop sleeps for; this bounds how late it is noticed.
 */
#define SLEEP_MAX_NS (INT64_C(50) * CLOCK_NS_PER_MS)
/** Replies taken in a row before the producer is looked after: what it has gathered goes out in half a
 * millisecond. */
#define BURST 64

enum tag { TAG_REPLIES, TAG_PRODUCER, TAG_EVENTS, TAG_WAKE };

static bool binds(const struct exchange *x, enum outcome outcome)
{
    return outcome == OUTCOME_REPLIED && x->route->entity_in_body &&
           idempotency_status_binds(x->parts[0].status);
}

/* Gives the exchange back. It is out of the table, so nobody else has it. */
static void end_exchange(struct replies *replies, struct exchange *x, enum outcome outcome)
{
    x->outcome = outcome;
    x->ended_ns = clock_mono_ns();
    degrade_ended(replies->options.degrade, x, outcome, x->ended_ns);
    if (outcome == OUTCOME_REPLIED)
        producer_answered(replies->options.link->producer, x->ended_ns - x->sent_ns);
    if (x->keyed) { /* before the answer leaves: the next request may come at once */
        x->keyed = false;
        idempotency_leave(replies->options.keys, slice_make(x->draft.id, x->draft.id_len), binds(x, outcome),
                          clock_wall_ms());
    }
    exchange_move(x, EXCHANGE_ENDED);
    replies->options.ended(x);
}

static void take_part(struct replies *replies, const struct record *rec, struct exchange *x, uint32_t part,
                      bool last)
{
    struct reply reply;
    struct received *received = &x->parts[part];
    stats_add(&replies->options.stats->matched);
    if (envelope_decode_reply(rec, &reply) != ENVELOPE_OK || !received_copy(received, &reply)) {
        stats_add(&replies->options.stats->malformed);
        received->status = 0; /* flow.c answers 502 */
    }
    if (log_enabled(LOG_LEVEL_DEBUG))
        exchange_log_about(x);
    log_debug("reply", "id=\"%.*s\" part=%u status=%d offset=%" PRId64, (int)x->draft.id_len, x->draft.id,
              part, received->status, rec->offset);
    log_about_nothing();
    if (last)
        end_exchange(replies, x, OUTCOME_REPLIED);
}

static void take_reply(struct replies *replies, const struct record *rec)
{
    struct stats *stats = replies->options.stats;
    void *owner;
    uint32_t part;
    degrade_saw_reply(replies->options.degrade, rec, clock_mono_ns());
    enum match match =
        pending_match(replies->options.pending, record_header(rec, "kafka_correlationId"), &owner, &part);
    switch (match) {
    case MATCH_LAST:
    case MATCH_PART:
        take_part(replies, rec, owner, part, match == MATCH_LAST);
        return;
    case MATCH_FOREIGN:
        stats_add(&stats->foreign);
        return;
    case MATCH_LATE:
        stats_add(&stats->late);
        break;
    case MATCH_DUPLICATE:
        stats_add(&stats->duplicate);
        break;
    }
    log_debug("reply dropped", "reason=%s offset=%" PRId64, match == MATCH_LATE ? "late" : "duplicate",
              rec->offset);
}

/* True when there may be more. */
static bool read_burst(struct replies *replies)
{
    for (int i = 0; i < BURST; i++) {
        struct message *msg = reader_poll(replies->options.link->reader, 0);
        if (!msg)
            return false;
        take_reply(replies, &msg->rec);
        message_free(msg);
    }
    return true;
}

static void note_delivery(struct replies *replies, struct ticket ticket, const struct delivery *delivery)
{
    struct exchange *x = pending_owner(replies->options.pending, ticket);
    if (x)
        spans_delivered(x, delivery->partition, delivery->offset, clock_mono_ns());
}

void replies_delivered(void *arg, const struct delivery *delivery)
{
    struct replies *replies = arg;
    bool accepts;
    struct ticket ticket = pending_ticket_unpack(delivery->opaque, &accepts);
    if (!delivery->error_text && trace_on())
        note_delivery(replies, ticket, delivery);
    if (!delivery->error_text && accepts)
        pending_accept(replies->options.pending, ticket);
    if (!delivery->error_text) {
        log_debug("delivered", "slot=%u partition=%d offset=%" PRId64, ticket.slot, (int)delivery->partition,
                  delivery->offset);
        return;
    }
    stats_add(&replies->options.stats->undelivered);
    log_debug("not delivered", "slot=%u error=\"%s\" maybe_written=%d", ticket.slot, delivery->error_text,
              (int)delivery->maybe_written);
    pending_fail(replies->options.pending, ticket,
                 delivery->maybe_written ? OUTCOME_UNCERTAIN : OUTCOME_UNSENT);
}

static void expire(struct replies *replies, int64_t now_ns)
{
    enum outcome why;
    struct exchange *x;
    while ((x = pending_expire(replies->options.pending, now_ns, &why))) {
        if (why == OUTCOME_DEADLINE && !x->parked)
            stats_add(&replies->options.stats->expired);
        if (why == OUTCOME_LEFT)
            stats_add(&replies->options.stats->left);
        end_exchange(replies, x, why);
    }
}

/* Tells the main thread what it waits for. */
static void announce(struct replies *replies, bool *was_ready)
{
    const struct replies_options *options = &replies->options;
    bool ready = health_has(options->health, HEALTH_ALL);
    const char *fatal = producer_fatal(options->link->producer);
    if (fatal && !atomic_exchange(&replies->fatal, true))
        log_error("the producer cannot go on; this process must be replaced", "error=\"%s\"", fatal);
    if (ready != *was_ready || fatal)
        options->changed(options->arg);
    *was_ready = ready;
}

static int64_t next_wake_ns(struct replies *replies, int64_t now_ns)
{
    int64_t until = now_ns + SLEEP_MAX_NS;
    int64_t due = pending_due_ns(replies->options.pending);
    int64_t beat = producer_due_ns(replies->options.link->producer);
    if (due < until)
        until = due;
    return beat < until ? beat : until;
}

static void *run(void *arg)
{
    struct replies *replies = arg;
    bool more = false, was_ready = false;
    while (!atomic_load(&replies->stop)) {
        int64_t now_ns = clock_mono_ns();
        uint32_t tags = loop_wait(&replies->loop, more ? now_ns : next_wake_ns(replies, now_ns));
        if (tags & 1U << TAG_WAKE) {
            uint64_t count;
            ssize_t n = read(replies->wake_fd, &count, sizeof(count));
            (void)n;
        }
        if (trace_on()) /* nobody hurries for acknowledgements, but the span of a command says at which offset it is: before its reply ends it */
            producer_serve(replies->options.link->producer, clock_mono_ns());
        more = read_burst(replies);
        more |= events_read(replies->options.events, clock_wall_ms());
        now_ns = clock_mono_ns();
        producer_serve(replies->options.link->producer, now_ns);
        expire(replies, now_ns);
        link_advance(replies->options.link, now_ns);
        events_advance(replies->options.events, now_ns);
        announce(replies, &was_ready);
    }
    return NULL;
}

int replies_start(struct replies *replies, const struct replies_options *options)
{
    replies->options = *options;
    replies->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int err = replies->wake_fd < 0 ? -errno : loop_open(&replies->loop);
    if (!err)
        err = loop_add(&replies->loop, reader_fd(options->link->reader), TAG_REPLIES);
    if (!err)
        err = loop_add(&replies->loop, events_fd(options->events), TAG_EVENTS);
    if (!err)
        err = loop_add(&replies->loop, producer_fd(options->link->producer), TAG_PRODUCER);
    if (!err)
        err = loop_add(&replies->loop, replies->wake_fd, TAG_WAKE);
    if (!err)
        err = -pthread_create(&replies->thread, NULL, run, replies);
    if (err) {
        loop_close(&replies->loop);
        if (replies->wake_fd >= 0)
            close(replies->wake_fd);
    }
    return err;
}

void replies_stop(struct replies *replies)
{
    atomic_store(&replies->stop, true);
    replies_wake(replies);
    pthread_join(replies->thread, NULL);
    loop_close(&replies->loop);
    close(replies->wake_fd);
}

void replies_wake(struct replies *replies)
{
    uint64_t one = 1;
    ssize_t n = write(replies->wake_fd, &one, sizeof(one));
    (void)n;
}

bool replies_fatal(const struct replies *replies)
{
    return atomic_load(&replies->fatal);
}
