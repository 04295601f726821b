/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may have a command sent now, so that what is admitted is answered in time and the rest is told at once.
 *
 *   admission_client   how often one client may ask at all        429   throttle.h
 *   admission_enter    does it wait longer than it may?           503   backlog.h
 *                      are as many under way as answer quickly?   503   limit.h
 *                      will its turn come early enough?           503   capacity.h
 *   admission_leave    what came of it, which moves the limit
 *   admission_repeat   may a command be sent a second time?             budget.h
 *
 * Each service has a limit for what is answered quickly, whose measure is its latency; and for its heavy rows (computations) an estimate
 * of the time until their work would begin, which may be a share of what their caller waits (capacity.h). Heavy ones can take
 * half of the places there are, other writes nine tenths: reads, and questions about operations, still pass when those are
 * refused. Health needs no place.
 */
#ifndef ROUNDTRIP_GATEWAY_ADMISSION_H
#define ROUNDTRIP_GATEWAY_ADMISSION_H

#include "answer.h"
#include "backlog.h"
#include "budget.h"
#include "capacity.h"
#include "limit.h"
#include "routes.h"
#include "throttle.h"

struct admission_options {
    int places;                /* requests that can wait at one time */
    int floor;                 /* of the limits of quick ones */
    int64_t latency_target_ms; /* what quick ones may take */
    int queue_percent;         /* of a heavy one's wait, to be spent before its work begins */
    int repeat_percent;
    int64_t client_rate, client_burst; /* rate 0: clients are not limited; burst 0: a second's worth */
    int64_t clients_max;
    int forwarded_hops; /* proxies in front whose X-Forwarded-For is believed */
    uint64_t seed;
};

struct admission_service {
    const char *name;
    struct limit quick, heavy; /* heavy: only its ceiling counts */
    struct capacity capacity;  /* for heavy ones */
    struct backlog backlog;
    _Atomic int64_t tried_ns; /* when one was let through although nobody seems to work */
    _Atomic uint64_t refused_backlog, refused_limit; /* requests that in_time(), or a limit, refused */
};

struct admission {
    /* fixed */
    struct admission_options options;
    struct throttle *throttle; /* NULL: clients are not limited */
    size_t service_count;
    struct admission_service services[ROUTES_SERVICES_MAX];
    struct budget budget;
};

/** 0 or -ENOMEM. Knows the services of `routes.h`. */
int admission_init(struct admission *admission, const struct admission_options *options, int64_t now_ns)
    __attribute__((warn_unused_result));
void admission_done(struct admission *admission);

/**
 * Who asks: its principal, or where it is; the raw address `peer` (4 bytes; 16, of which the first 8 count, since one subscriber
 * has that many) or what a trusted proxy says of it. Borrows.
 */
struct slice admission_client(const struct admission *admission, const struct request *req, struct slice principal, struct slice peer);

/** One that has been admitted. Zero-initialised: none. */
struct permit {
    struct admission_service *service;
    struct limit *limit;
    int64_t began_ns;
    int32_t partition;
    bool heavy;
};
/** What is asked for. */
struct admission_request {
    const struct route *route;
    const char *service;
    int32_t partition; /* -1: each */
    int64_t work_ms;   /* how long its command makes sense */
};
/** False: the answer to give. Every true is followed by one admission_leave() or admission_withdraw(). */
bool admission_enter(struct admission *admission, const struct admission_request *request, int64_t now_ns,
                     struct permit *ret_permit, struct answer *ret_answer) __attribute__((warn_unused_result));
/** Is the service already so busy that a request of this row would be refused? Sets the answer when it is. Costs little, and needs nothing but
 * the head: so a refusal costs less than a request. */
bool admission_full(struct admission *admission, const struct route *route, int64_t now_ns, struct answer *ret_answer)
    __attribute__((warn_unused_result));
/** It ended; `worked_us`: what its handler took, as far as the worker said. No permit is allowed. */
void admission_leave(struct permit *permit, enum outcome outcome, int64_t worked_us, int64_t now_ns);
/** It was not sent after all. */
void admission_withdraw(struct permit *permit);

/** A command was sent. */
void admission_sent(struct admission *admission);
/** One whose sending failed may be sent again. */
bool admission_repeat(struct admission *admission, int64_t now_ns) __attribute__((warn_unused_result));

/** From the surveying thread: what backlog_note() wants of a partition; or that nothing is known. */
void admission_note(struct admission *admission, const char *service, int32_t partition, int64_t done, int64_t end, bool alive,
                    int64_t now_ns);
void admission_forget(struct admission *admission, const char *service);

#endif
