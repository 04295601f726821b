/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local copy of one partition's event log: entities and outcomes in LMDB, rebuildable, never ahead of the log.
 *
 * Only final events are applied, each batch in one transaction with the checkpoint. Nothing is synced per batch: after
 * the machine itself went down uncleanly the copy is wiped and rebuilt from the log (state_open() notices by boot id).
 * One thread only. The only module that includes lmdb.h.
 */
#ifndef ROUNDTRIP_STATE_H
#define ROUNDTRIP_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "journal.h"
#include "slice.h"

struct state;

#define STATE_ERROR_SIZE 256
struct state_error {
    char text[STATE_ERROR_SIZE];
};

/** What the copy is a copy of. Another one on disk: wiped, since it can be rebuilt. */
struct state_binding {
    const char *cluster_id, *topic;
    int32_t partition;
    bool int64_keys; /* keys are canonical decimal int64, kept in numeric order */
};

/** Makes `dir` and locks it for this process: 0 and a descriptor to close, or -errno (-EWOULDBLOCK: another has it). */
int state_lock(const char *dir, int *ret_fd) __attribute__((warn_unused_result));
/** Opens or makes `dir`. 0, or -errno and `ret_error`. `*ret_wiped`: why the old contents were dropped, or NULL. */
int state_open(const char *dir, const struct state_binding *binding, struct state **ret_state, const char **ret_wiped,
               struct state_error *ret_error) __attribute__((warn_unused_result));
/** Syncs and closes. NULL is allowed. */
void state_close(struct state *state);
/** Drops everything, for a rebuild. */
int state_wipe(struct state *state, struct state_error *ret_error) __attribute__((warn_unused_result));

/** The offset of the next record to apply; -1: nothing was applied. */
int64_t state_checkpoint(const struct state *state);
/** The claim in force at the checkpoint, and where it stands in the log (-1: none). The log that has it there is the one this is a copy of. */
struct journal_reader state_reader(const struct state *state);
int64_t state_claim_offset(const struct state *state);

/** An outcome as stored: what a repeated command is answered with. */
struct state_outcome {
    struct slice fingerprint;
    int status;
    bool binding;
    int64_t version;
    bool exists;
    int64_t time_ms; /* wall clock of the event */
    int64_t command_offset; /* of the record that it is the outcome of; -1: not known */
    struct slice body, content_type, location;
    struct slice result; /* where it is, when that is not the whole body: result.h; absent: it is */
    struct slice key;    /* the entity's; state_apply() does not need it */
    struct slice owner;  /* who asked; absent: nobody who is known */
    struct slice type;   /* of the event: struct event */
    struct slice dead_class; /* present: it became a dead letter of that class */
};

/** One record of the log, as it changes the copy. */
struct state_change {
    int64_t offset;
    enum {
        STATE_EVENT,
        STATE_CLAIM,
        STATE_VOID,
        STATE_REMOVED,       /* a valid tombstone: the entity is as if it had never been */
        STATE_CLAIM_REMOVED, /* the tombstone of a claim */
        STATE_ATTEMPTS,      /* how often a command was tried in vain */
        STATE_ATTEMPTS_REMOVED,
        STATE_PART,          /* of a result, valid or not: only a valid event names it */
        STATE_PART_REMOVED,
        STATE_LEFT,          /* the owner of the claim in force stopped in good order */
        STATE_IGNORED,       /* void, and hides nothing */
    } kind;
    struct slice key;       /* EVENT, VOID, REMOVED: the entity's; CLAIM, CLAIM_REMOVED: the claim id; ATTEMPTS*: the command's id; PART*: its name */
    struct slice value;     /* EVENT: the entity's state; PART: its bytes */
    int64_t version;        /* EVENT */
    bool exists;            /* EVENT */
    int64_t position;       /* CLAIM: the command offset its owner goes on from; -1: not said */
    bool again;             /* CLAIM: its owner is the process that had the claim before it */
    int attempts, crashes, beside; /* ATTEMPTS */
    int64_t first_ms;       /* ATTEMPTS: wall clock of the first one */
    struct slice command_id; /* EVENT; absent: a repair, without an outcome */
    struct state_outcome outcome;
};

