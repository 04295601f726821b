/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internal to state/, and the only file that includes lmdb.h: LMDB behind state.h, one environment a partition, nine tables.
 *
 *   meta      "format", "binding", "checkpoint", "claim", "claim_at" (struct claim_at)
 *   entities  key -> version, time, exists, state  (int64 keys as 8 bytes, big endian, sign flipped: numeric order)
 *   outcomes  command id -> fixed fields, then fingerprint, body, content type, location, result, key, owner, type
 *   times     time (8 bytes, big endian) + command id -> nothing, to find what is too old
 *   repairs   key -> nothing
 *   gone      time + entity key, of every entity that does not exist -> nothing
 *   spent     id of a claim that decides about nothing any more -> nothing
 *   attempts  command id -> how often it was tried in vain, and since when
 *   parts     name of a part of a result, which begins with a UUIDv7, so with its time -> its bytes
 *
 * Beside it the file "boot" says in which boot of the machine it was opened, or "closed": it must be known before LMDB is
 * let near files that an unclean end of the machine may have torn.
 */
#include "state.h"
#ifndef ROUNDTRIP_STATE_STORE_H
#define ROUNDTRIP_STATE_STORE_H

#include <lmdb.h>

#include "state.h"

/** LMDB's limit of a key's bytes. */
#define STATE_KEY_MAX 511

enum table { META, ENTITIES, OUTCOMES, TIMES, REPAIRS, GONE, SPENT, ATTEMPTS, PARTS, TABLES };

/* The claim in force at the checkpoint: where it stands, and whether a record after it is decided by it. */
struct claim_at {
    int64_t offset; /* -1: there was none */
    bool used;
    bool left;        /* its owner stopped in good order */
    int32_t in_place; /* claims in a row from the same command offset */
    int64_t position; /* that offset */
};

struct state {
    MDB_env *env;
    MDB_dbi tables[TABLES];
    MDB_txn *reads; /* NULL, reset, or running */
    bool reading;
    bool int64_keys;
    int64_t checkpoint;
    struct journal_reader reader;
    struct claim_at claim_at;
    char binding[512];
    char boot_path[4096];
};

/* Fixed part of an entity's value. Local copy only: the machine's own byte order. */
struct entity_head {
    int64_t version, time_ms; /* of its last event */
    uint8_t exists;
};

struct attempts_entry {
    int64_t first_ms;
    int32_t count, crashes, beside;
};

/** Texts behind an outcome's fixed fields. */
#define OUTCOME_TEXTS 9
struct outcome_head {
    int64_t version, time_ms, command_offset;
    int32_t status;
    uint8_t binding, exists;
    uint32_t fingerprint_len, body_len, content_type_len, location_len, result_len, key_len, owner_len, type_len, dead_class_len;
};

static inline MDB_val state_val(struct slice s)
{
    return (MDB_val){s.len, (void *)s.p};
}

static inline struct slice state_unval(MDB_val v)
{
    return slice_make(v.mv_data ? v.mv_data : "", v.mv_size);
}

/** Writes what LMDB's code `rc` means for `what`; the -errno to return. */
int state_fail(int rc, const char *what, struct state_error *ret_error);
/** What LMDB's code `rc` really means: it calls a write that a full disk cut short EIO. */
int state_reason(const struct state *state, int rc);
/** Does `rc` say that the files are damaged? */
bool state_torn(int rc);
/** A write transaction with room in the map; ends the reads. LMDB's code. */
int state_begin_write(struct state *state, MDB_txn **ret_txn);
int state_meta_put(struct state *state, MDB_txn *txn, const char *name, struct slice value);
/** Writes a line to a file of its own, durable before the return: 0 or errno. */
int state_note(const char *path, const char *text);

void state_put_be64(uint64_t value, char out[8]);
uint64_t state_get_be64(const char *in);
/** The time, big endian, and what follows of `id`, in `scratch`: a key of `times` or `gone`. */
struct slice state_time_key(int64_t time_ms, struct slice id, char scratch[8 + STATE_KEY_MAX]);
/** An entity's key as it stands on disk, in `scratch` when it is an int64; and back. */
struct slice state_disk_key(const struct state *state, struct slice key, char scratch[8]);
struct slice state_plain_key(const struct state *state, MDB_val key, char *scratch, size_t size);

#endif
