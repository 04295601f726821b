/* SPDX-License-Identifier: Apache-2.0 */
/* Liveness and readiness. */
#include "health.h"

static const struct {
    enum health_need need;
    const char *missing; /* what it means that it is missing, and what to do */
} needs[] = {
    {HEALTH_STAYS, "it is shutting down"},
    {HEALTH_KAFKA, "no Kafka broker can be reached (setting kafka)"},
    {HEALTH_TOPICS, "the topics are not known yet (make them with roundtrip-topics)"},
    {HEALTH_PRODUCER, "the producer is not warm yet"},
    {HEALTH_REPLIES, "its reply partition is not read yet"},
    {HEALTH_KEYS, "the Idempotency-Keys used last are not known yet"},
};

void health_init(struct health *health, const char *instance)
{
    health->instance = instance;
    health->describe = NULL;
    atomic_init(&health->have, HEALTH_OPEN | HEALTH_STAYS);
    atomic_init(&health->reply_partition, -1);
}

void health_set(struct health *health, uint32_t which, bool have)
{
    if (have)
        atomic_fetch_or(&health->have, which);
    else
        atomic_fetch_and(&health->have, ~which);
}

bool health_has(const struct health *health, uint32_t which)
{
    return (atomic_load_explicit(&health->have, memory_order_acquire) & which) == which;
}

static void say(const struct health *health, const char *status, bool more, struct answer *ret_answer)
{
    struct buf body = {0};
    buf_printf(&body, "{\"status\":\"%s\",\"instance\":", status);
    buf_append_json(&body, slice_of(health->instance));
    buf_printf(&body, ",\"reply_partition\":%d", (int)atomic_load(&health->reply_partition));
    if (more && health->describe) {
        buf_append_text(&body, ",");
        health->describe(health->describe_arg, &body);
    }
    buf_append_text(&body, "}");
    answer_json(ret_answer, 200, buf_slice(&body));
    answer_header(ret_answer, "Cache-Control", SLICE("no-store"));
    buf_done(&body);
}

void health_live(void *health, const struct request *req, struct answer *ret_answer)
{
    say(health, "live", false, ret_answer);
}

void health_refuse(const struct health *health, struct answer *ret_answer)
{
    struct buf missing = {0};
    uint32_t have = atomic_load(&health->have);
    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
        if (!(have & needs[i].need))
            buf_printf(&missing, "%s%s", missing.len ? ", and " : "", needs[i].missing);
    }
    answer_unavailable(ret_answer, 1, "This gateway is not ready: %.*s. The request was not sent: repeat it.",
                       SLICE_ARG(buf_slice(&missing)));
    buf_done(&missing);
}

void health_ready(void *health, const struct request *req, struct answer *ret_answer)
{
    if (health_has(health, HEALTH_ALL))
        say(health, "ready", true, ret_answer);
    else
        health_refuse(health, ret_answer);
}
