/* SPDX-License-Identifier: Apache-2.0 */
/* Internal to bus/: a client joins the table of measured ones, and leaves it. */
#ifndef ROUNDTRIP_BUS_STATISTICS_OWN_H
#define ROUNDTRIP_BUS_STATISTICS_OWN_H

#include "bus/statistics.h"
#include "rk.h"

#define STATISTICS_TOPICS_MAX 16

/** A producer's: how long records took from the handing over to librdkafka until all in-sync replicas had them. */
struct statistics_sends {
    struct {
        _Atomic(const char *) topic; /* NULL: free; lives as long as the producer */
        struct metrics_histogram took, failed;
    } topics[STATISTICS_TOPICS_MAX];
};

/** Before rd_kafka_new(): statistics are wanted. Nothing where the user has set an interval. */
void statistics_configure(rd_kafka_conf_t *conf);
/** `role` is static; `sends` may be NULL. More than the table holds are not measured. */
void statistics_join(rd_kafka_t *rk, const char *role, const struct statistics_sends *sends);
/** Before rd_kafka_destroy(). One that has not joined is allowed. */
void statistics_leave(rd_kafka_t *rk);

#endif
