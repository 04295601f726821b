/* SPDX-License-Identifier: Apache-2.0 */
/* What producer, consumer, reader and admin have in common: settings, results, partitioning. */
#ifndef ROUNDTRIP_BUS_H
#define ROUNDTRIP_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "slice.h"

#define BUS_ERROR_SIZE 256

/** What went wrong, as a sentence for the log or the terminal. */
struct bus_error {
    char text[BUS_ERROR_SIZE];
};

/** Borrowed; must live as long as every handle opened with it. */
struct bus_settings {
    const char *bootstrap; /* "host:port,host:port" */
    const char *client_id;
    const struct config_property *properties; /* passed to librdkafka after our own settings; they win */
    size_t property_count;
    bool measured; /* its clients stand in the process's metrics (statistics.h) */
};

/** How long opening and metadata calls wait for a broker, in ms. */
#define BUS_TIMEOUT_MS 10000

/** Java's default partitioner, murmur2 of the key: every producer of ours agrees on it. `partitions` > 0. */
int32_t bus_partition_of(struct slice key, int32_t partitions);

#endif
