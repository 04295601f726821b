/* SPDX-License-Identifier: Apache-2.0 */
/* Sending dead letters, smaller and smaller if need be; see bury.h. */
#include "worker/bury.h"

#include <errno.h>

#include "log.h"
#include "worker/letters.h"
#include "worker/meters.h"
#include "worker/partition.h"
#include "worker/recover.h"
#include "worker/work.h"

#define RESTART_NS (INT64_C(200) * CLOCK_NS_PER_MS)

const char *bury_class(struct slice name)
{
    static const char *const classes[] = {"permanent", "exhausted", "crashed"};
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (slice_is(name, classes[i]))
            return classes[i];
    }
    return NULL;
}

/* Sends the letter with as much of the command as work->omit leaves. */
static int send_part(struct work *work)
{
    struct worker *worker = work->partition->worker;
    struct headers headers;
    struct record rec;
    if (work->omit == OMIT_ALL)
        letters_dead_bare(work, worker->group, worker->dead_topic, work->dead_reason, &headers, &rec);
    else
        letters_dead(work, worker->group, worker->dead_topic, work->dead_reason, &headers, &rec);
    if (work->omit == OMIT_VALUE) { /* the origin headers say where the whole of it lies */
        rec.value = SLICE_NONE;
        headers_add(&headers, LETTERS_OMITTED, SLICE("value"));
    }
    return producer_send(worker->replies, &rec, &headers, work);
}

static void give_up(struct work *work, const char *error)
{
    log_error("a dead letter was not written; its partition does not go on without", "topic=%s id=%.*s error=\"%s\"",
              work->partition->worker->dead_topic, SLICE_ARG(work->cmd.id), error);
    recover_restart(work->partition, "a dead letter could not be sent", RESTART_NS);
}

static void send(struct work *work)
{
    int err = send_part(work);
    while (err == -EMSGSIZE && work->omit < OMIT_ALL) {
        work->omit++;
        err = send_part(work);
    }
    if (err) {
        give_up(work, strerror(-err));
        return;
    }
    work->awaited = true;
    work->partition->letters_out++;
}

/* With those that go one at a time: the next, when there is nothing else on its way. */
static void send_next(struct partition *p)
{
    if (p->phase != PARTITION_SERVING || !p->letters_alone || p->letters_out > 0)
        return;
    struct work *work = work_queue_take(&p->letters);
    p->letters_alone = work != NULL;
    if (!work)
        return;
    work->went_alone = true;
    send(work);
}

void bury(struct work *work, struct slice reason)
{
    struct partition *p = work->partition;
    const struct record *rec = &work->msg->rec;
    log_warn("dead letter", "topic=%s partition=%d offset=%lld id=%.*s reason=\"%.*s\"", rec->topic, rec->partition,
             (long long)rec->offset, SLICE_ARG(work->cmd.id), SLICE_ARG(reason));
    work->dead_reason = reason;
    work_move(work, WORK_BURYING);
    p->worker->count.dead_letters++;
    meters_buried(work);
    if (p->letters_alone)
        work_queue_add(&p->letters, work);
    else
        send(work);
}

void bury_delivered(struct work *work, const struct delivery *delivery)
{
    struct partition *p = work->partition;
    p->letters_out--;
    if (!delivery->error_text) {
        partition_answer(work);
    } else if (delivery->too_large && !work->went_alone) { /* it is, or those that went with it */
        p->letters_alone = true;
        work_queue_add(&p->letters, work);
    } else if (delivery->too_large && work->omit < OMIT_ALL) {
        work->omit++;
        send(work);
    } else {
        give_up(work, delivery->error_text);
    }
    send_next(p);
}
