/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP edge of Roundtrip as a process: settings in, exit status out. */
#include <stdio.h>
#include <unistd.h>

#include "access.h"
#include "admin.h"
#include "gateway.h"
#include "settings.h"

int main(int argc, char **argv)
{
    static const struct config_key *const tables[] = {settings_common, gateway_keys, access_keys, admin_keys, NULL};
    static const struct config_program program = {
        "roundtrip-gateway", "HTTP in, commands to Kafka, replies back to the client that waits.", tables};
    struct config *config;
    switch (config_load(&program, argc, argv, environ, stdout, stderr, &config)) {
    case CONFIG_EXIT:
        return 0;
    case CONFIG_WRONG:
        return 2;
    case CONFIG_RUN:
        break;
    }
    int status = settings_apply_log(config, program.name, config_string(config, "instance-id")) == 0 ? gateway_run(config) : 2;
    config_free(config);
    return status;
}
