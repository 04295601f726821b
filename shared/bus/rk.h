/* SPDX-License-Identifier: Apache-2.0 */
/* Internal to bus/: the only file that includes librdkafka's header, and what the files here share. */
#ifndef ROUNDTRIP_BUS_RK_H
#define ROUNDTRIP_BUS_RK_H

#include <librdkafka/rdkafka.h>

#include "bus/bus.h"
#include "bus/consumer.h"

struct rk_setting {
    const char *name, *value;
};

/**
 * A configuration with what every client has, then `settings` (ended by a NULL name), then the user's properties.
 * NULL and `ret_error` when librdkafka refuses one. The caller owns it until rd_kafka_new() succeeds.
 */
rd_kafka_conf_t *rk_conf(const struct bus_settings *bus, const char *role, const struct rk_setting *settings,
                         struct bus_error *ret_error);
/** rd_kafka_new() that says why not. Takes `conf` over, also on failure. */
rd_kafka_t *rk_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct bus_error *ret_error);

/** An eventfd that `queue` signals when it becomes non-empty; -errno. */
int rk_queue_fd(rd_kafka_queue_t *queue);
/** Takes the signal back. */
void rk_fd_clear(int fd);

/** Wraps a consumed message; takes `native` over. NULL (and native destroyed) when memory is out. */
struct message *rk_message_wrap(rd_kafka_message_t *native);

int rk_errno(rd_kafka_resp_err_t err);
void rk_error_set(struct bus_error *ret_error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
