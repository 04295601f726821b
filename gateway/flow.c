/* SPDX-License-Identifier: Apache-2.0 */
/* The hops of one request. */
#include "flow.h"

#include <inttypes.h>
#include <stdio.h>

#include "clock.h"
#include "deadline.h"
#include "entry.h"
#include "log.h"
#include "operation.h"
#include "waiting.h"

/** A command that Kafka did not take is sent so often again, while at least this is left to wait. */
#define REPEATS_MAX    2
#define REPEAT_LEFT_NS (INT64_C(1000) * CLOCK_NS_PER_MS)
/** So long before its time is over who waits for an operation asks once more how far it is. */
#define LAST_LOOK_NS (INT64_C(200) * CLOCK_NS_PER_MS)

static void refuse(struct flow *flow, struct exchange *x)
{
    stats_add(&flow->stats->refused);
    exchange_move(x, EXCHANGE_REFUSED);
}

/* What would be refused all the same is refused before its body is looked at. */
static bool shed(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    if (!flow->admission || !routes_takes_body(x->route) || !admission_full(flow->admission, x->route, now_ns, &x->answer))
        return false;
    stats_add(&flow->stats->shed);
    return true;
}

void flow_begin(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    stats_add(&flow->stats->requests);
    x->started_ns = now_ns;
    spans_enter(x);
    if (!entry_check(flow, x, now_ns) || shed(flow, x, now_ns))
        refuse(flow, x);
}

void flow_too_large(struct flow *flow, struct exchange *x)
{
    answer_problem(&x->answer, 413, "The body is more than the %zu bytes that are taken: send less.",
                   flow->limits.body_bytes);
    x->answer.close = true;
    refuse(flow, x);
}

void flow_cut(struct flow *flow, struct exchange *x)
{
    answer_unavailable(&x->answer, 1,
                       "This gateway is shutting down, and the request was not complete by then. It has no effect: repeat it.");
    refuse(flow, x);
}

static int32_t partition_of(const struct flow *flow, const struct exchange *x)
{
    int32_t count = atomic_load(&link_service(flow->link, x->draft.service)->partitions);
    return x->route->every_partition || count <= 0 ? -1 : bus_partition_of(x->draft.key, count);
}

/* Is this gateway able to take it, and will it be answered in time? Sets the answer when not. */
static bool admit(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    if (!health_has(flow->health, HEALTH_SERVES) || !producer_connected(flow->link->producer)) {
        stats_add(&flow->stats->unable);
        health_refuse(flow->health, &x->answer);
        return false;
    }
    if (!degrade_admits(flow->degrade, x, now_ns))
        return false;
    const struct admission_request request = {.route = x->route,
                                              .service = x->draft.service,
                                              .partition = partition_of(flow, x),
                                              .work_ms = x->work_ms};
    if (admission_enter(flow->admission, &request, now_ns, &x->permit, &x->answer))
        return true;
    degrade_ended(flow->degrade, x, OUTCOME_NONE, now_ns);
    stats_add(&flow->stats->shed);
    return false;
}

/* False: the answer is set. */
static bool wait_for_worker(struct flow *flow, struct exchange *x, const struct deadline *deadline)
{
    const struct service_topic *service = link_service(flow->link, x->draft.service);
    size_t parts = x->route->every_partition ? (size_t)atomic_load(&service->partitions) : 1;
    if (parts > PENDING_PARTS_MAX || !exchange_expect(x, parts)) {
        answer_problem(&x->answer, 500, "This cannot be asked of %zu partitions at once.", parts);
        admission_withdraw(&x->permit);
        return false;
    }
    if (!waiting_enter_key(flow, x)) {
        admission_withdraw(&x->permit);
        return false;
    }
    if (x->route->streams || (x->route->follows && x->preferred)) { /* before it is asked: a decision in between must not be missed */
        x->watch = watch_enter(flow->watch, x->draft.subject);
        x->until_ns = deadline->until_ns;
    }
    waiting_ask(flow, x, (uint32_t)parts, deadline->until_ns, deadline->accept_ns);
    return true;
}

