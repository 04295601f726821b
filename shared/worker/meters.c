/* SPDX-License-Identifier: Apache-2.0 */
/* Measuring commands, and publishing how the partitions stand. */
#include "worker/meters.h"

#include <stdlib.h>

#include "clock.h"
#include "worker/look.h"

#define PUBLISH_NS (INT64_C(1000) * CLOCK_NS_PER_MS)

static const char *const dead_classes[METER_DEAD_CLASSES] = {"poison", "permanent", "exhausted", "crashed"};

const char *meters_dead_class(int i)
{
    return dead_classes[i];
}

const char *meters_outcome_name(enum meter_outcome outcome)
{
    static const char *const names[METER_OUTCOMES] = {"ok", "refused", "expired", "failed", "replayed", "forwarded"};
    return names[outcome];
}

struct meters *meters_new(const struct service *service)
{
    struct meters *meters = calloc(1, sizeof(*meters));
    if (!meters)
        return NULL;
    while (service->operations[meters->operation_count].type)
        meters->operation_count++;
    meters->operations = calloc(meters->operation_count + 1, sizeof(*meters->operations));
    meters->look = look_new();
    if (meters->operations && meters->look)
        return meters;
    meters_free(meters);
    return NULL;
}

void meters_free(struct meters *meters)
{
    if (!meters)
        return;
    free(atomic_load(&meters->partitions));
    free(meters->operations);
    look_free(meters->look);
    free(meters);
}

static struct operation_meter *meter_of(const struct work *work)
{
    const struct worker *worker = work->partition->worker;
    size_t at = work->op ? (size_t)(work->op - worker->service->operations) : worker->meters->operation_count;
    return &worker->meters->operations[at];
}

/* ---- one command ---- */

void meters_taken(struct work *work)
{
    if (work->partition->worker->meters)
        work->taken_ns = clock_mono_ns();
}

void meters_handled(const struct work *work, int64_t ns)
{
    if (work->partition->worker->meters)
        metrics_observe(&meter_of(work)->handled, ns);
}

enum meter_outcome meters_outcome(int status, bool replayed, bool forwarded)
{
    if (forwarded)
        return METER_FORWARDED;
    if (replayed)
        return METER_REPLAYED;
    if (status == 504)
        return METER_EXPIRED;
    return status >= 500 ? METER_FAILED : status >= 400 ? METER_REFUSED : METER_OK;
}

/* Its waiting is observed here, too: only now it is known for certain what operation it is of. */
void meters_ended(const struct work *work)
{
    if (!work->taken_ns)
        return;
    struct operation_meter *meter = meter_of(work);
    int64_t took_ns = clock_mono_ns() - work->taken_ns;
    if (work->msg->rec.timestamp_ms > 0)
        metrics_observe(&meter->waited, (clock_wall_ms() - work->msg->rec.timestamp_ms) * CLOCK_NS_PER_MS - took_ns);
    metrics_observe(&meter->ended[meters_outcome(work->answer.status, work->answer.replayed, work->forwarded)], took_ns);
}

void meters_buried(const struct work *work)
{
    struct meters *meters = work->partition->worker->meters;
    for (int i = 0; meters && i < METER_DEAD_CLASSES; i++) {
        if (strcmp(dead_classes[i], work->dead_class ? work->dead_class : dead_classes[0]) == 0)
            metrics_add(&meters->dead[i], 1);
    }
}

/* ---- how all stands ---- */

static int64_t count_queue(const struct work_queue *queue)
{
    int64_t count = 0;
    for (const struct work *work = queue->first; work; work = work->queue_next)
        count++;
    return count;
}

static void publish_partition(struct partition *p, struct partition_meter *meter)
{
    uint64_t used = 0, map = 0;
    bool serves = p->phase == PARTITION_SERVING;
    int64_t end = serves ? consumer_end(p->worker->consumer, p->number) : -1;
    if (p->state)
        state_size(p->state, &used, &map);
    atomic_store(&meter->phase, (int)p->phase);
    atomic_store(&meter->lag, end < 0 ? -1 : end > p->offsets.floor ? end - p->offsets.floor : 0);
    atomic_store(&meter->commands, serves ? (int64_t)p->work_count : 0);
    atomic_store(&meter->queued, serves ? count_queue(&p->waiting) + count_queue(&p->suspects) : 0);
    atomic_store(&meter->retrying, serves ? count_queue(&p->retrying) : 0);
    atomic_store(&meter->state_used, used);
    atomic_store(&meter->state_map, map);
}

static struct partition_meter *partitions_of(struct worker *worker)
{
    struct meters *meters = worker->meters;
    struct partition_meter *partitions = atomic_load(&meters->partitions);
    if (partitions || worker->partition_count <= 0)
        return partitions;
    partitions = calloc((size_t)worker->partition_count, sizeof(*partitions));
    atomic_store(&meters->partition_count, partitions ? worker->partition_count : 0);
    atomic_store(&meters->partitions, partitions);
    return partitions;
}

void meters_publish(struct worker *worker, int64_t now_ns)
{
    struct meters *meters = worker->meters;
    if (!meters)
        return;
    atomic_store_explicit(&meters->turned_ns, now_ns, memory_order_relaxed);
    look_serve(meters->look, worker, now_ns);
    if (now_ns < meters->publish_ns && atomic_load(&meters->ready) == worker->ready)
        return;
    meters->publish_ns = now_ns + PUBLISH_NS;
    struct partition_meter *partitions = partitions_of(worker);
    for (int32_t i = 0; partitions && i < worker->partition_count; i++)
        publish_partition(&worker->partitions[i], &partitions[i]);
    for (size_t i = 0; i < meters->operation_count; i++)
        atomic_store(&meters->operations[i].breaker, (int)worker->breakers[i].phase);
    atomic_store(&meters->pool, worker->pool);
    atomic_store(&meters->context, worker->context);
    atomic_store(&meters->connected, producer_connected(worker->events) && producer_connected(worker->replies));
    atomic_store(&meters->ready, worker->ready);
}
