/* SPDX-License-Identifier: Apache-2.0 */
/* Assembly, start and orderly end. Threads: main (here), one bus thread, one that accepts, the HTTP threads.
 */
#include "gateway.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "access.h"
#include "admin.h"
#include "admission.h"
#include "clock.h"
#include "degrade.h"
#include "events.h"
#include "flow.h"
#include "gateway_settings.h"
#include "http.h"
#include "idempotency.h"
#include "lifecycle.h"
#include "link.h"
#include "listener.h"
#include "log.h"
#include "measures.h"
#include "metrics_page.h"
#include "loop.h"
#include "pending.h"
#include "pool.h"
#include "replies.h"
#include "settings.h"
#include "survey.h"
#include "tls.h"

/** From the end of drain-delay to the 503s, then to having written them, in ms: together well below 5 s. */
#define DRAIN_MS 4000
#define FLUSH_MS 500
/** So long a connection that has no request may still bring one. */
#define GRACE_MS 1000
/** How often it is looked whether memory can be given back. */
#define TIDY_NS (INT64_C(5000) * CLOCK_NS_PER_MS)

enum tag { TAG_SIGNAL, TAG_BELL };

/* In the order in which they are started; stopped in the other. */
struct gateway {
    const struct config *config;
    struct lifecycle life;
    int bell;         /* eventfd: the bus thread has news */
    struct loop loop; /* of the main thread */
    char instance[64];
    struct bus_settings bus, admin_bus;
    struct access *access;
    struct tls *tls;
    struct stats stats;
    struct measures measures;
    struct metrics_sources metrics;
    struct health health;
    struct pending *pending;
    struct idempotency *keys;
    struct admission admission;
    struct watch *watch;
    struct stream_pace pace;
    struct downloads downloads;
    struct reuse *reuse;
    struct degrade *degrade;
    struct link link;
    struct events events;
    struct replies replies;
    struct survey *survey;
    struct flow flow;
    struct pool *pool;
    struct listener listener;
    struct admin *admin;
};

static void ring(void *arg)
{
    struct gateway *gateway = arg;
    uint64_t one = 1;
    ssize_t n = write(gateway->bell, &one, sizeof(one));
    (void)n;
}

static uint64_t random_epoch(void)
{
    uint64_t epoch;
    if (getrandom(&epoch, sizeof(epoch), 0) != (ssize_t)sizeof(epoch))
        epoch = (uint64_t)clock_mono_ns() ^ (uint64_t)clock_wall_ms() << 32 ^ (uint64_t)getpid() << 48;
    return epoch;
}

/* Each connection needs a descriptor, and each shard two: as many as the system lets us have. */
static void raise_descriptor_limit(int64_t connections)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < (rlim_t)(connections + connections / 64) + 256)
        log_warn("fewer descriptors than max-connections needs; raise the limit of open files",
                 "limit=%" PRIu64 " max_connections=%" PRId64, (uint64_t)limit.rlim_cur, connections);
}

static int open_bus(struct gateway *gateway)
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

static int read_half_close(const struct config *config, bool *ret_ask)
{
    const char *text = config_string(config, "half-close");
    *ret_ask = strcmp(text, "ask") == 0;
    if (*ret_ask || strcmp(text, "left") == 0)
        return 0;
    log_error("half-close must be ask or left", "half-close=\"%s\"", text);
    return -EINVAL;
}

static void make_flow(struct gateway *gateway)
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

static int open_http(struct gateway *gateway)
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

/* The port first: that it is taken is the commonest mistake, and cheap to find out. */
static int open_listener(struct gateway *gateway)
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

/* Who may call, and how. Before anything is opened: a wrong file is a mistake that should cost no time. */
static int open_access(struct gateway *gateway)
{
    const char *wrong = cors_parse(config_string(gateway->config, "cors-origins"), &gateway->flow.cors);
    if (wrong) {
        log_error("cannot tell whose pages may ask", "error=\"%s\"", wrong);
        return -EINVAL;
    }
    int err = access_open(gateway->config, &gateway->access);
    return err ? err : tls_open(gateway->config, &gateway->tls);
}

