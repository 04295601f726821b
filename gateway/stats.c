/* SPDX-License-Identifier: Apache-2.0 */
/* The counters' log line. */
#include "stats.h"

#include <inttypes.h>

#include "log.h"

void stats_log(struct stats *stats)
{
    log_info("served",
             "requests=%" PRIu64 " refused=%" PRIu64 " commands=%" PRIu64 " matched=%" PRIu64 " late=%" PRIu64
             " foreign=%" PRIu64 " duplicate=%" PRIu64 " malformed=%" PRIu64 " expired=%" PRIu64
             " undelivered=%" PRIu64 " bound=%" PRIu64 " left=%" PRIu64 " slow=%" PRIu64 " turned_away=%" PRIu64 " throttled=%" PRIu64
             " shed=%" PRIu64 " repeated=%" PRIu64 " breaker_opened=%" PRIu64 " breaker_refused=%" PRIu64 " stale=%" PRIu64,
             stats->requests, stats->refused, stats->commands, stats->matched, stats->late, stats->foreign,
             stats->duplicate, stats->malformed, stats->expired, stats->undelivered, stats->bound,
             stats->left, stats->slow, stats->turned_away, stats->throttled, stats->shed, stats->repeated, stats->breaker_opened,
             stats->breaker_refused, stats->stale);
}