/* The answer that the same had before, if its caller takes that. */
static bool reuse_answers(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    int64_t max_age_s;
    bool keep;
    enum reuse_wish wish = x->route->reused ? reuse_wish(&x->req, &max_age_s, &keep) : REUSE_NEVER;
    if (wish == REUSE_NEVER)
        return false;
    if (x->draft.body_text.len && reuse_find(flow->reuse, &x->req.principal, buf_slice(&x->draft.body_text), max_age_s, now_ns, &x->answer)) {
        stats_add(&flow->stats->reused);
        return true;
    }
    if (wish == REUSE_MUST) /* RFC 9111 section 5.2.1.7 */
        answer_problem(&x->answer, 504, "No answer to this is remembered that is young enough: repeat it without only-if-cached.");
    return wish == REUSE_MUST;
}

/* What was computed for this caller now, for the next who asks for the same. */
static void keep_answer(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    int64_t max_age_s;
    bool keep;
    (void)reuse_wish(&x->req, &max_age_s, &keep);
    if (keep && x->draft.body_text.len && x->answer.status == 200 && !x->parts[0].replayed)
        reuse_keep(flow->reuse, &x->req.principal, buf_slice(&x->draft.body_text), &x->answer, now_ns);
}

bool flow_body(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    int64_t now_ms = clock_wall_ms();
    if (x->route->local) {
        x->route->local(flow->local_context, &x->req, &x->answer);
        return false;
    }
    struct deadline deadline;
    if (!deadline_left(x, flow->deadline_ms, now_ns, now_ms, &deadline, &x->answer) ||
        !command_prepare(&x->draft, &x->req, x->route, now_ms, deadline.expiry_ms, &x->answer)) {
        stats_add(&flow->stats->refused);
        return false;
    }
    if (reuse_answers(flow, x, now_ns))
        return false;
    if (!admit(flow, x, now_ns)) {
        stats_add(&flow->stats->refused);
        return false;
    }
    if (log_enabled(LOG_LEVEL_DEBUG)) /* what all requests do is told only then, with their trace */
        exchange_log_about(x);
    else
        log_about(slice_make(x->draft.id, x->draft.id_len), SLICE_NONE); /* and of any what goes wrong on its way out */
    log_debug("received", "id=\"%.*s\" method=%s type=%s wait_ms=%" PRId64, (int)x->draft.id_len, x->draft.id,
              request_method_name(x->req.method), x->route->type, x->wait_ms);
    int64_t probe_ns = now_ns + x->wait_ms * CLOCK_NS_PER_MS; /* one that tries a failing service waits less */
    if (probe_ns < deadline.until_ns)
        deadline.until_ns = probe_ns;
    bool waits = wait_for_worker(flow, x, &deadline); /* then it is not ours to look at any more */
    log_about_nothing();
    if (waits)
        return true;
    degrade_ended(flow->degrade, x, OUTCOME_NONE, now_ns);
    return false;
}

static void finish(struct exchange *x)
{
    for (size_t i = 0; i < x->part_count; i++) {
        if (x->parts[i].status == 0) {
            answer_problem(&x->answer, 502, "A worker's reply could not be read; please report it.");
            return;
        }
    }
    x->route->finish(&x->req, &x->draft, x->parts, x->part_count, &x->answer);
    if (x->part_count == 1)
        answer_timing(&x->answer, &x->parts[0]);
}

/* When to look for the last time. */
static int64_t look_ns(const struct exchange *x)
{
    int64_t quarter_ns = (x->until_ns - x->started_ns) / 4;
    return x->looked ? x->until_ns : x->until_ns - (quarter_ns < LAST_LOOK_NS ? quarter_ns : LAST_LOOK_NS);
}

/*
 * What a caller waits for who follows another command: its end, at which it is asked about again; and shortly before the
 * time is over, to say how far it is by then. True: it waits again.
 */
