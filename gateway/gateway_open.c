/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the gateway's parts, with what the settings say. */
#include "gateway_own.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "access.h"
#include "clock.h"
#include "gateway_settings.h"
#include "http.h"
#include "idempotency.h"
#include "log.h"
#include "pending.h"
#include "settings.h"

static uint64_t random_epoch(void)
{
    uint64_t epoch;
    if (getrandom(&epoch, sizeof(epoch), 0) != (ssize_t)sizeof(epoch))
        epoch = (uint64_t)clock_mono_ns() ^ (uint64_t)clock_wall_ms() << 32 ^ (uint64_t)getpid() << 48;
    return epoch;
}

void gateway_name_instance(struct gateway *gateway)
{
    const char *given = config_string(gateway->config, "instance-id");
    if (given[0])
        snprintf(gateway->instance, sizeof(gateway->instance), "%s", given);
    else
        snprintf(gateway->instance, sizeof(gateway->instance), "gateway-%08x", (unsigned)random_epoch());
}

void gateway_raise_descriptor_limit(int64_t connections)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < (rlim_t)(connections + connections / 64) + 256)
        log_warn("fewer descriptors than max-connections needs; raise the limit of open files",
                 "limit=%" PRIu64 " max_connections=%" PRId64, (uint64_t)limit.rlim_cur, connections);
}

int gateway_open_access(struct gateway *gateway)
{
    const char *wrong = cors_parse(config_string(gateway->config, "cors-origins"), &gateway->flow.cors);
    if (wrong) {
        log_error("cannot tell whose pages may ask", "error=\"%s\"", wrong);
        return -EINVAL;
    }
    int err = access_open(gateway->config, &gateway->access);
    return err ? err : tls_open(gateway->config, &gateway->tls);
}

int gateway_open_listener(struct gateway *gateway)
{
    const char *host = config_string(gateway->config, "listen");
    int port = (int)config_int(gateway->config, "port");
    bool early = config_bool(gateway->config, "serve-early");
    int err = early ? listener_open(&gateway->listener, host, (uint16_t)port) : listener_reserve(&gateway->listener, host, (uint16_t)port);
    if (err)
        log_error("cannot listen; choose another with --listen and --port", "address=%s port=%d error=\"%s\"",
                  host, port, strerror(-err));
    else if (gateway->tls)
        listener_use_tls(&gateway->listener);
    return err;
}

static int open_degrade(struct gateway *gateway)
{
    const struct config *config = gateway->config;
    struct degrade_options options = gateway_degrade_options(config);
    options.seed = random_epoch();
    options.stats = &gateway->stats;
    int err = degrade_new(&options, &gateway->degrade);
    gateway->health.describe = degrade_describe;
    gateway->health.describe_arg = gateway->degrade;
    return err;
}

/* An answer must not outlive the result it links to. */
static int open_reuse(struct gateway *gateway)
{
    const struct config *config = gateway->config;
    int64_t max_age_ms = config_int(config, "reuse-max-age"), window_ms = config_int(config, "dedupe-window");
    const struct reuse_options options = {.bytes_max = (size_t)config_int(config, "reuse-memory"),
                                          .max_age_s = (max_age_ms < window_ms ? max_age_ms : window_ms) / 1000,
                                          .seed = random_epoch()};
    return reuse_new(&options, &gateway->reuse);
}

int gateway_open_tables(struct gateway *gateway)
{
    const struct config *config = gateway->config;
    size_t waiting = (size_t)config_int(config, "max-pending");
    const struct idempotency_options keys = {
        .bound_max = (size_t)config_int(config, "key-index"),
        .running_max = waiting + GATEWAY_HTTP_THREADS_MAX, /* each thread may have one that finds no room to wait */
        .window_ms = config_int(config, "dedupe-window"),
        .seed = random_epoch(),
    };
    struct admission_options admission = gateway_admission_options(config);
    admission.seed = random_epoch();
    int err = pending_new(waiting, random_epoch(), &gateway->pending);
    if (!err)
        err = idempotency_new(&keys, &gateway->keys);
    if (!err)
        err = watch_new(gateway->pending, waiting, &gateway->watch);
    if (!err)
        err = admission_init(&gateway->admission, &admission, clock_mono_ns());
    if (!err)
        err = open_degrade(gateway);
    if (!err)
        err = open_reuse(gateway);
    return err;
}

static void ring(void *arg)
{
    struct gateway *gateway = arg;
    uint64_t one = 1;
    ssize_t n = write(gateway->bell, &one, sizeof(one));
    (void)n;
}

