/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the store: one snapshot until state_reads_end(), pointers into the map. */
#include "state/store.h"

#include "envelope.h"

static MDB_txn *reads(struct state *state)
{
    if (state->reading)
        return state->reads;
    int rc = state->reads ? mdb_txn_renew(state->reads)
                          : mdb_txn_begin(state->env, NULL, MDB_RDONLY, &state->reads);
    state->reading = rc == 0;
    return rc ? NULL : state->reads;
}

void state_reads_end(struct state *state)
{
    if (state->reading)
        mdb_txn_reset(state->reads);
    state->reading = false;
}

static struct slice entity_parts(MDB_val v, bool *ret_exists, int64_t *ret_version)
{
    struct entity_head head;
    memcpy(&head, v.mv_data, sizeof(head));
    *ret_exists = head.exists;
    *ret_version = head.version;
    return slice_make((const char *)v.mv_data + sizeof(head), v.mv_size - sizeof(head));
}

bool state_entity(struct state *state, struct slice key, bool *ret_exists, int64_t *ret_version,
                  struct slice *ret_value)
{
    char scratch[8];
    MDB_txn *txn = reads(state);
    MDB_val k = state_val(state_disk_key(state, key, scratch)), v;
    if (!txn || k.mv_size == 0 || mdb_get(txn, state->tables[ENTITIES], &k, &v) != 0)
        return false;
    *ret_value = entity_parts(v, ret_exists, ret_version);
    return true;
}

/* The next `len` bytes; absent where there are none. */
static struct slice take_text(const char **at, size_t len)
{
    struct slice text = len ? slice_make(*at, len) : SLICE_NONE;
    *at += len;
    return text;
}

static void read_outcome(MDB_val v, struct state_outcome *ret_outcome)
{
    struct outcome_head head;
    memcpy(&head, v.mv_data, sizeof(head));
    const char *at = (const char *)v.mv_data + sizeof(head);
    *ret_outcome = (struct state_outcome){.status = head.status,
                                          .binding = head.binding,
                                          .exists = head.exists,
                                          .version = head.version,
                                          .time_ms = head.time_ms,
                                          .command_offset = head.command_offset};
    ret_outcome->fingerprint = slice_make(at, head.fingerprint_len);
    at += head.fingerprint_len;
    ret_outcome->body = slice_make(at, head.body_len);
    at += head.body_len;
    ret_outcome->content_type = take_text(&at, head.content_type_len);
    ret_outcome->location = take_text(&at, head.location_len);
    ret_outcome->result = take_text(&at, head.result_len);
    ret_outcome->key = take_text(&at, head.key_len);
    ret_outcome->owner = take_text(&at, head.owner_len);
    ret_outcome->type = take_text(&at, head.type_len);
    ret_outcome->dead_class = take_text(&at, head.dead_class_len);
}

bool state_find_outcome(struct state *state, struct slice command_id, struct state_outcome *ret_outcome)
{
    MDB_txn *txn = reads(state);
    MDB_val k = state_val(command_id), v;
    if (!txn || mdb_get(txn, state->tables[OUTCOMES], &k, &v) != 0)
        return false;
    read_outcome(v, ret_outcome);
    return true;
}

/* The entry before `wanted`, or of it: the last one where all are before it. */
static int step_back(MDB_cursor *cursor, MDB_val wanted, MDB_val *ret_key)
{
    MDB_val v;
    *ret_key = wanted;
    int rc = mdb_cursor_get(cursor, ret_key, &v, MDB_SET_RANGE);
    return mdb_cursor_get(cursor, ret_key, &v, rc == 0 ? MDB_PREV : MDB_LAST);
}

bool state_older_outcome(struct state *state, int64_t before_ms, struct slice before_id, struct slice *ret_id,
                         struct state_outcome *ret_outcome)
{
    char scratch[8 + STATE_KEY_MAX];
    MDB_txn *txn = reads(state);
    MDB_cursor *cursor;
    MDB_val k, v;
    bool found = false;
    if (!txn || mdb_cursor_open(txn, state->tables[TIMES], &cursor) != 0)
        return false;
    int rc = step_back(cursor, state_val(state_time_key(before_ms, before_id, scratch)), &k);
    for (; rc == 0 && !found; rc = found ? 0 : mdb_cursor_get(cursor, &k, &v, MDB_PREV)) {
        MDB_val id = {k.mv_size - 8, (char *)k.mv_data + 8};
        if (mdb_get(txn, state->tables[OUTCOMES], &id, &v) != 0)
            continue;
        read_outcome(v, ret_outcome);
        *ret_id = state_unval(id);
        found = ret_outcome->time_ms == (int64_t)state_get_be64(k.mv_data); /* else a later one took its place */
    }
    mdb_cursor_close(cursor);
    return found;
}

int state_claims_in_place(const struct state *state)
{
    return state->claim_at.in_place;
}

bool state_attempts(struct state *state, struct slice command_id, struct state_count *ret_count)
{
    struct attempts_entry entry;
    MDB_txn *txn = reads(state);
    MDB_val k = state_val(command_id), v;
    if (!txn || mdb_get(txn, state->tables[ATTEMPTS], &k, &v) != 0)
        return false;
    memcpy(&entry, v.mv_data, sizeof(entry));
    *ret_count = (struct state_count){
        .attempts = entry.count, .crashes = entry.crashes, .beside = entry.beside, .first_ms = entry.first_ms};
    return true;
}

