/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's settings. Another one is a row here; its value goes to whom it concerns in gateway.c, or in a function below. */
#include "gateway_settings.h"

#include "clock.h"
#include "gateway.h"

const struct config_key gateway_keys[] = {
    {"listen", CONFIG_STRING, "127.0.0.1", 0, 0, "address to listen on"},
    {"port", CONFIG_INT, "8080", 0, 65535, "port to listen on; 0: any that is free"},
    {"http-threads", CONFIG_INT, "0", 0, GATEWAY_HTTP_THREADS_MAX,
     "threads that serve connections; 0: one for each core, at most 4"},
    {"deadline", CONFIG_DURATION, "5s", 10, 86400000, "how long a request waits for its answer"},
    {"max-deadline", CONFIG_DURATION, "60s", 10, 86400000, "the longest wait a request can ask for"},
    {"async-deadline", CONFIG_DURATION, "15m", 10, 86400000,
     "how long a command may take whose caller does not wait (Prefer: respond-async)"},
    {"progress-interval", CONFIG_DURATION, "1s", 100, 3600000,
     "how often a stream of an operation's events asks how far it is"},
    {"reuse-max-age", CONFIG_DURATION, "0s", 0, INT64_C(31622400000),
     "who asks for the same computation with Cache-Control: max-age=N may have an answer of so long ago, never one older than dedupe-window; 0: none"},
    {"reuse-memory", CONFIG_BYTES, "8MiB", 4096, INT64_C(1) << 40, "memory for those answers"},
    {"results", CONFIG_INT, "64", 1, 100000, "large results that are sent at one time; half a record of memory each"},
    {"max-body", CONFIG_BYTES, "256KiB", 1, 64 * 1024 * 1024, "largest request body"},
    {"max-header", CONFIG_BYTES, "8KiB", 1024, 1024 * 1024, "largest request line and headers together"},
    {"max-pending", CONFIG_INT, "10000", 1, 1000000, "requests that wait for a worker at one time"},
    {"max-connections", CONFIG_INT, "10000", 1, 1000000, "connections at one time"},
    {"latency-target", CONFIG_DURATION, "100ms", 1, 86400000,
     "what a short request may take at a service before fewer are admitted"},
    {"limit-floor", CONFIG_INT, "256", 1, 1000000, "short requests of a service that are admitted at one time however slow it is"},
    {"heavy-queue", CONFIG_INT, "50", 1, 100,
     "percent of its caller's wait that a computation may be queued before fewer are admitted"},
    {"lag-interval", CONFIG_DURATION, "1s", 0, 3600000,
     "how often Kafka is asked how far the workers are behind; 0: never"},
    {"repeat-budget", CONFIG_INT, "10", 0, 100, "percent of commands that are sent again when Kafka did not take them"},
    {"client-rate", CONFIG_INT, "0", 0, 1000000, "requests a second that one client may make; 0: as many as it likes"},
    {"client-burst", CONFIG_INT, "0", 0, 1000000, "requests it may make at once; 0: those of a second"},
    {"clients", CONFIG_INT, "65536", 1, 100000000, "clients whose requests are counted; 24 bytes each"},
    {"forwarded-hops", CONFIG_INT, "0", 0, 16,
     "proxies in front of this gateway, whose X-Forwarded-For says who the client is; 0: who connects"},
    {"key-index", CONFIG_INT, "100000", 1, 100000000,
     "Idempotency-Keys to remember, so that none is used for two ids; some 65 bytes each"},
    {"dedupe-window", CONFIG_DURATION, "24h", 1000, INT64_C(31622400000),
     "how long they are remembered: as the workers' setting"},
    {"idle-timeout", CONFIG_DURATION, "60s", 1000, 86400000,
     "a connection that neither sends nor waits is closed"},
    {"drain-delay", CONFIG_DURATION, "0", 0, 600000,
     "told to stop, it says for so long that it is not ready, and still serves: what a balancer needs to notice"},
    {"serve-early", CONFIG_BOOL, "true", 0, 0,
     "listen at once and answer 503 until ready; false: connecting is refused until it has been ready: for balancers that take what they find for ready"},
    {"read-timeout", CONFIG_DURATION, "20s", 1000, 86400000,
     "a request must be complete so long after its first byte, a body so long after its head or faster than 4 KiB/s; else 408"},
    {"half-close", CONFIG_STRING, "ask", 0, 0,
     "a client that closes its sending side while it waits: ask: it is asked whether it is there; left: it has left"},
    {"reply-topic", CONFIG_STRING, "replies", 0, 0, "topic that workers answer on"},
    {"reply-partition", CONFIG_INT, "-1", -1, 1000000,
     "partition of it that is this gateway's; -1: by its instance id"},
    {"breaker-window", CONFIG_DURATION, "10s", 0, 3600000, "a service's answers of this time decide its breaker; 0: no breakers"},
    {"breaker-min", CONFIG_INT, "20", 1, 1000000, "answers in it before a breaker may open"},
    {"breaker-failures", CONFIG_INT, "50", 1, 100, "percent of them that failed: opens"},
    {"breaker-slow", CONFIG_DURATION, "2s", 1, 3600000, "an answer that takes this long is slow"},
    {"breaker-slow-share", CONFIG_INT, "80", 1, 100, "percent of them that were slow: opens"},
    {"breaker-pause", CONFIG_DURATION, "2s", 10, 3600000, "an open breaker tries a request after this, then after twice as long"},
    {"breaker-pause-max", CONFIG_DURATION, "30s", 10, 3600000, "but not after longer than this"},
    {"serve-stale", CONFIG_BOOL, "on", 0, 0, "answer reads from the copy, marked as stale, while a breaker is open"},
    {"stale-copy", CONFIG_BYTES, "32MiB", 0, INT64_C(1) << 40, "memory for that copy; 0: none"},
    {"cache-max-age", CONFIG_DURATION, "0s", 0, INT64_C(31622400000), "caches may give an item for so long without asking"},
    {"cache-stale-if-error", CONFIG_DURATION, "0s", 0, INT64_C(31622400000),
     "and for so long after that when the gateway cannot answer"},
    {NULL, CONFIG_STRING, NULL, 0, 0, NULL},
};

