/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From "assigned" to "serving": claim, replay, repair; and giving a partition up.
 *
 *   assigned(committed) -> append a claim -> acknowledged at C -> replay events from the checkpoint through C
 *   -> append the true state of keys that void records hide -> consume commands from `committed`
 *
 * A claim that is lost (another writer, a failed delivery) starts this again from the lowest unfinished
 * command.
 */
#include "worker/recover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "broken.h"
#include "clock.h"
#include "log.h"
#include "worker/letters.h"
#include "worker/partition.h"
#include "worker/suspects.h"
#include "worker/replay.h"
#include "worker/work.h"

#define REPLAY_BATCH    512
#define RESTART_NS      (INT64_C(200) * CLOCK_NS_PER_MS)
#define IDLE_TIMEOUT_MS 100
#define IDLE_CHECK_NS   (INT64_C(2000) * CLOCK_NS_PER_MS)

static void clear(struct partition *p)
{
    suspects_clear(p);
    work_orphan_all(p);
    work_queue_init(&p->journal);
    work_queue_init(&p->readers);
    work_queue_init(&p->waiting);
    p->crowd = (struct crowd){.crowds = 0};
    work_queue_init(&p->retrying);
    work_queue_init(&p->letters);
    p->letters_out = 0;
    p->letters_alone = false;
    work_queue_init(&p->suspects);
    p->suspect_until = -1;
    p->retry_due_ns = p->queue_due_ns = INT64_MAX;
    for (size_t i = 0; i < PARTITION_BUCKETS; i++)
        p->by_key[i] = p->by_id[i] = NULL;
    p->final_count = p->repairs_open = 0;
    p->appended = p->resolved = 0;
    p->writer = (struct journal_writer){0};
}

/* ---- claim ---- */

static void claim(struct partition *p)
{
    struct worker *worker = p->worker;
    char id[ENVELOPE_UUID_SIZE];
    struct headers headers;
    struct record rec;
    clear(p);
    struct work *work = work_new(p, NULL);
    if (!work) {
        worker_fail(worker, "cannot claim a partition", "out of memory");
        return;
    }
    envelope_new_id(clock_wall_ms(), id);
    journal_claim_set(&p->writer.claim, slice_of(id));
    letters_claim(work, slice_of(id), &headers, &rec);
    p->phase = PARTITION_CLAIMING;
    p->since_ns = clock_mono_ns();
    work_move(work, WORK_CLAIMING);
    work->awaited = true;
    int err = producer_send(worker->events, &rec, &headers, work);
    if (err) {
        work->awaited = false;
        recover_restart(p, strerror(-err), RESTART_NS);
        return;
    }
    worker->count.claims++;
}

static int open_state(struct partition *p)
{
    struct worker *worker = p->worker;
    char dir[sizeof(worker->state_dir) + sizeof(worker->events_topic) + 16];
    const char *wiped;
    struct state_error error;
    if (p->state)
        return 0;
    struct state_binding binding = {.cluster_id = reader_cluster_id(worker->reader),
                                    .topic = worker->events_topic,
                                    .partition = p->number,
                                    .int64_keys = worker->service->key_order == KEY_INT64};
    snprintf(dir, sizeof(dir), "%s/%s-%d", worker->state_dir, worker->events_topic, p->number);
    int err = state_open(dir, &binding, &p->state, &wiped, &error);
    if (err)
        worker_fail(worker, "cannot open the local state", error.text);
    else if (wiped)
        log_warn("the local state is rebuilt from the log", "partition=%d dir=%s why=\"%s\"", p->number, dir,
                 wiped);
    return err;
}

void recover_assigned(struct partition *p, int64_t committed)
{
    p->position = committed;
    p->flow_paused = p->floor_dirty = false;
    offsets_init(&p->offsets, committed < 0 ? 0 : committed);
    if (open_state(p) == 0)
        claim(p);
}

static void stop_reading(struct partition *p)
{
    if (p->phase == PARTITION_REPLAYING || p->phase == PARTITION_CHECKING)
        reader_remove(p->worker->reader, p->worker->events_topic, p->number);
    if (p->phase == PARTITION_REPLAYING)
        progress_end(&p->worker->replay, p->claim_offset + 1 - p->replayed_until);
}

void recover_restart(struct partition *p, const char *why, int64_t delay_ns)
{
    if (p->phase == PARTITION_AWAY || p->phase == PARTITION_WAITING)
        return;
    log_warn("partition gives up its claim and starts again", "partition=%d why=\"%s\"", p->number, why);
    p->worker->count.losses++;
    stop_reading(p);
    if (p->phase == PARTITION_SERVING) {
        p->position = p->offsets.floor;
        if (consumer_pause(p->worker->consumer, p->number) != 0)
            log_debug("pause", "partition=%d why=\"not assigned any more\"", p->number);
    }
    p->phase = PARTITION_WAITING;
    p->retry_ns = clock_mono_ns() + delay_ns;
    clear(p);
}

/* ---- replay ---- */