int gateway_open_bus(struct gateway *gateway)
{
    const struct config *config = gateway->config;
    int64_t deadline_ms = config_int(config, "deadline");
    struct bus_error error = {""};
    const struct link_options options = {
        .bus = &gateway->bus,
        .instance = gateway->instance,
        .reply_topic = config_string(config, "reply-topic"),
        .reply_partition = (int32_t)config_int(config, "reply-partition"),
        /* Kafka's refusal must come before the deadline, so that the caller is told more than "unknown" */
        .message_timeout_ms = deadline_ms > 1000 ? deadline_ms * 9 / 10 : deadline_ms,
        .health = &gateway->health,
        .delivered = replies_delivered,
        .arg = &gateway->replies,
    };
    int err = link_open(&gateway->link, &options, &error);
    if (err) {
        log_error("cannot set up Kafka", "error=\"%s\"", error.text);
        return err;
    }
    const struct events_options events = {.bus = &gateway->bus,
                                          .link = &gateway->link,
                                          .keys = gateway->keys,
                                          .watch = gateway->watch,
                                          .degrade = gateway->degrade,
                                          .health = &gateway->health,
                                          .stats = &gateway->stats};
    err = events_open(&gateway->events, &events, &error);
    if (err) {
        log_error("cannot set up Kafka", "error=\"%s\"", error.text);
        link_close(&gateway->link);
        return err;
    }
    const struct replies_options replies = {
        .link = &gateway->link,
        .events = &gateway->events,
        .keys = gateway->keys,
        .degrade = gateway->degrade,
        .pending = gateway->pending,
        .health = &gateway->health,
        .stats = &gateway->stats,
        .ended = pool_resume,
        .changed = ring,
        .arg = gateway,
    };
    err = replies_start(&gateway->replies, &replies);
    if (err) {
        events_close(&gateway->events);
        link_close(&gateway->link);
    }
    return err;
}

void gateway_make_flow(struct gateway *gateway)
{
    const struct config *config = gateway->config;
    gateway->downloads.max = (uint32_t)config_int(config, "results");
    gateway->pace.interval_ns = config_int(config, "progress-interval") * CLOCK_NS_PER_MS;
    gateway->flow = (struct flow){
        .routes = &routes_public,
        .local_context = &gateway->health,
        .access = gateway->access,
        .cors = gateway->flow.cors,
        .limits = {(size_t)config_int(config, "max-header"), (size_t)config_int(config, "max-body")},
        .deadline_ms = config_int(config, "deadline"),
        .max_deadline_ms = config_int(config, "max-deadline"),
        .async_deadline_ms = config_int(config, "async-deadline"),
        .admission = &gateway->admission,
        .link = &gateway->link,
        .pending = gateway->pending,
        .keys = gateway->keys,
        .replies = &gateway->replies,
        .watch = gateway->watch,
        .pace = &gateway->pace,
        .downloads = &gateway->downloads,
        .reuse = gateway->reuse,
        .degrade = gateway->degrade,
        .caching = {config_int(config, "cache-max-age") / 1000, config_int(config, "cache-stale-if-error") / 1000,
                    gateway->access != NULL},
        .health = &gateway->health,
        .stats = &gateway->stats,
        .measures = config_int(config, "admin-port") < 0 ? NULL : &gateway->measures,
        .suspend = http_suspend,
        .resume = pool_resume,
    };
}

int gateway_open_admin(struct gateway *gateway)
{
    gateway->metrics = (struct metrics_sources){.service = config_program_name(gateway->config),
                                                .instance = gateway->instance,
                                                .tls = gateway->tls != NULL,
                                                .stats = &gateway->stats,
                                                .measures = &gateway->measures,
                                                .pending = gateway->pending,
                                                .pending_max = (size_t)config_int(gateway->config, "max-pending"),
                                                .admission = &gateway->admission,
                                                .degrade = gateway->degrade,
                                                .link = &gateway->link,
                                                .health = &gateway->health};
    gateway->admin_bus = gateway->bus;
    gateway->admin_bus.measured = false; /* its clients come and go */
    const struct admin_options options = {.config = gateway->config,
                                          .bus = &gateway->admin_bus,
                                          .health = &gateway->health,
                                          .instance = gateway->instance,
                                          .metrics = &gateway->metrics,
                                          .flow = &gateway->flow};
    return admin_open(&options, &gateway->admin);
}

static int read_half_close(const struct config *config, bool *ret_ask)
{
    const char *text = config_string(config, "half-close");
    *ret_ask = strcmp(text, "ask") == 0;
    if (*ret_ask || strcmp(text, "left") == 0)
        return 0;
    log_error("half-close must be ask or left", "half-close=\"%s\"", text);
    return -EINVAL;
}

int gateway_open_http(struct gateway *gateway)
{
    const struct config *config = gateway->config;
    bool ask;
    if (read_half_close(config, &ask) != 0)
        return -EINVAL;
    const struct pool_options options = {
        .flow = &gateway->flow,
        .tls = gateway->tls,
        .threads = (unsigned)config_int(config, "http-threads"),
        .max_connections = (unsigned)config_int(config, "max-connections"),
        .idle_timeout_s = (unsigned)(config_int(config, "idle-timeout") / 1000),
        .read_timeout_ms = config_int(config, "read-timeout"),
        .ask = ask,
        .stats = &gateway->stats,
    };
    int err = pool_start(&options, &gateway->pool);
    if (!err && config_bool(config, "serve-early"))
        err = listener_start(&gateway->listener, pool_adopt, gateway->pool);
    if (!err)
        atomic_store(&gateway->metrics.pool, gateway->pool);
    if (err)
        log_error("cannot start to serve", "error=\"%s\"", strerror(-err));
    return err;
}