/* Waits for news or a signal; false when it is time to stop. */
static bool wait_for_news(struct gateway *gateway, int64_t until_ns)
{
    uint32_t tags = loop_wait(&gateway->loop, until_ns);
    if (tags & 1U << TAG_SIGNAL)
        lifecycle_check(&gateway->life);
    if (tags & 1U << TAG_BELL) {
        uint64_t count;
        ssize_t n = read(gateway->bell, &count, sizeof(count));
        (void)n;
    }
    return !lifecycle_stopping(&gateway->life) && !replies_fatal(&gateway->replies);
}

/* 0, or -errno when it cannot begin to listen. */
static int serve(struct gateway *gateway)
{
    char text[320];
    bool said = false;
    const char *admin = admin_url(gateway->admin);
    snprintf(text, sizeof(text), admin ? "%s\nadmin %s\n" : "%s\n", gateway->listener.url, admin);
    log_info("listening", "url=%s instance=%s", gateway->listener.url, gateway->instance);
    const char *advice = access_advice(gateway->access, gateway->tls);
    if (advice && !listener_is_loopback(config_string(gateway->config, "listen")))
        log_warn(advice, "url=%s", gateway->listener.url);
    for (int64_t tidy_ns = 0; wait_for_news(gateway, clock_mono_ns() + TIDY_NS);) {
        if (clock_mono_ns() >= tidy_ns) {
            tidy_ns = clock_mono_ns() + TIDY_NS;
            pool_give_back(gateway->pool);
        }
        if (said || !health_has(&gateway->health, HEALTH_ALL))
            continue;
        said = true;
        int err = gateway->listener.started ? 0 : listener_start(&gateway->listener, pool_adopt, gateway->pool);
        if (err) {
            log_error("cannot begin to listen", "error=\"%s\"", strerror(-err));
            return err;
        }
        log_info("ready", "url=%s reply_partition=%d", gateway->listener.url,
                 (int)atomic_load(&gateway->health.reply_partition));
        if (lifecycle_ready(&gateway->life, text) != 0)
            log_error("cannot write the ready file", "file=%s", config_string(gateway->config, "ready-file"));
    }
    return 0;
}

/* What waits is answered, and so is at once what comes from here on. */
static void refuse_all(struct gateway *gateway, enum outcome why)
{
    health_set(&gateway->health, HEALTH_OPEN, false);
    pending_close(gateway->pending, why);
    replies_wake(&gateway->replies);
}

/* Behind a balancer: until that has seen that we are not ready any more, and has gone elsewhere, all is as before. */
static void wait_for_balancer(struct gateway *gateway)
{
    int64_t delay_ms = config_int(gateway->config, "drain-delay");
    int64_t until_ns = clock_mono_ns() + delay_ms * CLOCK_NS_PER_MS;
    if (delay_ms)
        log_info("about to stop: not ready any more, and serving until then", "drain_delay_ms=%" PRId64, delay_ms);
    while (clock_mono_ns() < until_ns && !lifecycle_hurried(&gateway->life) && !replies_fatal(&gateway->replies))
        wait_for_news(gateway, until_ns);
}

/*
 * From here on each answer closes its connection. No new connections; who has one has GRACE_MS to send a request on it, and
 * what is sent is served like any other, until DRAIN_MS are over; what is not over then is answered 503.
 */
