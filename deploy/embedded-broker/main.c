/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Kafka broker in memory, for a first run and for tests: librdkafka's mock cluster as a process of its own.
 *
 * Only this program and shared/bus include librdkafka: a mock cluster is no client, so it has no place in
 * bus.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config.h"
#include "lifecycle.h"
#include "log.h"
#include "settings.h"
#include "topics/topic_table.h"

static const struct config_key broker_settings[] = {
    {"log-level", CONFIG_LEVEL, "info", 0, 0, "How much to log on stderr."},
    {"log-format", CONFIG_STRING, "logfmt", 0, 0, "logfmt or json."},
    {"log-repeats", CONFIG_INT, "100", 0, 1000000, "Lines that one place may write a second; 0: any number."},
    {"ready-file", CONFIG_STRING, "", 0, 0,
     "File to write the address into once ready; removed at exit. Empty: none."},
    {"parent-pid", CONFIG_INT, "0", 0, INT32_MAX,
     "End when that process is gone, so that no orphan stays; 0: do not."},
    {NULL, CONFIG_STRING, NULL, 0, 0, NULL},
};

struct broker {
    rd_kafka_t *rk;
    rd_kafka_mock_cluster_t *cluster;
    const char *address; /* "127.0.0.1:PORT"; the cluster's */
};

static void write_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    log_at(level <= 3 ? LOG_LEVEL_ERROR : LOG_LEVEL_DEBUG, "librdkafka", "facility=%s text=\"%s\"", facility,
           text);
}

/*
 * The mock leaves Nagle's algorithm on: the second of two answers waits for the acknowledgement of the first
 * (measured: 41 ms instead of 0.4). Linux hands TCP_NODELAY down from a listening socket to what it accepts,
 * so it is set there.
 */
static void disable_nagle(void)
{
    struct rlimit limit;
    int last = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 1024 ? (int)limit.rlim_cur : 1024;
    for (int fd = STDERR_FILENO + 1; fd < last; fd++) {
        int listens = 0, on = 1;
        socklen_t len = sizeof(listens);
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens)
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
}

static int open_broker(struct broker *broker)
{
    char text[256] = "out of memory";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, write_log);
    broker->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (!broker->rk) {
        rd_kafka_conf_destroy(conf);
        log_error("cannot start", "reason=\"%s\"", text);
        return -1;
    }
    broker->cluster = rd_kafka_mock_cluster_new(broker->rk, 1);
    if (!broker->cluster) {
        log_error("cannot start", "reason=\"the mock cluster found no port on 127.0.0.1\"");
        return -1;
    }
    disable_nagle();
#if RD_KAFKA_VERSION >= 0x020600ff /* older ones always wait 3 s for a group's first members */
    rd_kafka_mock_group_initial_rebalance_delay_ms(broker->cluster, 50);
#endif
    broker->address = rd_kafka_mock_cluster_bootstraps(broker->cluster);
    return 0;
}

static void close_broker(struct broker *broker)
{
    if (broker->cluster)
        rd_kafka_mock_cluster_destroy(broker->cluster);
    if (broker->rk)
        rd_kafka_destroy(broker->rk);
}

static int make_topics(struct broker *broker, const struct config *config)
{
    static struct topic_plan plan;
    struct bus_error error;
    struct topic_options options = topic_options_of(config);
    if (!topic_plan_make(&options, &plan, &error)) {
        fprintf(stderr, "roundtrip-embedded-broker: %s\n", error.text);
        return -1;
    }
    for (size_t i = 0; i < plan.count; i++) {
        rd_kafka_resp_err_t err =
            rd_kafka_mock_topic_create(broker->cluster, plan.topics[i].name, plan.topics[i].partitions, 1);
        if (err) {
            log_error("cannot make topic", "topic=%s reason=\"%s\"", plan.topics[i].name,
                      rd_kafka_err2str(err));
            return -1;
        }
    }
    return 0;
}

/* Readable when that process ends; -1 and ESRCH when it has ended already. */
static int open_process(int64_t pid)
{
    return (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
}

/* Until SIGTERM, SIGINT or the end of the process we were told to live with. */
static int wait_for_end(const struct lifecycle *life, int64_t parent_pid)
{
    struct pollfd fds[] = {{.fd = lifecycle_fd(life), .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    if (parent_pid > 0 && (fds[1].fd = open_process(parent_pid)) < 0) {
        if (errno == ESRCH)
            return 0;
        log_error("cannot watch the parent", "pid=%lld reason=\"%s\"", (long long)parent_pid,
                  strerror(errno));
        return -1;
    }
    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        ;
    log_info("stopping", "reason=%s", fds[0].revents ? "signal" : "parent-gone");
    if (fds[1].fd >= 0)
        close(fds[1].fd);
    return 0;
}

/* On standard output and in the ready file. */
static int say_address(struct lifecycle *life, const char *address)
{
    char line[128];
    snprintf(line, sizeof(line), "%s\n", address);
    fputs(line, stdout);
    fflush(stdout);
    int err = lifecycle_ready(life, line);
    if (err)
        log_error("cannot write the ready file", "path=\"%s\" reason=\"%s\"", life->ready_file,
                  strerror(-err));
    return err;
}

static int run(const struct config *config)
{
    struct broker broker = {.rk = NULL};
    struct lifecycle life;
    int result = EXIT_FAILURE;
    int err = lifecycle_open(&life, config_string(config, "ready-file"));
    if (err) {
        log_error("cannot start", "reason=\"%s\"", strerror(-err));
        return result;
    }
    if (open_broker(&broker) != 0 || make_topics(&broker, config) != 0 ||
        say_address(&life, broker.address) != 0)
        goto out;
    log_info("ready", "address=%s durable=no", broker.address);
    if (wait_for_end(&life, config_int(config, "parent-pid")) == 0)
        result = EXIT_SUCCESS;
out:
    lifecycle_close(&life);
    close_broker(&broker);
    return result;
}

int main(int argc, char **argv)
{
    static const struct config_key *const tables[] = {topic_settings, broker_settings, NULL};
    static const struct config_program program = {
        "roundtrip-embedded-broker",
        "Runs a Kafka broker in memory, on a free port of 127.0.0.1, with the topics made. Keeps nothing "
        "once it ends.",
        tables};
    extern char **environ;
    struct config *config = NULL;
    switch (config_load(&program, argc, argv, environ, stdout, stderr, &config)) {
    case CONFIG_EXIT:
        return EXIT_SUCCESS;
    case CONFIG_WRONG:
        return 2;
    case CONFIG_RUN:
        break;
    }
    int result = settings_apply_log(config, "embedded-broker", "") == 0 ? run(config) : 2;
    config_free(config);
    return result;
}