struct degrade_options gateway_degrade_options(const struct config *config)
{
    return (struct degrade_options){
        .circuit = {.window_ns = config_int(config, "breaker-window") * CLOCK_NS_PER_MS,
                    .min_calls = (int)config_int(config, "breaker-min"),
                    .failure_percent = (int)config_int(config, "breaker-failures"),
                    .slow_ns = config_int(config, "breaker-slow") * CLOCK_NS_PER_MS,
                    .slow_percent = (int)config_int(config, "breaker-slow-share"),
                    .pause_ns = config_int(config, "breaker-pause") * CLOCK_NS_PER_MS,
                    .pause_max_ns = config_int(config, "breaker-pause-max") * CLOCK_NS_PER_MS},
        .copy_bytes = (size_t)config_int(config, "stale-copy"),
        .serve_stale = config_bool(config, "serve-stale"),
        .fresh_s = config_int(config, "cache-max-age") / 1000,
    };
}

struct admission_options gateway_admission_options(const struct config *config)
{
    return (struct admission_options){
        .places = (int)config_int(config, "max-pending"),
        .floor = (int)config_int(config, "limit-floor"),
        .latency_target_ms = config_int(config, "latency-target"),
        .queue_percent = (int)config_int(config, "heavy-queue"),
        .repeat_percent = (int)config_int(config, "repeat-budget"),
        .client_rate = config_int(config, "client-rate"),
        .client_burst = config_int(config, "client-burst"),
        .clients_max = config_int(config, "clients"),
        .forwarded_hops = (int)config_int(config, "forwarded-hops"),
    };
}
