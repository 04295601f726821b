/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator asks for when numbers do not say enough. */
#include "debug.h"

#include <inttypes.h>

#include "admission.h"
#include "circuit.h"
#include "clock.h"
#include "degrade.h"
#include "json.h"
#include "link.h"
#include "ops/debug.h"
#include "pending.h"

struct drawing {
    struct buf *out;
    int64_t now_ns;
    bool first;
};

/* Called with the pending table locked. */
static void draw_request(void *arg, const struct pending_seen *seen)
{
    struct drawing *drawing = arg;
    struct buf *out = drawing->out;
    const struct exchange *x = seen->owner;
    buf_printf(out, "%s{\"method\":\"%s\"", drawing->first ? "" : ",", request_method_name(x->req.method));
    json_append_text(out, "route", slice_of(x->route ? x->route->pattern : NULL));
    json_append_text(out, "command_type", slice_of(x->draft.type));
    json_append_text(out, "command_id", slice_make(x->draft.id, x->draft.id_len));
    buf_printf(out, ",\"waits_for\":\"%s\",\"age_ms\":%" PRId64, x->parked ? "news" : "reply",
               (drawing->now_ns - x->started_ns) / CLOCK_NS_PER_MS);
    int64_t left_ns = seen->deadline_ns == INT64_MIN ? 0 : seen->deadline_ns - drawing->now_ns;
    buf_printf(out, ",\"ends_in_ms\":%" PRId64, left_ns / CLOCK_NS_PER_MS);
    buf_printf(out, ",\"replies_missing\":%" PRIu32 "}", seen->parts_left);
    drawing->first = false;
}

static void draw_pending(struct metrics_sources *from, struct buf *out)
{
    struct drawing drawing = {out, clock_mono_ns(), true};
    buf_printf(out, ",\"pending\":{\"count\":%zu,\"max\":%zu,\"nearest\":[", pending_count(from->pending), from->pending_max);
    pending_visit(from->pending, DEBUG_REQUESTS, draw_request, &drawing);
    buf_append_text(out, "]}");
}

static void draw_backlog(const struct backlog *backlog, int32_t partitions, struct buf *out)
{
    buf_append_text(out, ",\"partitions\":[");
    for (int32_t p = 0; p < partitions && p < BACKLOG_PARTITIONS_MAX; p++) {
        int64_t behind = backlog_behind(backlog, p);
        buf_printf(out, "%s{\"partition\":%d,\"behind\":", p ? "," : "", (int)p);
        if (behind >= 0)
            buf_printf(out, "%" PRId64 "}", behind);
        else
            buf_append_text(out, "null}");
    }
    buf_append_text(out, "]");
}

static void draw_services(const struct metrics_sources *from, struct buf *out)
{
    buf_append_text(out, ",\"services\":[");
    for (size_t i = 0; i < from->admission->service_count; i++) {
        const struct admission_service *service = &from->admission->services[i];
        const struct service_topic *topic = link_service(from->link, service->name);
        buf_printf(out, "%s{\"service\":\"%s\"", i ? "," : "", service->name);
        json_append_text(out, "commands_topic", slice_of(topic->commands));
        buf_printf(out, ",\"breaker\":\"%s\",\"limit\":{\"quick\":{\"now\":%d,\"in_flight\":%d},\"heavy\":{\"now\":%d,\"in_flight\":%d}}",
                   circuit_phase_name(degrade_phase(from->degrade, service->name)), limit_now(&service->quick), limit_in_flight(&service->quick),
                   limit_now(&service->heavy), limit_in_flight(&service->heavy));
        draw_backlog(&service->backlog, atomic_load(&topic->partitions), out);
        buf_append_text(out, "}");
    }
    buf_append_text(out, "]");
}

void debug_page_write(struct metrics_sources *from, struct buf *out)
{
    const struct process_identity identity = {from->service, from->instance};
    struct pool *pool = atomic_load(&from->pool);
    debug_process(out, &identity);
    buf_printf(out, ",\"ready\":%s,\"reply_partition\":%d", health_has(from->health, HEALTH_ALL) ? "true" : "false",
               (int)atomic_load(&from->health->reply_partition));
    buf_printf(out, ",\"http\":{\"connections\":%zu,\"requests\":%zu},\"copy_bytes\":%" PRIu64, pool ? pool_connections(pool) : 0,
               pool ? pool_active(pool) : 0, (uint64_t)degrade_copy_bytes(from->degrade));
    draw_pending(from, out);
    draw_services(from, out);
    buf_append_text(out, "}\n");
}