static bool follow(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    bool open = x->part_count == 1 && operation_is_open(&x->parts[0]), in_time = now_ns < x->until_ns;
    if (!x->watch || x->route->streams)
        return false;
    bool look = open && x->outcome == OUTCOME_DEADLINE && !x->looked;
    if (in_time && (look || x->outcome == OUTCOME_NEWS)) {
        x->looked |= look;
        waiting_ask_again(flow, x, x->until_ns);
        return true;
    }
    if (in_time && open && x->outcome == OUTCOME_REPLIED) {
        waiting_park(flow, x, look_ns(x));
        return true;
    }
    if (open && (x->looked || x->outcome == OUTCOME_DEADLINE || x->outcome == OUTCOME_NEWS || x->outcome == OUTCOME_DRAINED))
        x->outcome = OUTCOME_REPLIED; /* what was last heard of it */
    return false;
}

/* RFC 7240 section 3. */
static void say_preference(struct exchange *x)
{
    char applied[64];
    int64_t wait_s = (x->async ? x->accept_ms : x->wait_ms) / 1000;
    int n = 0;
    if (x->outcome == OUTCOME_ACCEPTED)
        n = snprintf(applied, sizeof(applied), wait_s ? "respond-async, wait=%" PRId64 : "respond-async", wait_s);
    else if (x->preferred)
        n = snprintf(applied, sizeof(applied), "wait=%" PRId64, wait_s);
    if (n > 0)
        answer_header(&x->answer, "Preference-Applied", slice_make(applied, (size_t)n));
}

/* Kafka failed to take the command: once or twice more, if there is time and trouble is not made greater by it. It waits in the
 * producer until Kafka is there again. The id is the same, so that it has its effect once. True: it waits again. */
static bool repeat(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    int64_t until_ns = x->started_ns + x->wait_ms * CLOCK_NS_PER_MS;
    x->uncertain |= x->outcome == OUTCOME_UNCERTAIN;
    if (x->uncertain && (x->outcome == OUTCOME_UNSENT || x->outcome == OUTCOME_NONE))
        x->outcome = OUTCOME_UNCERTAIN; /* that one time it was not sent says nothing about the time before */
    if (!health_has(flow->health, HEALTH_OPEN) || x->spent)
        return false;
    if ((x->outcome != OUTCOME_UNSENT && x->outcome != OUTCOME_UNCERTAIN) || x->repeats == REPEATS_MAX ||
        until_ns - now_ns < REPEAT_LEFT_NS || !admission_repeat(flow->admission, now_ns) || !waiting_enter_key(flow, x))
        return false; /* or its key, which was free meanwhile, is another's by now */
    x->repeats++;
    stats_add(&flow->stats->repeated);
    waiting_ask(flow, x, (uint32_t)x->part_count, until_ns,
               x->async ? x->started_ns + x->accept_ms * CLOCK_NS_PER_MS : PENDING_NEVER);
    return true;
}

/* A 504 is a worker's word that the time was over: before the work had begun, or after it had gone on for so long. */
static void leave_place(struct exchange *x, int64_t now_ns)
{
    bool late = x->outcome == OUTCOME_REPLIED && x->part_count == 1 && x->parts[0].status == 504;
    admission_leave(&x->permit, late ? OUTCOME_DEADLINE : x->outcome, x->part_count == 1 ? x->parts[0].worked_us : 0, now_ns);
}

static void begin_download(struct flow *flow, struct exchange *x)
{
    x->streaming = download_begin(&x->download, flow->downloads, &x->parts[0]);
    if (!x->streaming)
        answer_unavailable(&x->answer, 1, "As many results are being sent as this gateway takes at once: repeat the request a little later.");
}

/* From one part to the next. */
static enum flow_step give_result(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    enum download_step step = x->state == EXCHANGE_ENDED ? download_take(&x->download, x->outcome, &x->parts[0])
                                                         : download_next(&x->download);
    if (step == DOWNLOAD_ASK) {
        operation_ask_part(&x->draft, x->download.next);
        waiting_ask_again(flow, x, now_ns + flow->deadline_ms * CLOCK_NS_PER_MS);
        return FLOW_WAITS;
    }
    if (x->state == EXCHANGE_ENDED)
        exchange_move(x, EXCHANGE_ANSWERED);
    if (step != DOWNLOAD_PART)
        return step == DOWNLOAD_OVER ? FLOW_OVER : FLOW_BROKEN;
    x->answer.borrowed_body = x->parts[0].body;
    return FLOW_MORE;
}

