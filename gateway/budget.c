/* SPDX-License-Identifier: Apache-2.0 */
/* The budget of repetitions. */
#include "budget.h"

#define ONE INT64_C(100)
/** What time pays in, and how much is kept at most. */
#define PER_SECOND (10 * ONE)
#define KEPT_MAX   (100 * ONE)
#define NS_PER_S   INT64_C(1000000000)

static int64_t at_most(int64_t value, int64_t most)
{
    return value < most ? value : most;
}

void budget_init(struct budget *budget, int percent, int64_t now_ns)
{
    *budget = (struct budget){.percent = percent, .hundredths = PER_SECOND, .paid_ns = now_ns};
    pthread_mutex_init(&budget->lock, NULL);
}

void budget_done(struct budget *budget)
{
    pthread_mutex_destroy(&budget->lock);
}

void budget_pay(struct budget *budget)
{
    pthread_mutex_lock(&budget->lock);
    budget->hundredths = at_most(budget->hundredths + budget->percent, KEPT_MAX);
    pthread_mutex_unlock(&budget->lock);
}

bool budget_take(struct budget *budget, int64_t now_ns)
{
    if (budget->percent == 0)
        return false;
    pthread_mutex_lock(&budget->lock);
    int64_t due = at_most((now_ns - budget->paid_ns) / (NS_PER_S / PER_SECOND), KEPT_MAX);
    if (due > 0) {
        budget->hundredths = at_most(budget->hundredths + due, KEPT_MAX);
        budget->paid_ns = now_ns;
    }
    bool granted = budget->hundredths >= ONE;
    if (granted)
        budget->hundredths -= ONE;
    pthread_mutex_unlock(&budget->lock);
    return granted;
}
