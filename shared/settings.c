/* SPDX-License-Identifier: Apache-2.0 */
/* The table of common settings. */
#include "settings.h"

#include <errno.h>

#include "log.h"

const struct config_key settings_common[] = {
    {"kafka", CONFIG_STRING, "127.0.0.1:9092", 0, 0, "Kafka's bootstrap servers, as host:port,host:port"},
    {"instance-id", CONFIG_STRING, "", 0, 0,
     "Name of this process among its like, the same after a restart: group membership and local state go by "
     "it."},
    {"log-level", CONFIG_LEVEL, "info", 0, 0, "how much to log on stderr; SIGUSR1 switches to debug and back"},
    {"log-format", CONFIG_STRING, "logfmt", 0, 0, "logfmt or json: one line an event"},
    {"log-repeats", CONFIG_INT, "100", 0, 1000000,
     "lines that one place of the program may write a second, debug apart; what is left out is counted; 0: any number"},
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

int settings_apply_log(const struct config *config, const char *service, const char *instance)
{
    const char *format = config_string(config, "log-format");
    bool json = strcmp(format, "json") == 0;
    log_init(service, (enum log_level)config_int(config, "log-level"));
    log_set_style(json ? LOG_STYLE_JSON : LOG_STYLE_LOGFMT, instance);
    log_set_repeats((int)config_int(config, "log-repeats"));
    if (json || strcmp(format, "logfmt") == 0)
        return 0;
    log_error("log-format must be logfmt or json", "log-format=%s", format);
    return -EINVAL;
}