bool flow_end(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    spans_sent(x, now_ns);
    if (repeat(flow, x, now_ns))
        return true;
    leave_place(x, now_ns);
    if (follow(flow, x, now_ns))
        return true;
    if (x->async && x->accept_ms == 0 && x->outcome == OUTCOME_REPLIED && x->parts[0].status < 500)
        x->outcome = OUTCOME_ACCEPTED; /* its reply overtook Kafka's word that it has the command: 202 as always */
    if (degrade_rescues(flow->degrade, x, now_ns)) {
        /* the answer is set */
    } else if (x->outcome == OUTCOME_REPLIED) {
        finish(x);
        if (x->route->reused)
            keep_answer(flow, x, now_ns);
        x->streaming = x->route->streams && x->watch && operation_is_open(&x->parts[0]);
        if (x->streaming)
            stream_begin(&x->stream, flow->pace, &x->parts[0], now_ns);
        if (x->route->result && x->parts[0].result_parts > 1)
            begin_download(flow, x);
    } else if (x->outcome == OUTCOME_ACCEPTED) {
        operation_accepted(&x->answer, &x->draft);
    } else if (x->outcome != OUTCOME_NONE) {
        const bool cancels = !x->route->write && x->req.method == METHOD_DELETE;
        const struct answer_context context = {.write = x->route->write || cancels,
                                               .harmless = cancels,
                                               .has_idempotency_key = x->draft.idempotency_len > 0,
                                               .waited_ms = (long long)x->wait_ms};
        answer_outcome(&x->answer, x->outcome, &context);
    } /* else answer_no_room() has set it */
    say_preference(x);
    if (flow->measures)
        measures_replied(flow->measures, x, (size_t)(link_service(flow->link, x->draft.service) - flow->link->services), now_ns);
    if (log_enabled(LOG_LEVEL_DEBUG))
        exchange_log_about(x);
    log_debug("answered", "id=\"%.*s\" status=%d us=%" PRId64, (int)x->draft.id_len, x->draft.id,
              x->answer.status, (now_ns - x->started_ns) / 1000);
    log_about_nothing();
    return false;
}

/* Until there is news, it is its turn to ask, or it has been silent for too long. */
static void wait_for_more(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    int64_t until_ns;
    if (stream_asks(&x->stream, flow->pace, now_ns, &until_ns))
        waiting_ask_again(flow, x, now_ns + flow->deadline_ms * CLOCK_NS_PER_MS);
    else
        waiting_park(flow, x, until_ns);
}

enum flow_step flow_stream(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    enum stream_step step = x->streaming ? STREAM_QUIET : STREAM_OVER;
    if (x->route->result)
        return give_result(flow, x, now_ns);
    if (x->state == EXCHANGE_ENDED)
        step = stream_take(&x->stream, x->outcome, &x->parts[0], now_ns);
    if (step == STREAM_QUIET) {
        wait_for_more(flow, x, now_ns);
        return FLOW_WAITS;
    }
    if (x->state == EXCHANGE_ENDED)
        exchange_move(x, EXCHANGE_ANSWERED);
    if (step == STREAM_OVER)
        return FLOW_OVER;
    if (step == STREAM_EVENT) {
        x->streaming = operation_is_open(&x->parts[0]);
        operation_event(&x->answer.own_body, &x->req, &x->parts[0]);
    } else {
        buf_append_text(&x->answer.own_body, ": nothing new\n\n");
    }
    return FLOW_MORE;
}

void flow_seal(struct flow *flow, struct exchange *x)
{
    if (x->limited && x->throttled.allowed)
        throttle_describe(flow->admission->throttle, &x->throttled, &x->answer);
}

void flow_over(struct flow *flow, struct exchange *x)
{
    if (flow->measures)
        measures_over(flow->measures, x, clock_mono_ns());
    admission_withdraw(&x->permit); /* one whose client left is not served to its end */
    watch_leave(flow->watch, x->watch);
    x->watch = 0;
    stream_end(&x->stream, flow->pace);
    spans_end(x, clock_mono_ns());
    download_end(&x->download, flow->downloads);
}