static void serve(struct partition *p)
{
    int64_t floor = p->position;
    offsets_done(&p->offsets);
    offsets_init(&p->offsets, floor < 0 ? 0 : floor);
    p->flow_paused = false;
    p->first_command = true;
    if (consumer_resume(p->worker->consumer, p->number, floor) != 0) {
        p->phase = PARTITION_REPAIRING;
        recover_restart(p, "its commands cannot be read", RESTART_NS);
        return;
    }
    suspects_begin(p);
    p->phase = PARTITION_SERVING;
    p->idle_check_ns = clock_mono_ns() + IDLE_CHECK_NS;
    log_info("partition serves",
             "partition=%d from_command=%lld claim_offset=%lld replayed_from=%lld took_ms=%lld", p->number,
             (long long)floor, (long long)p->claim_offset, (long long)p->replayed_from,
             (long long)((clock_mono_ns() - p->since_ns) / CLOCK_NS_PER_MS));
}

static void append_repair(struct partition *p, struct slice key)
{
    struct work *work = work_new_own(p, key);
    if (!work) {
        worker_fail(p->worker, "cannot repair a key", "out of memory");
        return;
    }
    struct slice value = SLICE("");
    if (!state_entity(p->state, key, &work->exists, &work->version, &value))
        work->exists = false;
    buf_append_slice(&work->decision.state, value);
    work->state = buf_slice(&work->decision.state);
    work->answer.status = 200;
    work->binding = true;
    work->event_time_ms = clock_wall_ms();
    p->repairs_open++;
    work_move(work, WORK_REPAIRING);
    partition_append(work);
}

static void repair(struct partition *p)
{
    char key[ENVELOPE_ID_MAX];
    size_t len = 0;
    p->phase = PARTITION_REPAIRING;
    while (p->phase == PARTITION_REPAIRING && !broken(BROKEN_NO_REPAIR) &&
           state_next_repair(p->state, len ? slice_make(key, len) : SLICE_NONE, key, sizeof(key), &len)) {
        log_warn("a void record hides a key's state; appending it again", "partition=%d key=%.*s", p->number,
                 (int)len, key);
        append_repair(p, slice_make(key, len));
    }
    suspects_absolve(p);
    if (p->phase == PARTITION_REPAIRING && p->repairs_open == 0)
        serve(p);
}

void recover_repaired(struct partition *p)
{
    if (--p->repairs_open > 0)
        return;
    partition_apply(p);
    serve(p);
}

static bool rebuild(struct partition *p, const char *why)
{
    struct state_error error;
    log_warn("the local state is of another log; rebuilding it from this one",
             "partition=%d why=\"%s\" checkpoint=%lld claim_at=%lld log_begin=%lld", p->number, why,
             (long long)state_checkpoint(p->state), (long long)state_claim_offset(p->state),
             (long long)p->low_watermark);
    if (state_wipe(p->state, &error) == 0)
        return true;
    worker_fail(p->worker, "cannot rebuild the local state", error.text);
    return false;
}

static int64_t replay_from(struct partition *p, int64_t claim_offset)
{
    struct worker *worker = p->worker;
    int64_t low, from, checkpoint = state_checkpoint(p->state);
    int err = reader_begin(worker->reader, worker->events_topic, p->number, READER_LOOK_MS, &low);
    if (err) {
        log_warn("cannot replay: no broker says where the log begins", "partition=%d error=\"%s\"", p->number, strerror(-err));
        return -1;
    }
    p->low_watermark = low;
    enum journal_replay plan = journal_replay_plan(checkpoint, low, claim_offset, &from);
    if (plan == JOURNAL_REPLAY_TRUNCATED)
        log_error(
            "events are missing at the log's beginning; retention.ms or retention.bytes must not apply to it",
            "topic=%s partition=%d checkpoint=%lld low_watermark=%lld", worker->events_topic, p->number,
            (long long)checkpoint, (long long)low);
    if (plan == JOURNAL_REPLAY_REBUILD && !rebuild(p, "its checkpoint lies beyond the end of the log"))
        return -1;
    return from;
}

/* Reads the log from `offset` on: first to see whether it is the right one, then to bring the local copy up
 * to date. */
static void read_on(struct partition *p, enum partition_phase phase, int64_t offset)
{
    p->phase = phase;
    if (reader_add(p->worker->reader, p->worker->events_topic, p->number, offset) != 0)
        recover_restart(p, "its events cannot be read", RESTART_NS);
}

static void replay(struct partition *p)
{
    p->reader = state_reader(p->state);
    p->replayed_from = p->replayed_until;
    progress_begin(&p->worker->replay, p->claim_offset + 1 - p->replayed_from, clock_mono_ns());
    read_on(p, PARTITION_REPLAYING, p->replayed_until);
}

/*
 * The first record at or after the place of the claim that the local copy knows. Another one means another
 * log: topics made anew with as many records, say, have the same name and the same cluster. (Or the claim was
 * compacted away: a rebuild does no harm.) librdkafka 2.0 does not tell topic ids, and this also notices a
 * log that was restored from elsewhere.
 */
