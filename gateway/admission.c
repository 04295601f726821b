/* SPDX-License-Identifier: Apache-2.0 */
/* The checks between a good request and its command. */
#include "admission.h"

#include <errno.h>
#include <inttypes.h>

#include "clock.h"
#include "log.h"
#include "metrics.h"

/** Of a limit, in thousandths. */
#define SHARE_READ  1000
#define SHARE_WRITE 900
/** So many heavy ones are let through whatever is estimated: else nobody would learn that it was wrong. */
#define HEAVY_FLOOR 2
/** Seconds: what is said when nobody knows, and at most. */
#define RETRY_UNKNOWN 5
#define RETRY_MAX     60
/** Who gives the work longer than this (who takes 202 for an answer) can wait until somebody works again. */
#define PATIENT_MS 60000
#define TRY_NS        (INT64_C(1000) * CLOCK_NS_PER_MS)

static void init_service(struct admission_service *service, const char *name, const struct admission_options *options)
{
    int heavy = options->places / 2 > 1 ? options->places / 2 : 1;
    const struct limit_options quick = {.floor = options->floor < options->places ? options->floor : options->places,
                                        .ceiling = options->places,
                                        .target = options->latency_target_ms * CLOCK_NS_PER_MS};
    const struct limit_options slow = {.floor = heavy, .ceiling = heavy, .target = INT64_MAX};
    service->name = name;
    limit_init(&service->quick, &quick);
    limit_init(&service->heavy, &slow);
    capacity_init(&service->capacity);
}

int admission_init(struct admission *admission, const struct admission_options *options, int64_t now_ns)
{
    const char *names[ROUTES_SERVICES_MAX];
    *admission = (struct admission){.options = *options};
    admission->service_count = routes_services(names);
    for (size_t i = 0; i < admission->service_count; i++)
        init_service(&admission->services[i], names[i], options);
    budget_init(&admission->budget, options->repeat_percent, now_ns);
    if (options->client_rate == 0)
        return 0;
    const struct throttle_options clients = {
        .rate = options->client_rate,
        .burst = options->client_burst ? options->client_burst : options->client_rate,
        .clients_max = (size_t)options->clients_max,
        .seed = options->seed,
    };
    return throttle_new(&clients, &admission->throttle);
}

void admission_done(struct admission *admission)
{
    if (admission->service_count == 0)
        return; /* it was never made */
    for (size_t i = 0; i < admission->service_count; i++) {
        limit_done(&admission->services[i].quick);
        limit_done(&admission->services[i].heavy);
        capacity_done(&admission->services[i].capacity);
    }
    budget_done(&admission->budget);
    throttle_free(admission->throttle);
    admission->service_count = 0;
}

static struct admission_service *service_of(struct admission *admission, const char *name)
{
    for (size_t i = 0; i < admission->service_count; i++) {
        if (strcmp(admission->services[i].name, name) == 0)
            return &admission->services[i];
    }
    return NULL;
}

/* The element of all X-Forwarded-For fields together that has `index` before it; absent: there are `*ret_count` in all. */
static struct slice forwarded(const struct request *req, int index, int *ret_count)
{
    struct slice field, element;
    *ret_count = 0;
    for (size_t at = 0; (field = request_header_next(req, "X-Forwarded-For", &at)).p;) {
        while (syntax_list_next(&field, &element)) {
            if ((*ret_count)++ == index)
                return element;
        }
    }
    return SLICE_NONE;
}

static struct slice from(struct slice s, size_t at)
{
    return slice_make(s.p + at, s.len - at);
}

/*
 * The part of an address, as proxies write them, that is one client's: no brackets, no port, and of IPv6 the first 64 bits. Those
 * are the first four groups, or all before a "::" among them, since there is one way to write an address (RFC 5952).
 */
