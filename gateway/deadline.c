/* SPDX-License-Identifier: Apache-2.0 */
/* Times that count from the head. */
#include "deadline.h"

#include "clock.h"
#include "pending.h"

/** A computation is given up so long before its caller is answered: then its worker's word about it still comes in time. */
#define WORD_MS 50

static int64_t word_ms(const struct exchange *x)
{
    if (x->async || !x->route || !x->route->heavy)
        return 0;
    return x->work_ms / 10 < WORD_MS ? x->work_ms / 10 : WORD_MS;
}

bool deadline_left(const struct exchange *x, int64_t kafka_ms, int64_t now_ns, int64_t now_ms, struct deadline *ret_deadline,
                   struct answer *ret_answer)
{
    int64_t spent_ms = (now_ns - x->started_ns) / CLOCK_NS_PER_MS;
    int64_t kafka_ns = now_ns + kafka_ms * CLOCK_NS_PER_MS;
    struct deadline deadline = {.until_ns = x->started_ns + x->wait_ms * CLOCK_NS_PER_MS,
                                .accept_ns = PENDING_NEVER,
                                .expiry_ms = now_ms + x->work_ms - word_ms(x) - spent_ms};
    if (x->async) {
        deadline.accept_ns = x->started_ns + x->accept_ms * CLOCK_NS_PER_MS;
        deadline.until_ns = deadline.accept_ns > kafka_ns ? deadline.accept_ns : kafka_ns;
    }
    if (spent_ms >= x->work_ms || deadline.until_ns <= now_ns) {
        answer_problem(ret_answer, 408,
                       "The body took %lld.%03lld s to come, and the request had %lld.%03lld s from its first byte to its answer: "
                       "nothing was done. Send it faster, or ask for more time with Request-Timeout.",
                       (long long)spent_ms / 1000, (long long)spent_ms % 1000, (long long)x->work_ms / 1000,
                       (long long)x->work_ms % 1000);
        return false;
    }
    *ret_deadline = deadline;
    return true;
}