static void check_log(struct partition *p, const struct record *rec)
{
    struct journal_reader known = state_reader(p->state);
    bool same =
        rec->offset == state_claim_offset(p->state) && journal_claim_is(&known.last, envelope_claim_of(rec));
    reader_remove(p->worker->reader, p->worker->events_topic, p->number);
    if (!same && !rebuild(p, "the log has another record where its last claim stood"))
        return;
    if (!same)
        p->replayed_until = p->low_watermark;
    replay(p);
}

void recover_claimed(struct work *work, const struct delivery *delivery)
{
    struct partition *p = work->partition;
    work_move(work, WORK_FINISHED);
    work_release(work);
    if (delivery->error_text || delivery->offset < 0) {
        recover_restart(p, delivery->error_text ? delivery->error_text : "the claim's offset is not known",
                        RESTART_NS);
        return;
    }
    int64_t from = replay_from(p, delivery->offset);
    if (from < 0 || p->worker->failed) {
        recover_restart(p, "its events cannot be read", RESTART_NS);
        return;
    }
    p->claim_offset = delivery->offset;
    p->replayed_until = from;
    journal_writer_hold(&p->writer, delivery->offset);
    p->held = p->writer.claim;
    if (state_checkpoint(p->state) >= 0 && state_claim_offset(p->state) >= p->low_watermark)
        read_on(p, PARTITION_CHECKING, state_claim_offset(p->state));
    else
        replay(p);
}

static void show_progress(struct worker *worker)
{
    const struct progress *progress = &worker->replay;
    int percent;
    if (progress_due(&worker->replay, clock_mono_ns(), &percent))
        log_info("replaying events", "percent=%d events=%lld of=%lld partitions=%d", percent,
                 (long long)progress->done, (long long)progress->total, progress->partitions);
}

/* One batch of one partition: applied in one transaction. */
static void replay_batch(struct partition *p, struct message **batch, size_t count)
{
    struct state_change changes[REPLAY_BATCH];
    struct state_error error;
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += replay_change(p, &batch[i]->rec, &changes[n]);
    int64_t next = batch[count - 1]->rec.offset + 1;
    if (state_apply(p->state, changes, n, next, &error) != 0) {
        worker_fail(p->worker, "cannot keep the local state", error.text);
        return;
    }
    progress_add(&p->worker->replay, next - p->replayed_until);
    p->replayed_until = next;
    show_progress(p->worker);
    if (next <= p->claim_offset)
        return;
    stop_reading(p);
    repair(p);
}

void recover_replay(struct worker *worker, struct message *msg)
{
    struct message *batch[REPLAY_BATCH];
    size_t n = 0;
    struct partition *p = NULL;
    for (size_t taken = 0; msg; msg = ++taken < REPLAY_BATCH ? reader_poll(worker->reader, 0) : NULL) {
        struct partition *owner = &worker->partitions[msg->rec.partition];
        if (owner->phase == PARTITION_CHECKING) {
            check_log(owner, &msg->rec);
            message_free(msg);
            continue;
        }
        /* after the claim only later owners write, or nobody: not part of this replay */
        if (owner->phase != PARTITION_REPLAYING || msg->rec.offset < owner->replayed_until ||
            msg->rec.offset > owner->claim_offset) {
            message_free(msg);
            continue;
        }
        if (p && owner != p) {
            replay_batch(p, batch, n);
            while (n > 0)
                message_free(batch[--n]);
        }
        p = owner;
        batch[n++] = msg;
        if (msg->rec.offset == p->claim_offset)
            break;
    }
    if (n > 0)
        replay_batch(p, batch, n);
    while (n > 0)
        message_free(batch[--n]);
}

/* ---- leaving, and looking after idle partitions ---- */

void recover_revoked(struct partition *p)
{
    if (p->phase == PARTITION_AWAY)
        return;
    stop_reading(p);
    if (p->phase == PARTITION_SERVING && !p->worker->failed)
        partition_apply(p);
    p->phase = PARTITION_AWAY;
    clear(p);
    offsets_done(&p->offsets);
    state_close(p->state);
    p->state = NULL;
}

/* An owner that writes nothing would not notice that it was deposed. */
static void check_idle(struct partition *p, int64_t now_ns)
{
    int64_t high;
    p->idle_check_ns = now_ns + IDLE_CHECK_NS;
    if (p->journal.first || !producer_connected(p->worker->events))
        return;
    if (reader_end(p->worker->reader, p->worker->events_topic, p->number, IDLE_TIMEOUT_MS, &high) == 0 &&
        journal_writer_overtaken(&p->writer, high)) {
        p->worker->count.gaps++;
        recover_restart(p, "another writer's record stands in the log", RESTART_NS);
    }
}

void recover_tick(struct partition *p, int64_t now_ns)
{
    if (p->phase == PARTITION_WAITING && now_ns >= p->retry_ns)
        claim(p);
    else if (p->phase == PARTITION_SERVING && now_ns >= p->idle_check_ns)
        check_idle(p, now_ns);
}
