/* SPDX-License-Identifier: Apache-2.0 */
/* A worker without its process: a small service, its partitions, and commands given by hand. Bus and pool are
 * fakes. */
#ifndef ROUNDTRIP_TESTS_RIG_H
#define ROUNDTRIP_TESTS_RIG_H

#include "fake_bus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/*
 * The service "thing", keys int64:
 *   thing.create  400 when it exists, else 201 with the body as its state
 *   thing.put     404 when it does not exist, else 200
 *   thing.delete  404 or 204
 *   thing.get     404; 202 and the state so far while a pooled write of the key runs; or its state
 *   thing.list    all keys and states of the partition (partition-scoped)
 *   thing.history all writes that are known, newest first: state, id, key, status, owner
 *   thing.mute    a write that decides nothing
 *   thing.large   a read that answers with 100 bytes
 *   thing.work    like create or put, on the pool; a body like 42% is a share of the work that it reports
 *   thing.append  its body behind the state before, on the pool
 *   thing.fat     its body, a number, is its state; its result are so many bytes, "abc...", apart; of 0 the state's first byte
 *   thing.faulty  a write that meets a permanent fault
 *   thing.shaky   a write that meets a transient fault
 *   thing.busy    like put, but there is no room while the worker's context, a bool, is true
 *   thing.rogue   thing.put, but called a read
 *   thing.gated   the same, but an entity whose state is "shut" refuses with 409 before the pool
 */
struct rig {
    struct worker worker;
    struct partition partitions[FAKE_PARTITIONS];
    char dir[64];
    struct breaker breakers[16];
    int64_t next_offset; /* of the next command */
};

/** As thing.list does not look at the key and the others need one, NULL is "absent" everywhere. */
struct ask {
    const char *type, *key, *id, *body, *if_match, *expiry, *subject, *auth;
    const char *reply_topic; /* NULL: "replies"; "": no reply address; the correlation id is `id`, as far as
                                it may be */
};

#define LONG_AGO "2001-01-01T00:00:00Z"
#define FAR_OFF  "2201-01-01T00:00:00Z"

/** A worker that was assigned partition 0 with that committed offset and has sent its claim. */
struct rig *rig_new(int64_t committed);
/** One that serves. */
struct rig *rig_serving(void);
/** Gives everything up, hands back what is on its way, and checks that no memory is left behind. */
void rig_free(struct rig *rig);
/** The claim is acknowledged and the log read to its end. */
void rig_recover(struct rig *rig);
/** What the loop does between events: reads the log, claims again when it is time. */
void rig_turn(struct rig *rig, int64_t now_ns);

/** A command arrives at partition 0; its offset. */
int64_t rig_ask(struct rig *rig, struct ask ask);
/** The same record arrives again (after a seek back) as the offset it had. */
void rig_ask_at(struct rig *rig, struct ask ask, int64_t offset);

/** Acknowledges all waiting events, or all waiting records of the other producer. */
void rig_acknowledge_events(struct rig *rig);
void rig_acknowledge_replies(struct rig *rig);

/** How many records of each kind were sent; claims are not events. */
size_t rig_events(const struct rig *rig);
size_t rig_replies(const struct rig *rig);
size_t rig_dead(const struct rig *rig);
size_t rig_forwarded(const struct rig *rig);
/** The `n`-th of each kind, decoded. */
struct event rig_event(const struct rig *rig, size_t n);
struct reply rig_reply(const struct rig *rig, size_t n);
const struct record *rig_dead_letter(const struct rig *rig, size_t n);

/** The `n`-th reply is to the command `id`, with that status. */
void assert_reply(const struct rig *rig, size_t n, const char *id, int status);
void assert_slice(struct slice s, const char *expected);
void assert_header(const struct record *rec, const char *name, const char *expected);

#endif
