/* SPDX-License-Identifier: Apache-2.0 */
/* The table of common settings. */
#include "settings.h"

#include "log.h"

const struct config_key settings_common[] = {
    {"kafka", CONFIG_STRING, "127.0.0.1:9092", 0, 0, "Kafka's bootstrap servers, as host:port,host:port"},
    {"instance-id", CONFIG_STRING, "", 0, 0,
     "Name of this process among its like, the same after a restart: group membership and local state go by "
     "it."},
    {"log-level", CONFIG_LEVEL, "info", 0, 0, "how much to log on stderr"},
    {"ready-file", CONFIG_STRING, "", 0, 0, "file to write once ready, removed at exit; empty: none"},
    {NULL, CONFIG_STRING, NULL, 0, 0, NULL},
};

struct bus_settings settings_bus(const struct config *config)
{
    const char *instance = config_string(config, "instance-id");
    struct bus_settings bus = {.bootstrap = config_string(config, "kafka"),
                               .client_id = *instance ? instance : config_program_name(config)};
    bus.properties = config_kafka(config, &bus.property_count);
    return bus;
}

void settings_apply_log(const struct config *config, const char *service)
{
    log_init(service, (enum log_level)config_int(config, "log-level"));
}
