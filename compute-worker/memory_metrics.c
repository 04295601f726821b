/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that computations hold. */
#include "memory_metrics.h"

#include "compute.h"
#include "metrics.h"

static void write_budget(struct metrics_page *page, const struct budget *budget, const char *use)
{
    metrics_sample(page, (double)atomic_load_explicit(&budget->used, memory_order_relaxed), METRICS_VALUES(use, "used"));
    metrics_sample(page, (double)atomic_load_explicit(&budget->peak, memory_order_relaxed), METRICS_VALUES(use, "peak"));
    metrics_sample(page, (double)budget->total_max, METRICS_VALUES(use, "limit"));
}

void memory_metrics(void *context, struct metrics_page *page)
{
    const struct compute *compute = context;
    static const struct metrics_family family = {
        "roundtrip_computation_memory_bytes", METRICS_GAUGE,
        "Memory for computations, and for outcomes of parts that are put together: held now, at most until now, and how much there may be.",
        {"use", "kind"}};
    metrics_family(page, &family);
    write_budget(page, &compute->budget, "computing");
    write_budget(page, &compute->gathered, "gathering");
}