static void drain(struct gateway *gateway)
{
    health_set(&gateway->health, HEALTH_STAYS, false);
    wait_for_balancer(gateway);
    int64_t started_ns = clock_mono_ns();
    log_info("stopping", "waiting=%zu", pending_count(gateway->pending));
    listener_stop(&gateway->listener);
    watch_close(gateway->watch);
    if (replies_fatal(&gateway->replies))
        refuse_all(gateway, OUTCOME_UNCERTAIN);
    (void)pool_wait_closed(gateway->pool, started_ns + GRACE_MS * CLOCK_NS_PER_MS);
    size_t left = pool_wait_idle(gateway->pool, started_ns + DRAIN_MS * CLOCK_NS_PER_MS);
    if (left)
        log_warn("answering 503 to what is not over", "requests=%zu waiting=%zu", left, pending_count(gateway->pending));
    refuse_all(gateway, OUTCOME_DRAINED);
    pool_cut(gateway->pool);
    left = pool_wait_idle(gateway->pool, clock_mono_ns() + FLUSH_MS * CLOCK_NS_PER_MS);
    if (left)
        log_warn("cutting off clients that do not read or send", "count=%zu", left);
}

static int open_admin(struct gateway *gateway)
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

static void name_instance(struct gateway *gateway)
{
    const char *given = config_string(gateway->config, "instance-id");
    if (given[0])
        snprintf(gateway->instance, sizeof(gateway->instance), "%s", given);
    else
        snprintf(gateway->instance, sizeof(gateway->instance), "gateway-%08x", (unsigned)random_epoch());
}

/* Signals and the bell. */
static int open_loop(struct gateway *gateway)
{
    gateway->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int err = gateway->bell < 0 ? -errno : loop_open(&gateway->loop);
    if (!err)
        err = loop_add(&gateway->loop, lifecycle_fd(&gateway->life), TAG_SIGNAL);
    if (!err)
        err = loop_add(&gateway->loop, gateway->bell, TAG_BELL);
    return err;
}

static void close_loop(struct gateway *gateway)
{
    loop_close(&gateway->loop);
    if (gateway->bell >= 0)
        close(gateway->bell);
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

/* Who waits, which keys are known, and which services answer. */
static int open_tables(struct gateway *gateway)
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

int gateway_run(const struct config *config)
{
    struct gateway gateway = {.config = config, .bus = settings_bus(config), .bell = -1, .loop = {-1}};
    gateway.bus.measured = config_int(config, "admin-port") >= 0;
    name_instance(&gateway);
    health_init(&gateway.health, gateway.instance);
    raise_descriptor_limit(config_int(config, "max-connections"));
    if (trace_open("roundtrip-gateway", gateway.instance) != 0)
        return 1;
    int err = lifecycle_open(&gateway.life, config_string(config, "ready-file"));
    if (err)
        goto out_trace;
    err = open_loop(&gateway);
    if (!err)
        err = open_access(&gateway);
    if (!err)
        err = open_listener(&gateway);
    if (err)
        goto out_loop;
    err = open_tables(&gateway);
    if (err)
        goto out_pending;
    err = open_bus(&gateway);
    if (err)
        goto out_pending;
    make_flow(&gateway);
    err = open_admin(&gateway);
    if (!err)
        err = survey_start(&gateway.bus, &gateway.link, &gateway.admission, gateway.degrade, config_int(config, "lag-interval"),
                           &gateway.survey);
    if (!err)
        err = open_http(&gateway);
    if (!err) {
        err = serve(&gateway);
        drain(&gateway);
    } else {
        refuse_all(&gateway, OUTCOME_DRAINED); /* what operators wait for */
    }
    admin_close(gateway.admin); /* which reads of the others */
    pool_stop(gateway.pool);
    survey_stop(gateway.survey);
    replies_stop(&gateway.replies);
    producer_flush(gateway.link.producer, 200);
    events_close(&gateway.events);
    link_close(&gateway.link);
    stats_log(&gateway.stats);
out_pending:
    admission_done(&gateway.admission);
    degrade_free(gateway.degrade);
    reuse_free(gateway.reuse);
    watch_free(gateway.watch);
    idempotency_free(gateway.keys);
    pending_free(gateway.pending);
    listener_close(&gateway.listener);
out_loop:
    access_free(gateway.access);
    tls_free(gateway.tls);
    close_loop(&gateway);
    lifecycle_close(&gateway.life);
out_trace:
    trace_close();
    return err || replies_fatal(&gateway.replies) ? 1 : 0;
}
