/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of the loop, drawn by itself. */
#include "worker/look.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "json.h"
#include "steady.h"
#include "worker/work.h"

struct look {
    _Atomic bool wanted; /* set by who asks, cleared by the loop */
    /* guarded by lock */
    pthread_mutex_t lock;
    pthread_cond_t drawn_cond;
    bool drawn;
    struct buf picture;
};

struct look *look_new(void)
{
    struct look *look = calloc(1, sizeof(*look));
    if (!look)
        return NULL;
    pthread_mutex_init(&look->lock, NULL);
    (void)steady_cond_init(&look->drawn_cond);
    return look;
}

void look_free(struct look *look)
{
    if (!look)
        return;
    pthread_mutex_destroy(&look->lock);
    pthread_cond_destroy(&look->drawn_cond);
    buf_done(&look->picture);
    free(look);
}

/* ---- drawing ---- */

static const char *const phases[] = {
    [PARTITION_AWAY] = "away",           [PARTITION_WAITING] = "waiting",     [PARTITION_CLAIMING] = "claiming", [PARTITION_CHECKING] = "checking",
    [PARTITION_REPLAYING] = "replaying", [PARTITION_REPAIRING] = "repairing", [PARTITION_SERVING] = "serving",
};

static int64_t ms_between(int64_t from_ns, int64_t to_ns)
{
    return (to_ns - from_ns) / CLOCK_NS_PER_MS;
}

static void draw_job(const struct work *work, int64_t now_ns, struct buf *out)
{
    int64_t began_ns = atomic_load(&work->began_ns);
    if (work->stage != WORK_RUNNING)
        return;
    uint32_t done = atomic_load(&work->job.done);
    buf_printf(out, ",\"running_ms\":%" PRId64 ",\"progress\":%.4f,\"memory\":%zu,\"memory_peak\":%zu,\"cancelled\":%s",
               began_ns ? ms_between(began_ns, now_ns) : 0, done ? (done - 1) / (double)JOB_PARTS : 0.0, atomic_load(&work->job.memory),
               atomic_load(&work->job.memory_peak), work->cancelled ? "true" : "false");
}

static void draw_command(const struct work *work, int64_t now_ns, struct buf *out)
{
    buf_printf(out, "{\"stage\":\"%s\"", work_stage_name(work->stage));
    if (work->msg)
        buf_printf(out, ",\"offset\":%" PRId64, work->msg->rec.offset);
    if (work->taken_ns)
        buf_printf(out, ",\"age_ms\":%" PRId64, ms_between(work->taken_ns, now_ns));
    json_append_text(out, "type", slice_of(work->op ? work->op->type : NULL));
    json_append_text(out, "id", work->msg ? work->cmd.id : slice_of(work->id));
    json_append_text(out, "key", work->key);
    buf_printf(out, ",\"attempts\":%d,\"crashes\":%d", work->attempts, work->crashes);
    if (work->stage == WORK_RETRYING)
        buf_printf(out, ",\"due_in_ms\":%" PRId64, ms_between(now_ns, work->due_ns));
    draw_job(work, now_ns, out);
    buf_append_text(out, "}");
}

/* The list is newest first. */
static void draw_commands(const struct partition *p, int64_t now_ns, struct buf *out)
{
    const struct work *oldest = p->works;
    while (oldest && oldest->next)
        oldest = oldest->next;
    int shown = 0;
    for (const struct work *work = oldest; work && shown < LOOK_COMMANDS; work = work->prev, shown++) {
        buf_append_text(out, shown ? "," : "");
        draw_command(work, now_ns, out);
    }
}

static void draw_partition(const struct partition *p, int64_t now_ns, struct buf *out)
{
    uint64_t used = 0, map = 0;
    if (p->state)
        state_size(p->state, &used, &map);
    buf_printf(out, "{\"partition\":%d,\"phase\":\"%s\",\"committable_offset\":%" PRId64 ",\"next_offset\":%" PRId64
                    ",\"commands_end\":%" PRId64, (int)p->number, phases[p->phase], p->offsets.floor, p->offsets.next,
               p->phase == PARTITION_SERVING ? consumer_end(p->worker->consumer, p->number) : -1);
    json_append_text(out, "claim", slice_make(p->writer.claim.id, p->writer.held ? p->writer.claim.len : 0));
    buf_printf(out, ",\"next_event_offset\":%" PRId64 ",\"events_appended\":%" PRIu64 ",\"events_settled\":%" PRIu64
                    ",\"paused\":%s,\"state\":{\"used\":%" PRIu64 ",\"map\":%" PRIu64 "}",
               p->writer.next_offset, p->appended, p->resolved, p->flow_paused ? "true" : "false", used, map);
    buf_printf(out, ",\"commands\":%zu,\"oldest\":[", p->work_count);
    draw_commands(p, now_ns, out);
    buf_append_text(out, "]}");
}

void look_draw(const struct worker *worker, int64_t now_ns, struct buf *out)
{
    const char *comma = "";
    buf_append_text(out, "\"partitions\":[");
    for (int32_t i = 0; i < worker->partition_count; i++) {
        const struct partition *p = &worker->partitions[i];
        if (p->phase == PARTITION_AWAY)
            continue;
        buf_append_text(out, comma);
        draw_partition(p, now_ns, out);
        comma = ",";
    }
    buf_append_text(out, "],\"breakers\":[");
    for (size_t i = 0; worker->service->operations[i].type; i++)
        buf_printf(out, "%s{\"operation\":\"%s\",\"state\":\"%s\"}", i ? "," : "", worker->service->operations[i].type,
                   breaker_phase_name(worker->breakers[i].phase));
    buf_append_text(out, "]");
}

/* ---- asking ---- */

void look_serve(struct look *look, const struct worker *worker, int64_t now_ns)
{
    if (!atomic_load_explicit(&look->wanted, memory_order_relaxed))
        return;
    pthread_mutex_lock(&look->lock);
    atomic_store(&look->wanted, false);
    buf_clear(&look->picture);
    look_draw(worker, now_ns, &look->picture);
    look->drawn = true;
    pthread_cond_signal(&look->drawn_cond);
    pthread_mutex_unlock(&look->lock);
}

bool look_ask(struct look *look, int64_t timeout_ms, struct buf *out)
{
    int64_t until_ns = clock_mono_ns() + timeout_ms * CLOCK_NS_PER_MS;
    pthread_mutex_lock(&look->lock);
    look->drawn = false;
    atomic_store(&look->wanted, true);
    int err = 0;
    while (!look->drawn && err == 0)
        err = steady_cond_wait(&look->drawn_cond, &look->lock, until_ns);
    bool drawn = look->drawn;
    if (drawn)
        buf_append(out, look->picture.data, look->picture.len);
    pthread_mutex_unlock(&look->lock);
    return drawn;
}