/**
 * Applies `changes` (ascending offsets) in one transaction and moves the checkpoint to `next_offset`. A VOID change marks
 * its key for repair until a later EVENT of that key. 0 or -errno (-ENOSPC: disk full) and `ret_error`: nothing applied.
 */
int state_apply(struct state *state, const struct state_change *changes, size_t count, int64_t next_offset,
                struct state_error *ret_error) __attribute__((warn_unused_result));

/** The entity's state; false: it never was. `ret_value` is valid until the next state_apply() or state_reads_end(). */
bool state_entity(struct state *state, struct slice key, bool *ret_exists, int64_t *ret_version,
                  struct slice *ret_value);
/** The outcome of a command id; borrowed like state_entity()'s value. */
bool state_find_outcome(struct state *state, struct slice command_id, struct state_outcome *ret_outcome);
/**
 * How many claims in a row, the one in force the last, go on from the same command offset. One that follows a claim of the same process, or
 * of one that stopped in good order, does not count.
 */
int state_claims_in_place(const struct state *state);
/** How often a command was tried in vain, and how many processes ended over it: alone, and beside others. */
struct state_count {
    int attempts, crashes, beside;
    int64_t first_ms; /* wall clock of the first attempt */
};
/** False: never. */
bool state_attempts(struct state *state, struct slice command_id, struct state_count *ret_count);
/** A command after `after` whose first attempt was before `before_ms`, its id copied into `ret_id`; false when there is none. */
bool state_next_old_attempts(struct state *state, int64_t before_ms, struct slice after, char *ret_id, size_t size,
                             size_t *ret_len);
/** Bytes of its file that are in use or were, and how large it may grow before it is enlarged. */
void state_size(const struct state *state, uint64_t *ret_used, uint64_t *ret_map);
/**
 * The newest outcome that is older than (`before_ms`, `before_id`), by time and then by id; its command's id in `ret_id`. Borrowed like
 * state_entity()'s value, and so may `before_id` be. False when there is none.
 */
bool state_older_outcome(struct state *state, int64_t before_ms, struct slice before_id, struct slice *ret_id,
                         struct state_outcome *ret_outcome);
/** The bytes of a part of a result; borrowed like state_entity()'s value. */
bool state_part(struct state *state, struct slice name, struct slice *ret_bytes);
/** A part after `after` that was made before `before_ms`, by its name, copied into `ret_name`; false when there is none. Oldest first. */
bool state_next_old_part(struct state *state, int64_t before_ms, struct slice after, char *ret_name, size_t size, size_t *ret_len);
/** Ends the read snapshot, so that old pages can be reused; the next read starts another. Call when idle. */
void state_reads_end(struct state *state);

/** Removes outcomes older than `before_ms`, at most `limit`; how many, or -errno. */
int state_expire(struct state *state, int64_t before_ms, int limit, struct state_error *ret_error);

/** Keys marked for repair, in order; false when there is none after `after` (absent: from the first). Copies into `ret_key`. */
bool state_next_repair(struct state *state, struct slice after, char *ret_key, size_t size, size_t *ret_len);

/**
 * What may get a tombstone, the key copied into `ret_key`; false at the end. Entities: deleted ones whose last event is older than
 * `before_ms`, oldest first, beginning with the `skip`-th. Claims: those that decide about nothing, since the next claim follows
 * directly.
 */
bool state_next_removable(struct state *state, int64_t before_ms, size_t skip, char *ret_key, size_t size, size_t *ret_len);
bool state_next_spent_claim(struct state *state, struct slice after, char *ret_id, size_t size, size_t *ret_len);

/** The first entity record with key > `after` (absent: the first), existing or not; false at the end. */
bool state_next_entity(struct state *state, struct slice after, struct slice *ret_key, bool *ret_exists,
                       struct slice *ret_value);

/** Is `key` a canonical decimal int64? Pure. */
bool state_key_is_int64(struct slice key, int64_t *ret_value);

#endif