static struct slice network_of(struct slice address)
{
    const char *dot = address.len ? memchr(address.p, '.', address.len) : NULL, *colon;
    if (address.len && address.p[0] == '[')
        address = from(address, 1);
    if (dot) { /* IPv4, perhaps in IPv6 */
        while (address.p < dot && (colon = memchr(address.p, ':', (size_t)(dot - address.p))))
            address = from(address, (size_t)(colon + 1 - address.p));
        size_t len = 0;
        while (len < address.len && address.p[len] != ':' && address.p[len] != ']')
            len++;
        return slice_make(address.p, len);
    }
    for (size_t i = 0, colons = 0; i < address.len; i++) {
        bool ends = address.p[i] == ':' && (++colons == 4 || (i > 0 && address.p[i - 1] == ':'));
        if (ends || address.p[i] == ']')
            return slice_make(address.p, i + ends);
    }
    return address;
}

struct slice admission_client(const struct admission *admission, const struct request *req, struct slice principal, struct slice peer)
{
    int hops = admission->options.forwarded_hops, count;
    if (principal.len)
        return principal;
    if (hops > 0) {
        (void)forwarded(req, -1, &count);
        if (count >= hops) /* each proxy adds whom it saw at the end */
            return network_of(forwarded(req, count - hops, &count));
    }
    return peer.len == 16 ? slice_make(peer.p, 8) : peer;
}

static int retry_after(int64_t wait_ms)
{
    if (wait_ms == BACKLOG_FOREVER)
        return RETRY_UNKNOWN;
    int64_t seconds = (wait_ms + 999) / 1000;
    return seconds < 1 ? 1 : seconds > RETRY_MAX ? RETRY_MAX : (int)seconds;
}

static int64_t wait_of(const struct backlog *backlog, int32_t partition)
{
    if (partition >= 0)
        return backlog_wait_ms(backlog, partition);
    int64_t longest = 0;
    for (int32_t p = 0; p < BACKLOG_PARTITIONS_MAX; p++) {
        int64_t wait_ms = backlog_wait_ms(backlog, p);
        if (wait_ms > longest)
            longest = wait_ms;
    }
    return longest;
}

/* Where nobody seems to work one may try now and then, so that somebody notices when it is not so. */
static bool may_try(struct admission_service *service, int64_t now_ns)
{
    int64_t last_ns = atomic_load(&service->tried_ns);
    return now_ns - last_ns >= TRY_NS && atomic_compare_exchange_strong(&service->tried_ns, &last_ns, now_ns);
}

/* Would it only be taken up when nobody wants it any more? */
static bool in_time(struct admission_service *service, const struct admission_request *request, int64_t now_ns,
                    struct answer *ret_answer)
{
    int64_t wait_ms = wait_of(&service->backlog, request->partition);
    if (wait_ms <= request->work_ms || (wait_ms == BACKLOG_FOREVER && (request->work_ms > PATIENT_MS || may_try(service, now_ns))))
        return true;
    if (wait_ms == BACKLOG_FOREVER)
        answer_unavailable(ret_answer, retry_after(wait_ms),
                           "The %s service does not get on with what waits for it. The request was not sent: repeat it "
                           "later.", service->name);
    else
        answer_unavailable(ret_answer, retry_after(wait_ms),
                           "The %s service has work for some %" PRId64 " s more before this, which would be too late for a wait "
                           "of %" PRId64 " ms. The request was not sent: repeat it after Retry-After seconds, or wait longer.",
                           service->name, (wait_ms + 999) / 1000, request->work_ms);
    return false;
}

static struct limit *limit_of(struct admission_service *service, const struct route *route)
{
    return route->heavy ? &service->heavy : &service->quick;
}

static int share_of(const struct route *route)
{
    return route->write && !route->heavy ? SHARE_WRITE : SHARE_READ;
}

