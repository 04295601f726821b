/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing records of the log into the store, and taking old outcomes out. */
#include "state/store.h"

/* Deletes where there may be nothing to delete. */
static int drop(struct state *state, MDB_txn *txn, enum table table, MDB_val k)
{
    int rc = mdb_del(txn, state->tables[table], &k, NULL);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The entry of `gone` that the entity's record on disk has. */
static int leave_gone(struct state *state, MDB_txn *txn, MDB_val k)
{
    char scratch[8 + STATE_KEY_MAX];
    struct entity_head head;
    MDB_val v;
    int rc = mdb_get(txn, state->tables[ENTITIES], &k, &v);
    if (rc)
        return rc == MDB_NOTFOUND ? 0 : rc;
    memcpy(&head, v.mv_data, sizeof(head));
    return head.exists ? 0
                       : drop(state, txn, GONE, state_val(state_time_key(head.time_ms, state_unval(k), scratch)));
}

static int enter_gone(struct state *state, MDB_txn *txn, MDB_val k, int64_t time_ms)
{
    char scratch[8 + STATE_KEY_MAX];
    MDB_val entry = state_val(state_time_key(time_ms, state_unval(k), scratch)), nothing = {0, (void *)""};
    return mdb_put(txn, state->tables[GONE], &entry, &nothing, 0);
}

static int put_entity(struct state *state, MDB_txn *txn, const struct state_change *change)
{
    char scratch[8];
    MDB_val k = state_val(state_disk_key(state, change->key, scratch));
    struct entity_head head;
    memset(&head, 0, sizeof(head)); /* its padding goes to the disk */
    head.version = change->version;
    head.time_ms = change->outcome.time_ms;
    head.exists = change->exists;
    MDB_val v = {sizeof(head) + change->value.len, NULL};
    int rc = leave_gone(state, txn, k);
    if (!rc)
        rc = mdb_put(txn, state->tables[ENTITIES], &k, &v, MDB_RESERVE);
    if (rc)
        return rc;
    memcpy(v.mv_data, &head, sizeof(head));
    if (change->value.len)
        memcpy((char *)v.mv_data + sizeof(head), change->value.p, change->value.len);
    if (!change->exists)
        rc = enter_gone(state, txn, k, head.time_ms);
    return rc ? rc : drop(state, txn, REPAIRS, k);
}

static int remove_entity(struct state *state, MDB_txn *txn, struct slice key)
{
    char scratch[8];
    MDB_val k = state_val(state_disk_key(state, key, scratch));
    int rc = leave_gone(state, txn, k);
    if (!rc)
        rc = drop(state, txn, ENTITIES, k);
    return rc ? rc : drop(state, txn, REPAIRS, k);
}

static int put_outcome(struct state *state, MDB_txn *txn, struct slice id,
                       const struct state_outcome *outcome, struct slice key)
{
    struct outcome_head head = {.version = outcome->version,
                                .time_ms = outcome->time_ms,
                                .command_offset = outcome->command_offset,
                                .status = outcome->status,
                                .binding = outcome->binding,
                                .exists = outcome->exists,
                                .fingerprint_len = (uint32_t)outcome->fingerprint.len,
                                .body_len = (uint32_t)outcome->body.len,
                                .content_type_len = (uint32_t)outcome->content_type.len,
                                .location_len = (uint32_t)outcome->location.len,
                                .result_len = (uint32_t)outcome->result.len,
                                .key_len = (uint32_t)key.len,
                                .owner_len = (uint32_t)outcome->owner.len,
                                .type_len = (uint32_t)outcome->type.len,
                                .dead_class_len = (uint32_t)outcome->dead_class.len};
    const struct slice parts[] = {outcome->fingerprint, outcome->body, outcome->content_type, outcome->location,
                                  outcome->result, key, outcome->owner, outcome->type, outcome->dead_class};
    size_t size = sizeof(head);
    for (size_t i = 0; i < OUTCOME_TEXTS; i++)
        size += parts[i].len;
    MDB_val k = state_val(id), v = {size, NULL};
    int rc = mdb_put(txn, state->tables[OUTCOMES], &k, &v, MDB_RESERVE);
    if (rc)
        return rc;
    char *at = v.mv_data;
    memcpy(at, &head, sizeof(head));
    at += sizeof(head);
    for (size_t i = 0; i < OUTCOME_TEXTS; at += parts[i].len, i++) {
        if (parts[i].len)
            memcpy(at, parts[i].p, parts[i].len);
    }
    char scratch[8 + STATE_KEY_MAX];
    MDB_val tk = state_val(state_time_key(outcome->time_ms, id, scratch)), tv = {0, (void *)""};
    return mdb_put(txn, state->tables[TIMES], &tk, &tv, 0);
}

/* Where the application of a batch stands. */
struct position {
    struct journal_reader reader;
    struct claim_at claim_at;
};

static int apply_claim(struct state *state, MDB_txn *txn, const struct state_change *change,
                       struct position *at)
{
    int rc = 0;
    if (at->reader.last.len && !at->claim_at.used) { /* nothing stands between it and this one */
        MDB_val k = state_val(slice_make(at->reader.last.id, at->reader.last.len)), v = {0, (void *)""};
        rc = mdb_put(txn, state->tables[SPENT], &k, &v, 0);
    }
    journal_read_claim(&at->reader, change->key);
    at->claim_at.offset = change->offset;
    bool moved = change->position < 0 || change->position != at->claim_at.position;
    bool ended = !change->again && !at->claim_at.left;
    at->claim_at.in_place = moved ? 1 : at->claim_at.in_place + ended;
    at->claim_at.used = at->claim_at.left = false;
    at->claim_at.position = change->position;
    return rc;
}

static int put_attempts(struct state *state, MDB_txn *txn, const struct state_change *change)
{
    struct attempts_entry entry;
    memset(&entry, 0, sizeof(entry)); /* its padding goes to the disk */
    entry.first_ms = change->first_ms;
    entry.count = change->attempts;
    entry.crashes = change->crashes;
    entry.beside = change->beside;
    MDB_val k = state_val(change->key), v = {sizeof(entry), &entry};
    return mdb_put(txn, state->tables[ATTEMPTS], &k, &v, 0);
}

static int apply_one(struct state *state, MDB_txn *txn, const struct state_change *change,
                     struct position *at)
{
    char scratch[8];
    MDB_val k, v = {0, (void *)""};
    if (change->kind == STATE_CLAIM)
        return apply_claim(state, txn, change, at);
    if (change->kind == STATE_CLAIM_REMOVED)
        return drop(state, txn, SPENT, state_val(change->key));
    if (change->kind == STATE_LEFT) { /* without its claim it says nothing: the claim may still go */
        at->claim_at.left = true;
        return 0;
    }
    at->claim_at.used = true;
    if (change->kind == STATE_IGNORED)
        return 0;
    if (change->kind == STATE_PART_REMOVED)
        return drop(state, txn, PARTS, state_val(change->key));
    if (change->kind == STATE_PART) {
        k = state_val(change->key);
        v = state_val(change->value);
        return mdb_put(txn, state->tables[PARTS], &k, &v, 0);
    }
    if (change->kind == STATE_ATTEMPTS)
        return put_attempts(state, txn, change);
    if (change->kind == STATE_ATTEMPTS_REMOVED)
        return drop(state, txn, ATTEMPTS, state_val(change->key));
    if (change->kind == STATE_REMOVED)
        return remove_entity(state, txn, change->key);
    if (change->kind == STATE_VOID) {
        k = state_val(state_disk_key(state, change->key, scratch));
        return mdb_put(txn, state->tables[REPAIRS], &k, &v, 0);
    }
    int rc = put_entity(state, txn, change);
    if (!rc && change->command_id.p)
        rc = put_outcome(state, txn, change->command_id, &change->outcome, change->key);
    return rc;
}

static int apply_all(struct state *state, const struct state_change *changes, size_t count,
                     int64_t next_offset, struct position *at)
{
    MDB_txn *txn;
    int rc = state_begin_write(state, &txn);
    if (rc)
        return rc;
    for (size_t i = 0; !rc && i < count; i++)
        rc = apply_one(state, txn, &changes[i], at);
    if (!rc)
        rc = state_meta_put(state, txn, "checkpoint", slice_make(&next_offset, sizeof(next_offset)));
    if (!rc && at->reader.last.len)
        rc = state_meta_put(state, txn, "claim", slice_make(at->reader.last.id, at->reader.last.len));
    if (!rc)
        rc = state_meta_put(state, txn, "claim_at", slice_make(&at->claim_at, sizeof(at->claim_at)));
    if (rc) {
        mdb_txn_abort(txn);
        return rc;
    }
    return mdb_txn_commit(txn);
}

static int grow_map(struct state *state)
{
    MDB_envinfo info;
    int rc = mdb_env_info(state->env, &info);
    return rc ? rc : mdb_env_set_mapsize(state->env, info.me_mapsize * 2);
}

int state_apply(struct state *state, const struct state_change *changes, size_t count, int64_t next_offset,
                struct state_error *ret_error)
{
    for (;;) {
        struct position at = {state->reader, state->claim_at};
        int rc = apply_all(state, changes, count, next_offset, &at);
        if (rc == MDB_MAP_FULL && grow_map(state) == 0)
            continue;       /* nothing was applied: the same batch again, with more room */
        if (state_torn(rc)) /* the next start must not meet the same damage */
            (void)state_note(state->boot_path, "torn");
        if (rc)
            return state_fail(state_reason(state, rc), "cannot write the state", ret_error);
        state->checkpoint = next_offset;
        state->reader = at.reader;
        state->claim_at = at.claim_at;
        return 0;
    }
}

/* Removes one entry of `times`, and the outcome if it is still of that time (a non-binding one may have been
 * replaced). */
static int expire_one(struct state *state, MDB_txn *txn, MDB_cursor *cursor, MDB_val time_entry)
{
    int64_t time_ms = (int64_t)state_get_be64(time_entry.mv_data);
    MDB_val id = {time_entry.mv_size - 8, (char *)time_entry.mv_data + 8}, v;
    int rc = mdb_get(txn, state->tables[OUTCOMES], &id, &v);
    if (rc == 0) {
        struct outcome_head head;
        memcpy(&head, v.mv_data, sizeof(head));
        if (head.time_ms == time_ms)
            rc = mdb_del(txn, state->tables[OUTCOMES], &id, NULL);
    }
    if (rc && rc != MDB_NOTFOUND)
        return rc;
    return mdb_cursor_del(cursor, 0);
}

int state_expire(struct state *state, int64_t before_ms, int limit, struct state_error *ret_error)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    int removed = 0, rc = state_begin_write(state, &txn);
    if (rc)
        return state_fail(state_reason(state, rc), "cannot remove old outcomes", ret_error);
    rc = mdb_cursor_open(txn, state->tables[TIMES], &cursor);
    MDB_val k, v;
    while (!rc && removed < limit) {
        if (mdb_cursor_get(cursor, &k, &v, MDB_FIRST) != 0 || (int64_t)state_get_be64(k.mv_data) >= before_ms)
            break;
        rc = expire_one(state, txn, cursor, k);
        removed += rc == 0;
    }
    if (rc || removed == 0) {
        mdb_txn_abort(txn);
        return rc ? state_fail(state_reason(state, rc), "cannot remove old outcomes", ret_error) : 0;
    }
    mdb_cursor_close(cursor);
    rc = mdb_txn_commit(txn);
    return rc ? state_fail(state_reason(state, rc), "cannot remove old outcomes", ret_error) : removed;
}
