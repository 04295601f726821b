/* SPDX-License-Identifier: Apache-2.0 */
/* Start, service and orderly end. Threads: main (here), one bus thread, one that accepts, the HTTP threads. */
#include "gateway_own.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "access.h"
#include "clock.h"
#include "idempotency.h"
#include "log.h"
#include "pending.h"
#include "settings.h"
#include "trace/trace.h"

/** From the end of drain-delay to the 503s, then to having written them, in ms: together well below 5 s. */
#define DRAIN_MS 4000
#define FLUSH_MS 500
/** So long a connection that has no request may still bring one. */
#define GRACE_MS 1000
/** How often it is looked whether memory can be given back. */
#define TIDY_NS (INT64_C(5000) * CLOCK_NS_PER_MS)

enum tag { TAG_SIGNAL, TAG_BELL };

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

int gateway_run(const struct config *config)
{
    struct gateway gateway = {.config = config, .bus = settings_bus(config), .bell = -1, .loop = {-1}};
    gateway.bus.measured = config_int(config, "admin-port") >= 0;
    gateway_name_instance(&gateway);
    health_init(&gateway.health, gateway.instance);
    gateway_raise_descriptor_limit(config_int(config, "max-connections"));
    if (trace_open("roundtrip-gateway", gateway.instance) != 0)
        return 1;
    int err = lifecycle_open(&gateway.life, config_string(config, "ready-file"));
    if (err)
        goto out_trace;
    err = open_loop(&gateway);
    if (!err)
        err = gateway_open_access(&gateway);
    if (!err)
        err = gateway_open_listener(&gateway);
    if (err)
        goto out_loop;
    err = gateway_open_tables(&gateway);
    if (err)
        goto out_pending;
    err = gateway_open_bus(&gateway);
    if (err)
        goto out_pending;
    gateway_make_flow(&gateway);
    err = gateway_open_admin(&gateway);
    if (!err)
        err = survey_start(&gateway.bus, &gateway.link, &gateway.admission, gateway.degrade, config_int(config, "lag-interval"),
                           &gateway.survey);
    if (!err)
        err = gateway_open_http(&gateway);
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
