/* SPDX-License-Identifier: Apache-2.0 */
/* The settings every process has, and handing them to the modules that want them. */
#ifndef ROUNDTRIP_SETTINGS_H
#define ROUNDTRIP_SETTINGS_H

#include "bus/bus.h"
#include "config.h"

/** kafka, instance-id, log-level, log-format, log-repeats, ready-file; one of the tables of a struct config_program. */
extern const struct config_key settings_common[];

/** How to reach Kafka. Borrowed from the config; client_id is the instance id, or the program's name without
 * one. */
struct bus_settings settings_bus(const struct config *config);
/** Sets up the log: `service`, and `instance` if it is not "", stand in every line and live as long as the process. 0, or -EINVAL with a line in the log. */
int settings_apply_log(const struct config *config, const char *service, const char *instance) __attribute__((warn_unused_result));

#endif
