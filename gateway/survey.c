/* SPDX-License-Identifier: Apache-2.0 */
/* Asking for backlogs in turns. */
#include "survey.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bus/lag.h"
#include "clock.h"
#include "log.h"

#define TIMEOUT_MS 1000

struct survey {
    const struct link *link; /* fixed */
    struct admission *admission;
    struct degrade *degrade;
    int interval_ms, stop_fd;
    struct lag_client *clients[ROUTES_SERVICES_MAX]; /* as link->services, as the next */
    int64_t noted_ns[ROUTES_SERVICES_MAX];
    pthread_t thread;
};

static void ask(struct survey *survey, size_t i)
{
    const struct service_topic *service = &survey->link->services[i];
    struct lag_position positions[BACKLOG_PARTITIONS_MAX];
    struct bus_error error = {""};
    int32_t count = atomic_load(&service->partitions);
    if (count <= 0 || count > BACKLOG_PARTITIONS_MAX)
        return;
    int err = lag_ask(survey->clients[i], service->commands, count, TIMEOUT_MS, positions, &error);
    int64_t now_ns = clock_mono_ns();
    if (err) { /* what is not known refuses nobody */
        log_debug("no backlog", "for_service=%s error=\"%s\"", service->service, error.text);
        admission_forget(survey->admission, service->service);
        return;
    }
    bool alive = degrade_heard_ns(survey->degrade, service->service) > survey->noted_ns[i];
    for (int32_t p = 0; p < count; p++)
        admission_note(survey->admission, service->service, p, positions[p].done, positions[p].end, alive, now_ns);
    survey->noted_ns[i] = now_ns;
}

static void *run(void *arg)
{
    struct survey *survey = arg;
    struct pollfd stop = {.fd = survey->stop_fd, .events = POLLIN};
    while (poll(&stop, 1, survey->interval_ms) == 0) {
        if (!health_has(survey->link->options.health, HEALTH_KAFKA | HEALTH_TOPICS))
            continue;
        for (size_t i = 0; i < survey->link->service_count; i++)
            ask(survey, i);
    }
    return NULL;
}

static int open_clients(struct survey *survey, const struct bus_settings *bus, struct bus_error *ret_error)
{
    int err = 0;
    for (size_t i = 0; !err && i < survey->link->service_count; i++) {
        char group[96];
        snprintf(group, sizeof(group), "%s-workers", survey->link->services[i].service);
        err = lag_open(bus, group, &survey->clients[i], ret_error);
    }
    return err;
}

static void close_all(struct survey *survey)
{
    for (size_t i = 0; i < survey->link->service_count; i++)
        lag_close(survey->clients[i]);
    if (survey->stop_fd >= 0)
        close(survey->stop_fd);
    free(survey);
}

int survey_start(const struct bus_settings *bus, const struct link *link, struct admission *admission,
                 struct degrade *degrade, int64_t interval_ms, struct survey **ret_survey)
{
    *ret_survey = NULL;
    if (interval_ms == 0)
        return 0;
    struct survey *survey = calloc(1, sizeof(*survey));
    struct bus_error error = {""};
    if (!survey)
        return -ENOMEM;
    survey->link = link;
    survey->admission = admission;
    survey->degrade = degrade;
    survey->interval_ms = (int)interval_ms;
    survey->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int err = survey->stop_fd < 0 ? -errno : open_clients(survey, bus, &error);
    if (!err)
        err = -pthread_create(&survey->thread, NULL, run, survey);
    if (!err) {
        *ret_survey = survey;
        return 0;
    }
    log_error("cannot ask Kafka for backlogs", "error=\"%s\"", error.text[0] ? error.text : strerror(-err));
    close_all(survey);
    return err;
}

void survey_stop(struct survey *survey)
{
    if (!survey)
        return;
    uint64_t one = 1;
    ssize_t n = write(survey->stop_fd, &one, sizeof(one));
    (void)n;
    pthread_join(survey->thread, NULL);
    close_all(survey);
}
