/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What librdkafka says of itself, and how long sending takes, for a metrics page.
 *
 * Clients that are opened with bus_settings.measured join a table of the process. librdkafka makes its statistics, JSON, on its own
 * thread every BUS_STATISTICS_MS; the serving thread only puts the text aside, and who asks for the page reads it.
 * Source: librdkafka's STATISTICS.md.
 */
#ifndef ROUNDTRIP_BUS_STATISTICS_H
#define ROUNDTRIP_BUS_STATISTICS_H

#include "metrics.h"

/** kafka.statistics.interval.ms overrules it; 0 there: none. */
#define BUS_STATISTICS_MS 5000

/** Writes the families of all measured clients. Any thread. */
void bus_statistics_write(struct metrics_page *page);

/** librdkafka's version. Static. */
const char *bus_library_version(void);

#endif
