/* SPDX-License-Identifier: Apache-2.0 */
/* Exponential backoff with full jitter, bounded in number and time. */
#include "worker/retry.h"

struct retry_policy retry_policy_of(const struct operation *op)
{
    return op->retry.attempts > 0 ? op->retry : RETRY_DEFAULT;
}

static int64_t backoff_ms(const struct retry_policy *policy, int failures)
{
    int64_t backoff = policy->base_ms;
    for (int i = 1; i < failures && backoff < policy->cap_ms; i++)
        backoff *= 2;
    return backoff < policy->cap_ms ? backoff : policy->cap_ms;
}

int64_t retry_delay_ms(const struct retry_policy *policy, int failures, int64_t since_ms, uint64_t chance)
{
    if (failures >= policy->attempts)
        return RETRY_NEVER;
    int64_t delay = (int64_t)(chance % ((uint64_t)backoff_ms(policy, failures) + 1));
    if (policy->deadline_ms > 0 && since_ms + delay >= policy->deadline_ms)
        return RETRY_NEVER;
    return delay;
}
