/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that computations hold. */
#include "memory_metrics.h"

#include "compute.h"
#include "metrics.h"

void memory_metrics(void *context, struct metrics_page *page)
{
    static const struct metrics_family family = {
        "roundtrip_computation_memory_bytes", METRICS_GAUGE,
        "Memory for computations: held or set aside now, at most until now, and how much there may be (setting memory).", {"kind"}};
    const struct budget *budget = &((const struct compute *)context)->budget;
    metrics_family(page, &family);
    metrics_sample(page, (double)atomic_load_explicit(&budget->used, memory_order_relaxed), METRICS_VALUES("used"));
    metrics_sample(page, (double)atomic_load_explicit(&budget->peak, memory_order_relaxed), METRICS_VALUES("peak"));
    metrics_sample(page, (double)budget->total_max, METRICS_VALUES("limit"));
}
