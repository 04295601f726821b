/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets and what their owners are told. */
#include "throttle.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "hash.h"

#define WAYS       8
#define NS_PER_S   INT64_C(1000000000)

struct bucket {
    struct hash128 client;
    int64_t full_ns; /* 0: nobody's */
};

struct throttle {
    /* fixed */
    struct throttle_options options;
    int64_t cost_ns, burst_ns; /* what one request takes, and the bucket's depth */
    size_t set_mask;
    /* guarded by lock */
    pthread_mutex_t lock;
    struct bucket *buckets;
};

int throttle_new(const struct throttle_options *options, struct throttle **ret_throttle)
{
    struct throttle *throttle = calloc(1, sizeof(*throttle));
    if (!throttle)
        return -ENOMEM;
    size_t sets = 1;
    while (sets * WAYS < options->clients_max)
        sets <<= 1;
    pthread_mutex_init(&throttle->lock, NULL);
    throttle->options = *options;
    throttle->cost_ns = NS_PER_S / options->rate;
    throttle->burst_ns = throttle->cost_ns * options->burst;
    throttle->set_mask = sets - 1;
    throttle->buckets = calloc(sets * WAYS, sizeof(*throttle->buckets));
    if (!throttle->buckets) {
        throttle_free(throttle);
        return -ENOMEM;
    }
    *ret_throttle = throttle;
    return 0;
}

void throttle_free(struct throttle *throttle)
{
    if (!throttle)
        return;
    pthread_mutex_destroy(&throttle->lock);
    free(throttle->buckets);
    free(throttle);
}

/* With `lock` held: the client's bucket, or one that becomes its. */
static struct bucket *bucket_of(struct throttle *throttle, struct hash128 client)
{
    struct bucket *set = &throttle->buckets[(client.low & throttle->set_mask) * WAYS], *victim = set;
    for (struct bucket *bucket = set; bucket < set + WAYS; bucket++) {
        if (bucket->client.low == client.low && bucket->client.high == client.high)
            return bucket;
        if (bucket->full_ns < victim->full_ns)
            victim = bucket;
    }
    *victim = (struct bucket){.client = client};
    return victim;
}

struct throttle_verdict throttle_take(struct throttle *throttle, struct slice client, int64_t now_ns)
{
    struct hash128 name = hash_slice_128(client, throttle->options.seed);
    pthread_mutex_lock(&throttle->lock);
    struct bucket *bucket = bucket_of(throttle, name);
    int64_t full_ns = (bucket->full_ns > now_ns ? bucket->full_ns : now_ns) + throttle->cost_ns;
    int64_t over_ns = full_ns - now_ns - throttle->burst_ns; /* beyond the depth */
    bool allowed = over_ns <= 0;
    if (allowed)
        bucket->full_ns = full_ns;
    else
        full_ns -= throttle->cost_ns;
    pthread_mutex_unlock(&throttle->lock);
    return (struct throttle_verdict){.allowed = allowed,
                                     .remaining = (throttle->burst_ns - (full_ns - now_ns)) / throttle->cost_ns,
                                     .reset_ns = full_ns - now_ns,
                                     .wait_ns = allowed ? 0 : over_ns};
}

static int64_t seconds_up(int64_t ns)
{
    return (ns + NS_PER_S - 1) / NS_PER_S;
}

void throttle_describe(const struct throttle *throttle, const struct throttle_verdict *verdict, struct answer *answer)
{
    char text[96];
    int n = snprintf(text, sizeof(text), "\"client\";q=%" PRId64 ";w=%" PRId64, throttle->options.burst,
                     seconds_up(NS_PER_S / throttle->options.rate * throttle->options.burst));
    answer_header(answer, "RateLimit-Policy", slice_make(text, (size_t)n));
    n = snprintf(text, sizeof(text), "\"client\";r=%" PRId64 ";t=%" PRId64, verdict->remaining, seconds_up(verdict->reset_ns));
    answer_header(answer, "RateLimit", slice_make(text, (size_t)n));
}

void throttle_refuse(const struct throttle *throttle, const struct throttle_verdict *verdict, struct answer *ret_answer)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%" PRId64, seconds_up(verdict->wait_ns));
    answer_problem(ret_answer, 429,
                   "More than the %" PRId64 " requests a second that one client may make (%" PRId64
                   " at once): wait for Retry-After seconds.",
                   throttle->options.rate, throttle->options.burst);
    answer_header(ret_answer, "Retry-After", slice_make(text, (size_t)n));
    throttle_describe(throttle, verdict, ret_answer);
}
