/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps librdkafka fetching when a queue was full. */
#include "refill.h"

#include <stdlib.h>

#define LOOK_COUNT      512
#define LOOK_BYTES      ((size_t)1 << 20)
#define WAKE_TIMEOUT_MS 100

bool refill_due(struct refill_level *level, size_t count, size_t bytes)
{
    bool high = count >= level->max_count / 2 || bytes >= level->max_bytes / 2;
    bool low = count < level->max_count / 4 && bytes < level->max_bytes / 4;
    bool due = level->was_high && low;
    level->was_high = high || (level->was_high && !low);
    return due;
}

bool refill_by_setting(void)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    size_t size = 0;
    bool known = rd_kafka_conf_get(conf, REFILL_BACKOFF, NULL, &size) == RD_KAFKA_CONF_OK;
    rd_kafka_conf_destroy(conf);
    return known;
}

static size_t number(rd_kafka_t *rk, const char *name, size_t fallback)
{
    char text[24];
    size_t size = sizeof(text);
    if (rd_kafka_conf_get(rd_kafka_conf(rk), name, text, &size) != RD_KAFKA_CONF_OK)
        return fallback;
    return strtoul(text, NULL, 10);
}

void refill_init(struct refill *refill, rd_kafka_t *rk, rd_kafka_queue_t *queue)
{
    *refill = (struct refill){.rk = rk, .queue = queue, .by_request = !refill_by_setting()};
    refill->level.max_count = number(rk, "queued.min.messages", 100000);
    refill->level.max_bytes = number(rk, "queued.max.messages.kbytes", 65536) << 10;
}

/* Which request it is does not matter; this one goes to every partition's leader and keeps to its time-out.
 */
static void wake(struct refill *refill, const rd_kafka_topic_partition_list_t *parts)
{
    rd_kafka_topic_partition_list_t *asked = rd_kafka_topic_partition_list_copy(parts);
    for (int i = 0; i < asked->cnt; i++)
        asked->elems[i].offset = RD_KAFKA_OFFSET_END;
    rd_kafka_offsets_for_times(refill->rk, asked, WAKE_TIMEOUT_MS);
    rd_kafka_topic_partition_list_destroy(asked);
}

/* librdkafka tells how many messages it has queued, not their bytes: what was taken says how large they are.
 */
void refill_took(struct refill *refill, size_t len, const rd_kafka_topic_partition_list_t *parts)
{
    refill->count++;
    refill->bytes += len;
    if (!refill->by_request || (refill->count < LOOK_COUNT && refill->bytes < LOOK_BYTES))
        return;
    size_t queued = rd_kafka_queue_length(refill->queue);
    bool due = refill_due(&refill->level, queued, queued * (refill->bytes / refill->count));
    refill->count = refill->bytes = 0;
    if (due && parts && parts->cnt > 0)
        wake(refill, parts);
}