/* The first key greater than `after`, by the table's order. */
static bool next_key(struct state *state, enum table table, struct slice after, MDB_val *ret_key,
                     MDB_val *ret_value)
{
    char scratch[8];
    MDB_txn *txn = reads(state);
    MDB_cursor *cursor;
    if (!txn || mdb_cursor_open(txn, state->tables[table], &cursor) != 0)
        return false;
    bool by_entity = table == ENTITIES || table == REPAIRS; /* the other tables' keys are ids: text, whatever it looks like */
    MDB_val wanted = {0, NULL};
    if (after.p)
        wanted = state_val(by_entity ? state_disk_key(state, after, scratch) : after);
    *ret_key = wanted;
    int rc = mdb_cursor_get(cursor, ret_key, ret_value, after.p ? MDB_SET_RANGE : MDB_FIRST);
    if (rc == 0 && after.p && ret_key->mv_size == wanted.mv_size &&
        memcmp(ret_key->mv_data, wanted.mv_data, wanted.mv_size) == 0)
        rc = mdb_cursor_get(cursor, ret_key, ret_value, MDB_NEXT);
    mdb_cursor_close(cursor);
    return rc == 0;
}

bool state_next_repair(struct state *state, struct slice after, char *ret_key, size_t size, size_t *ret_len)
{
    MDB_val k, v;
    char scratch[24];
    if (!next_key(state, REPAIRS, after, &k, &v))
        return false;
    struct slice key = state_plain_key(state, k, scratch, sizeof(scratch));
    if (key.len > size)
        return false;
    memcpy(ret_key, key.p, key.len);
    *ret_len = key.len;
    return true;
}

bool state_next_spent_claim(struct state *state, struct slice after, char *ret_id, size_t size,
                            size_t *ret_len)
{
    MDB_val k, v;
    if (!next_key(state, SPENT, after, &k, &v) || k.mv_size > size)
        return false;
    memcpy(ret_id, k.mv_data, k.mv_size);
    *ret_len = k.mv_size;
    return true;
}

bool state_next_old_attempts(struct state *state, int64_t before_ms, struct slice after, char *ret_id, size_t size,
                             size_t *ret_len)
{
    MDB_val k, v;
    struct attempts_entry entry;
    while (next_key(state, ATTEMPTS, after, &k, &v) && k.mv_size <= size) {
        memmove(ret_id, k.mv_data, k.mv_size);
        after = slice_make(ret_id, k.mv_size);
        memcpy(&entry, v.mv_data, sizeof(entry));
        *ret_len = k.mv_size;
        if (entry.first_ms < before_ms)
            return true;
    }
    return false;
}

bool state_part(struct state *state, struct slice name, struct slice *ret_bytes)
{
    MDB_txn *txn = reads(state);
    MDB_val k = state_val(name), v;
    if (!txn || mdb_get(txn, state->tables[PARTS], &k, &v) != 0)
        return false;
    *ret_bytes = state_unval(v);
    return true;
}

bool state_next_old_part(struct state *state, int64_t before_ms, struct slice after, char *ret_name, size_t size, size_t *ret_len)
{
    MDB_val k, v;
    if (!next_key(state, PARTS, after, &k, &v) || k.mv_size > size || envelope_id_time_ms(state_unval(k)) >= before_ms)
        return false;
    memmove(ret_name, k.mv_data, k.mv_size);
    *ret_len = k.mv_size;
    return true;
}

/* The `skip`-th entry of `gone`; they are few, and only the young ones are skipped. */
static bool nth_gone(struct state *state, size_t skip, MDB_val *ret_key)
{
    MDB_txn *txn = reads(state);
    MDB_cursor *cursor;
    MDB_val v;
    if (!txn || mdb_cursor_open(txn, state->tables[GONE], &cursor) != 0)
        return false;
    int rc = mdb_cursor_get(cursor, ret_key, &v, MDB_FIRST);
    while (!rc && skip-- > 0)
        rc = mdb_cursor_get(cursor, ret_key, &v, MDB_NEXT);
    mdb_cursor_close(cursor);
    return rc == 0;
}

bool state_next_removable(struct state *state, int64_t before_ms, size_t skip, char *ret_key, size_t size,
                          size_t *ret_len)
{
    char scratch[24];
    MDB_val k;
    if (!nth_gone(state, skip, &k) || (int64_t)state_get_be64(k.mv_data) >= before_ms)
        return false;
    struct slice key =
        state_plain_key(state, (MDB_val){k.mv_size - 8, (char *)k.mv_data + 8}, scratch, sizeof(scratch));
    if (key.len > size)
        return false;
    memcpy(ret_key, key.p, key.len);
    *ret_len = key.len;
    return true;
}

bool state_next_entity(struct state *state, struct slice after, struct slice *ret_key, bool *ret_exists,
                       struct slice *ret_value)
{
    static _Thread_local char scratch[24];
    MDB_val k, v;
    int64_t version;
    if (!next_key(state, ENTITIES, after, &k, &v))
        return false;
    *ret_key = state_plain_key(state, k, scratch, sizeof(scratch));
    *ret_value = entity_parts(v, ret_exists, &version);
    return true;
}

void state_size(const struct state *state, uint64_t *ret_used, uint64_t *ret_map)
{
    MDB_envinfo info;
    MDB_stat stat;
    bool known = mdb_env_info(state->env, &info) == 0 && mdb_env_stat(state->env, &stat) == 0;
    *ret_used = known ? (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize : 0;
    *ret_map = known ? info.me_mapsize : 0;
}
