/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a command went through, told when it is over: names and attributes by OpenTelemetry's conventions for messaging
 * (https://opentelemetry.io/docs/specs/semconv/messaging/kafka/). "process" is a child of the span that sent the command, and
 * linked with it; what it sent is a child of "process".
 */
#include "worker/spans.h"

#include <stdio.h>

#include "clock.h"
#include "trace/trace.h"
#include "worker/runtime.h"

/** Of the longest topic name Kafka takes, with a verb before it. */
#define NAME_SIZE 280

static struct trace_span *begin(const struct trace_context *context, const struct trace_context *parent, enum trace_kind kind,
                                const char *verb, struct slice destination, int64_t start_ns)
{
    char name[NAME_SIZE];
    int len = snprintf(name, sizeof(name), "%s %.*s", verb, SLICE_ARG(destination));
    struct trace_span *span = trace_begin(context, parent, kind, slice_make(name, (size_t)len < sizeof(name) ? (size_t)len : sizeof(name) - 1),
                                          start_ns);
    if (kind == TRACE_INTERNAL)
        return span;
    trace_text(span, "messaging.system", SLICE("kafka"));
    trace_text(span, "messaging.operation.name", slice_of(verb));
    trace_text(span, "messaging.operation.type", slice_of(verb));
    trace_text(span, "messaging.destination.name", destination);
    return span;
}

/* From when it came to `stage` to when it left it, where it did. */
static void tell_stage(const struct work *work, const struct trace_context *process, enum work_stage stage, enum trace_kind kind,
                       const char *verb, struct slice what)
{
    int64_t began_ns = work->moved_ns[stage], end_ns = INT64_MAX;
    struct trace_context context;
    if (began_ns == 0)
        return;
    for (int later = 0; later <= WORK_FINISHED; later++) {
        if (work->moved_ns[later] > began_ns && work->moved_ns[later] < end_ns)
            end_ns = work->moved_ns[later];
    }
    trace_child(process, &context);
    trace_end(begin(&context, process, kind, verb, what, began_ns), end_ns == INT64_MAX ? began_ns : end_ns);
}

static void tell_position(struct trace_span *span, const struct record *rec)
{
    char partition[16];
    int len = snprintf(partition, sizeof(partition), "%d", (int)rec->partition);
    trace_text(span, "messaging.destination.partition.id", slice_make(partition, (size_t)len));
    trace_int(span, "messaging.kafka.offset", rec->offset);
}

static void tell(const struct work *work)
{
    const struct worker *worker = work->partition->worker;
    struct trace_context parent, process;
    trace_enter(work->cmd.traceparent, &process, &parent);
    if (!process.sampled)
        return;
    struct trace_span *span = begin(&process, parent.trace[0] ? &parent : NULL, TRACE_CONSUMER, "process", slice_of(worker->commands_topic),
                                    work->moved_ns[WORK_NEW]);
    if (parent.trace[0])
        trace_link(span, &parent);
    tell_position(span, &work->msg->rec);
    trace_text(span, "messaging.consumer.group.name", slice_of(worker->group));
    trace_text(span, "messaging.message.id", work->cmd.id);
    trace_text(span, "roundtrip.command.type", work->cmd.type);
    trace_int(span, "roundtrip.status", work->answer.status);
    if (work->attempts)
        trace_int(span, "roundtrip.failed_attempts", work->attempts);
    if (work->answer.replayed)
        trace_text(span, "roundtrip.replayed", SLICE("true"));
    if (work->answer.status >= 500)
        trace_fail(span, "the command was answered with a status of 500 or above");
    trace_end(span, work->moved_ns[WORK_FINISHED]);
    tell_stage(work, &process, WORK_RUNNING, TRACE_INTERNAL, "run", work->cmd.type);
    tell_stage(work, &process, WORK_APPENDING, TRACE_PRODUCER, "send", slice_of(worker->events_topic));
    tell_stage(work, &process, WORK_FORWARDING, TRACE_PRODUCER, "send", slice_of(worker->commands_topic));
    tell_stage(work, &process, WORK_BURYING, TRACE_PRODUCER, "send", slice_of(worker->dead_topic));
    tell_stage(work, &process, WORK_REPLYING, TRACE_PRODUCER, "send", work->cmd.reply.topic);
}

void spans_moved(struct work *work)
{
    work->moved_ns[work->stage] = clock_mono_ns();
    if (work->stage == WORK_FINISHED && work->msg)
        tell(work);
}