static void refuse_busy(struct admission_service *service, const struct route *route, struct answer *ret_answer)
{
    metrics_add(&service->refused_limit, 1);
    answer_unavailable(ret_answer, 1,
                       "As many %s of the %s service are under way as it answers in time. The request was not sent: repeat it "
                       "after Retry-After seconds.", route->heavy ? "computations" : "requests", service->name);
}

/* Would its turn come when too little of its caller's time is left? */
static bool too_late(const struct admission *admission, const struct admission_service *service, int64_t work_ms)
{
    int in_flight = limit_in_flight(&service->heavy);
    return in_flight >= HEAVY_FLOOR &&
           capacity_wait_ns(&service->capacity, in_flight) / CLOCK_NS_PER_MS > work_ms * admission->options.queue_percent / 100;
}

bool admission_full(struct admission *admission, const struct route *route, int64_t now_ns, struct answer *ret_answer)
{
    struct admission_service *service = route->service ? service_of(admission, route->service) : NULL;
    if (!service || limit_has_room(limit_of(service, route), share_of(route), now_ns))
        return false;
    refuse_busy(service, route, ret_answer);
    return true;
}

bool admission_enter(struct admission *admission, const struct admission_request *request, int64_t now_ns,
                     struct permit *ret_permit, struct answer *ret_answer)
{
    struct admission_service *service = service_of(admission, request->service);
    *ret_permit = (struct permit){.service = NULL};
    if (!service)
        return true;
    if (!in_time(service, request, now_ns, ret_answer)) {
        metrics_add(&service->refused_backlog, 1);
        return false;
    }
    struct limit *limit = limit_of(service, request->route);
    if ((request->route->heavy && too_late(admission, service, request->work_ms)) ||
        !limit_enter(limit, share_of(request->route), now_ns)) {
        refuse_busy(service, request->route, ret_answer);
        return false;
    }
    *ret_permit = (struct permit){.service = service,
                                  .limit = limit,
                                  .began_ns = now_ns,
                                  .partition = request->partition,
                                  .heavy = request->route->heavy};
    return true;
}

static void sample(struct permit *permit, enum outcome outcome, int64_t worked_us, int64_t now_ns)
{
    struct admission_service *service = permit->service;
    if (outcome != OUTCOME_REPLIED && outcome != OUTCOME_DEADLINE)
        return; /* says nothing about the service */
    if (permit->heavy) {
        if (outcome == OUTCOME_REPLIED && worked_us > 0) /* else it is a repeated answer, or a refusal */
            capacity_note(&service->capacity, worked_us * 1000, limit_in_flight(permit->limit) - 1, now_ns);
        return;
    }
    if (outcome == OUTCOME_DEADLINE && backlog_still(&service->backlog, permit->partition))
        return; /* its worker is away: that fewer are sent would not bring it back */
    limit_sample(permit->limit, now_ns - permit->began_ns - worked_us * 1000, permit->began_ns, now_ns);
}

void admission_leave(struct permit *permit, enum outcome outcome, int64_t worked_us, int64_t now_ns)
{
    if (!permit->limit)
        return;
    sample(permit, outcome, worked_us, now_ns);
    admission_withdraw(permit);
}

void admission_withdraw(struct permit *permit)
{
    if (permit->limit)
        limit_leave(permit->limit);
    *permit = (struct permit){.service = NULL};
}

void admission_sent(struct admission *admission)
{
    budget_pay(&admission->budget);
}

bool admission_repeat(struct admission *admission, int64_t now_ns)
{
    return budget_take(&admission->budget, now_ns);
}

void admission_note(struct admission *admission, const char *name, int32_t partition, int64_t done, int64_t end, bool alive,
                    int64_t now_ns)
{
    backlog_note(&service_of(admission, name)->backlog, partition, done, end, alive, now_ns);
}

void admission_forget(struct admission *admission, const char *name)
{
    struct admission_service *service = service_of(admission, name);
    for (int32_t p = 0; p < BACKLOG_PARTITIONS_MAX; p++)
        backlog_forget(&service->backlog, p);
}
