/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LMDB behind state.h: one environment a partition, five tables.
 *
 *   meta      "format", "binding", "checkpoint", "claim"
 *   entities  key -> version, exists, state        (int64 keys as 8 bytes, big endian, sign flipped: numeric order)
 *   outcomes  command id -> fixed fields, then fingerprint, body, content type, location
 *   times     time (8 bytes, big endian) + command id -> nothing, to find what is too old
 *   repairs   key -> nothing
 *
 * Beside it the file "boot" says in which boot of the machine it was opened, or "closed": it must be known before LMDB is
 * let near files that an unclean end of the machine may have torn.
 */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT       "1"
#define MAP_INITIAL  (UINT64_C(256) << 20)
#define KEY_MAX      511 /* LMDB's limit; longer command ids are cut to a prefix and a hash by their user */
#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

enum table { META, ENTITIES, OUTCOMES, TIMES, REPAIRS, TABLES };
static const char *const table_names[TABLES] = {"meta", "entities", "outcomes", "times", "repairs"};

struct state {
    MDB_env *env;
    MDB_dbi tables[TABLES];
    MDB_txn *reads; /* NULL, reset, or running */
    bool reading;
    bool int64_keys;
    int64_t checkpoint;
    struct journal_reader reader;
    char binding[512];
    char boot_path[4096];
};

/* Fixed part of an entity's value. Local copy only: the machine's own byte order. */
struct entity_head {
    int64_t version;
    uint8_t exists;
};

struct outcome_head {
    int64_t version, time_ms;
    int32_t status;
    uint8_t binding, exists;
    uint32_t fingerprint_len, body_len, content_type_len, location_len;
};

static int fail(int rc, const char *what, struct state_error *ret_error)
{
    snprintf(ret_error->text, sizeof(ret_error->text), "%s: %s%s", what, mdb_strerror(rc),
             rc == ENOSPC ? "; free disk space, then start again: nothing is lost" : "");
    return rc > 0 ? -rc : rc == MDB_MAP_FULL ? -ENOSPC : -EIO;
}

static MDB_val val(struct slice s)
{
    return (MDB_val){s.len, (void *)s.p};
}

static struct slice unval(MDB_val v)
{
    return slice_make(v.mv_data ? v.mv_data : "", v.mv_size);
}

bool state_key_is_int64(struct slice key, int64_t *ret_value)
{
    char text[24], canonical[24];
    if (!key.p || key.len == 0 || key.len >= sizeof(text))
        return false;
    memcpy(text, key.p, key.len);
    text[key.len] = '\0';
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end != text + key.len) /* a NUL inside is no end */
        return false;
    snprintf(canonical, sizeof(canonical), "%lld", value);
    *ret_value = value;
    return strcmp(canonical, text) == 0;
}

static void put_be64(uint64_t value, char out[8])
{
    for (int i = 7; i >= 0; i--, value >>= 8)
        out[i] = (char)(value & 0xff);
}

static uint64_t get_be64(const char *in)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | (unsigned char)in[i];
    return value;
}

/* Entity keys on disk. `scratch` holds the int64 form. */
static struct slice disk_key(const struct state *state, struct slice key, char scratch[8])
{
    int64_t value;
    if (!state->int64_keys || !state_key_is_int64(key, &value))
        return key;
    put_be64((uint64_t)value ^ (UINT64_C(1) << 63), scratch);
    return slice_make(scratch, 8);
}

/* ---- opening ---- */

/* The first line of a small file; empty when there is none. */
static void read_line(const char *path, char out[64])
{
    out[0] = '\0';
    FILE *f = fopen(path, "re");
    if (!f)
        return;
    if (fgets(out, 64, f))
        out[strcspn(out, "\n")] = '\0';
    fclose(f);
}

/* Durable before the return: what it says must not be older than what happens to the data after. */
static int write_line(const char *path, const char *text)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    size_t len = strlen(text);
    int rc = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0 ? 0 : errno ? errno : EIO;
    close(fd);
    return rc;
}

/* A write transaction with room: LMDB opens a map that is just as large as its data, and only a growth gives it more. */
static int begin_write(struct state *state, MDB_txn **ret_txn)
{
    MDB_envinfo info;
    MDB_stat stat;
    state_reads_end(state);
    int rc = mdb_env_info(state->env, &info);
    if (!rc)
        rc = mdb_env_stat(state->env, &stat);
    size_t used = rc ? 0 : (info.me_last_pgno + 1) * stat.ms_psize;
    if (!rc && used > info.me_mapsize / 2)
        rc = mdb_env_set_mapsize(state->env, 2 * (used > info.me_mapsize ? used : info.me_mapsize));
    return rc ? rc : mdb_txn_begin(state->env, NULL, 0, ret_txn);
}

static int open_tables(struct state *state, MDB_txn *txn)
{
    for (int t = 0; t < TABLES; t++) {
        int rc = mdb_dbi_open(txn, table_names[t], MDB_CREATE, &state->tables[t]);
        if (rc)
            return rc;
    }
    return 0;
}

static bool meta_is(struct state *state, MDB_txn *txn, const char *name, const char *wanted, bool *ret_present)
{
    MDB_val k = val(slice_of(name)), v;
    *ret_present = mdb_get(txn, state->tables[META], &k, &v) == 0;
    return *ret_present && slice_is(unval(v), wanted);
}

static int meta_put(struct state *state, MDB_txn *txn, const char *name, struct slice value)
{
    MDB_val k = val(slice_of(name)), v = val(value);
    return mdb_put(txn, state->tables[META], &k, &v, 0);
}

/* Why what is on disk cannot be used, or NULL. */
static const char *unusable(struct state *state, MDB_txn *txn)
{
    bool present;
    if (!meta_is(state, txn, "format", FORMAT, &present))
        return present ? "it has another format" : NULL;
    if (!meta_is(state, txn, "binding", state->binding, &present))
        return "it is of another cluster, topic or partition";
    return NULL;
}

static int drop_all(struct state *state, MDB_txn *txn)
{
    for (int t = 0; t < TABLES; t++) {
        int rc = mdb_drop(txn, state->tables[t], 0);
        if (rc)
            return rc;
    }
    state->checkpoint = -1;
    state->reader = (struct journal_reader){0};
    return 0;
}

static int stamp(struct state *state, MDB_txn *txn)
{
    int rc = meta_put(state, txn, "format", slice_of(FORMAT));
    if (!rc)
        rc = meta_put(state, txn, "binding", slice_of(state->binding));
    return rc;
}

static void load_position(struct state *state, MDB_txn *txn)
{
    MDB_val k = val(SLICE("checkpoint")), v;
    if (mdb_get(txn, state->tables[META], &k, &v) == 0 && v.mv_size == sizeof(state->checkpoint))
        memcpy(&state->checkpoint, v.mv_data, sizeof(state->checkpoint));
    k = val(SLICE("claim"));
    if (mdb_get(txn, state->tables[META], &k, &v) == 0 && v.mv_size <= JOURNAL_CLAIM_MAX)
        journal_read_claim(&state->reader, unval(v));
}

static int prepare(struct state *state, const char **ret_wiped)
{
    MDB_txn *txn;
    int rc = begin_write(state, &txn);
    if (rc)
        return rc;
    rc = open_tables(state, txn);
    const char *why = rc ? NULL : unusable(state, txn);
    if (why) {
        *ret_wiped = why;
        rc = drop_all(state, txn);
    }
    if (!rc)
        rc = stamp(state, txn);
    if (rc) {
        mdb_txn_abort(txn);
        return rc;
    }
    load_position(state, txn);
    return mdb_txn_commit(txn);
}

static int make_dirs(const char *dir)
{
    char path[4096];
    if (strlen(dir) >= sizeof(path))
        return ENAMETOOLONG;
    strcpy(path, dir);
    for (char *p = path + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return errno;
        *p = '/';
    }
    return mkdir(path, 0700) != 0 && errno != EEXIST ? errno : 0;
}

int state_lock(const char *dir, int *ret_fd)
{
    char path[4096];
    int err = make_dirs(dir);
    if (err)
        return -err;
    if ((size_t)snprintf(path, sizeof(path), "%s/lock", dir) >= sizeof(path))
        return -ENAMETOOLONG;
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        err = errno;
        close(fd);
        return -err;
    }
    *ret_fd = fd;
    return 0;
}

/* A file that ends before the pages it names: reading them would be a bus error. */
static bool cut_short(struct state *state)
{
    MDB_envinfo info;
    MDB_stat stat;
    struct stat file;
    int fd;
    if (mdb_env_info(state->env, &info) || mdb_env_stat(state->env, &stat) || mdb_env_get_fd(state->env, &fd) ||
        fstat(fd, &file))
        return true;
    return (uint64_t)file.st_size < (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize;
}

static int open_env(struct state *state, const char *dir, const char **ret_wiped)
{
    int rc = mdb_env_create(&state->env);
    if (rc)
        return rc;
    mdb_env_set_maxdbs(state->env, TABLES);
    mdb_env_set_mapsize(state->env, MAP_INITIAL);
    rc = mdb_env_open(state->env, dir, MDB_NOSYNC | MDB_NOTLS | MDB_NORDAHEAD, 0600);
    if (!rc && cut_short(state))
        rc = MDB_CORRUPTED;
    if (!rc)
        rc = prepare(state, ret_wiped);
    if (rc) {
        mdb_env_close(state->env);
        state->env = NULL;
        state->reads = NULL;
    }
    return rc;
}

/* A torn environment (a damaged or foreign file) is a copy like any other: made anew. */
static void remove_files(const char *dir)
{
    static const char *const names[] = {"data.mdb", "lock.mdb"};
    char path[4096];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, names[i]) < sizeof(path))
            unlink(path);
    }
}

static bool torn(int rc)
{
    return rc == MDB_INVALID || rc == MDB_CORRUPTED || rc == MDB_VERSION_MISMATCH || rc == MDB_PANIC ||
           rc == MDB_PAGE_NOTFOUND || rc == EINVAL;
}

static bool has_data(const char *dir)
{
    char path[4096];
    return (size_t)snprintf(path, sizeof(path), "%s/data.mdb", dir) < sizeof(path) && access(path, F_OK) == 0;
}

/* Drops files that an unclean end of the machine may have torn, and notes that they are open in this boot. */
static int note_boot(const struct state *state, const char *dir, const char **ret_wiped)
{
    char boot[64], noted[64];
    read_line(BOOT_ID_FILE, boot);
    read_line(state->boot_path, noted);
    if (strcmp(noted, boot) != 0 && strcmp(noted, "closed") != 0 && has_data(dir)) {
        remove_files(dir);
        *ret_wiped = "the machine went down while it was open";
    }
    return write_line(state->boot_path, boot);
}

int state_open(const char *dir, const struct state_binding *binding, struct state **ret_state, const char **ret_wiped,
               struct state_error *ret_error)
{
    struct state *state = calloc(1, sizeof(*state));
    if (!state)
        return fail(ENOMEM, "cannot open the state folder", ret_error);
    *ret_wiped = NULL;
    state->checkpoint = -1;
    state->int64_keys = binding->int64_keys;
    snprintf(state->binding, sizeof(state->binding), "%s/%s/%" PRId32, binding->cluster_id ? binding->cluster_id : "",
             binding->topic, binding->partition);
    snprintf(state->boot_path, sizeof(state->boot_path), "%s/boot", dir);
    int rc = make_dirs(dir);
    if (!rc)
        rc = note_boot(state, dir, ret_wiped);
    if (!rc)
        rc = open_env(state, dir, ret_wiped);
    if (torn(rc)) {
        remove_files(dir);
        rc = open_env(state, dir, ret_wiped);
        *ret_wiped = "it was damaged";
    }
    if (rc) {
        char what[160];
        snprintf(what, sizeof(what), "cannot open the state folder %.100s", dir);
        free(state);
        return fail(rc, what, ret_error);
    }
    *ret_state = state;
    return 0;
}

void state_close(struct state *state)
{
    if (!state)
        return;
    if (state->reads)
        mdb_txn_abort(state->reads);
    bool synced = mdb_env_sync(state->env, 1) == 0;
    mdb_env_close(state->env);
    if (synced) /* where that fails the copy is rebuilt after the next boot: no harm */
        (void)write_line(state->boot_path, "closed");
    free(state);
}

int state_wipe(struct state *state, struct state_error *ret_error)
{
    MDB_txn *txn;
    int rc = begin_write(state, &txn);
    if (rc)
        return fail(rc, "cannot wipe the state", ret_error);
    rc = drop_all(state, txn);
    if (!rc)
        rc = stamp(state, txn);
    if (rc)
        mdb_txn_abort(txn);
    else
        rc = mdb_txn_commit(txn);
    return rc ? fail(rc, "cannot wipe the state", ret_error) : 0;
}

int64_t state_checkpoint(const struct state *state)
{
    return state->checkpoint;
}

struct journal_reader state_reader(const struct state *state)
{
    return state->reader;
}

/* ---- applying ---- */

static int put_entity(struct state *state, MDB_txn *txn, const struct state_change *change)
{
    char scratch[8];
    MDB_val k = val(disk_key(state, change->key, scratch));
    struct entity_head head = {.version = change->version, .exists = change->exists};
    MDB_val v = {sizeof(head) + change->value.len, NULL};
    int rc = mdb_put(txn, state->tables[ENTITIES], &k, &v, MDB_RESERVE);
    if (rc)
        return rc;
    memcpy(v.mv_data, &head, sizeof(head));
    if (change->value.len)
        memcpy((char *)v.mv_data + sizeof(head), change->value.p, change->value.len);
    rc = mdb_del(txn, state->tables[REPAIRS], &k, NULL);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static struct slice time_key(int64_t time_ms, struct slice id, char scratch[8 + KEY_MAX])
{
    size_t len = id.len < KEY_MAX - 8 ? id.len : KEY_MAX - 8;
    put_be64((uint64_t)time_ms, scratch);
    memcpy(scratch + 8, id.p, len);
    return slice_make(scratch, 8 + len);
}

static int put_outcome(struct state *state, MDB_txn *txn, struct slice id, const struct state_outcome *outcome)
{
    struct outcome_head head = {.version = outcome->version,
                                .time_ms = outcome->time_ms,
                                .status = outcome->status,
                                .binding = outcome->binding,
                                .exists = outcome->exists,
                                .fingerprint_len = (uint32_t)outcome->fingerprint.len,
                                .body_len = (uint32_t)outcome->body.len,
                                .content_type_len = (uint32_t)outcome->content_type.len,
                                .location_len = (uint32_t)outcome->location.len};
    const struct slice parts[] = {outcome->fingerprint, outcome->body, outcome->content_type, outcome->location};
    size_t size = sizeof(head);
    for (size_t i = 0; i < 4; i++)
        size += parts[i].len;
    MDB_val k = val(id), v = {size, NULL};
    int rc = mdb_put(txn, state->tables[OUTCOMES], &k, &v, MDB_RESERVE);
    if (rc)
        return rc;
    char *at = v.mv_data;
    memcpy(at, &head, sizeof(head));
    at += sizeof(head);
    for (size_t i = 0; i < 4; at += parts[i].len, i++) {
        if (parts[i].len)
            memcpy(at, parts[i].p, parts[i].len);
    }
    char scratch[8 + KEY_MAX];
    MDB_val tk = val(time_key(outcome->time_ms, id, scratch)), tv = {0, (void *)""};
    return mdb_put(txn, state->tables[TIMES], &tk, &tv, 0);
}

static int apply_one(struct state *state, MDB_txn *txn, const struct state_change *change, struct journal_reader *reader)
{
    char scratch[8];
    MDB_val k, v = {0, (void *)""};
    switch (change->kind) {
    case STATE_CLAIM:
        journal_read_claim(reader, change->key);
        return 0;
    case STATE_VOID:
        k = val(disk_key(state, change->key, scratch));
        return mdb_put(txn, state->tables[REPAIRS], &k, &v, 0);
    case STATE_EVENT:
        break;
    }
    int rc = put_entity(state, txn, change);
    if (!rc && change->command_id.p)
        rc = put_outcome(state, txn, change->command_id, &change->outcome);
    return rc;
}

static int apply_all(struct state *state, const struct state_change *changes, size_t count, int64_t next_offset,
                     struct journal_reader *reader)
{
    MDB_txn *txn;
    int rc = begin_write(state, &txn);
    if (rc)
        return rc;
    for (size_t i = 0; !rc && i < count; i++)
        rc = apply_one(state, txn, &changes[i], reader);
    if (!rc)
        rc = meta_put(state, txn, "checkpoint", slice_make(&next_offset, sizeof(next_offset)));
    if (!rc && reader->last.len)
        rc = meta_put(state, txn, "claim", slice_make(reader->last.id, reader->last.len));
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
        struct journal_reader reader = state->reader;
        int rc = apply_all(state, changes, count, next_offset, &reader);
        if (rc == MDB_MAP_FULL && grow_map(state) == 0)
            continue; /* nothing was applied: the same batch again, with more room */
        if (torn(rc)) /* the next start must not meet the same damage */
            (void)write_line(state->boot_path, "torn");
        if (rc)
            return fail(rc, "cannot write the state", ret_error);
        state->checkpoint = next_offset;
        state->reader = reader;
        return 0;
    }
}

/* ---- reading ---- */

static MDB_txn *reads(struct state *state)
{
    if (state->reading)
        return state->reads;
    int rc = state->reads ? mdb_txn_renew(state->reads) : mdb_txn_begin(state->env, NULL, MDB_RDONLY, &state->reads);
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
    MDB_val k = val(disk_key(state, key, scratch)), v;
    if (!txn || k.mv_size == 0 || mdb_get(txn, state->tables[ENTITIES], &k, &v) != 0)
        return false;
    *ret_value = entity_parts(v, ret_exists, ret_version);
    return true;
}

bool state_find_outcome(struct state *state, struct slice command_id, struct state_outcome *ret_outcome)
{
    MDB_txn *txn = reads(state);
    MDB_val k = val(command_id), v;
    if (!txn || mdb_get(txn, state->tables[OUTCOMES], &k, &v) != 0)
        return false;
    struct outcome_head head;
    memcpy(&head, v.mv_data, sizeof(head));
    const char *at = (const char *)v.mv_data + sizeof(head);
    *ret_outcome = (struct state_outcome){.status = head.status,
                                          .binding = head.binding,
                                          .exists = head.exists,
                                          .version = head.version,
                                          .time_ms = head.time_ms};
    ret_outcome->fingerprint = slice_make(at, head.fingerprint_len);
    at += head.fingerprint_len;
    ret_outcome->body = slice_make(at, head.body_len);
    at += head.body_len;
    ret_outcome->content_type = head.content_type_len ? slice_make(at, head.content_type_len) : SLICE_NONE;
    at += head.content_type_len;
    ret_outcome->location = head.location_len ? slice_make(at, head.location_len) : SLICE_NONE;
    return true;
}

/* Removes one entry of `times`, and the outcome if it is still of that time (a non-binding one may have been replaced). */
static int expire_one(struct state *state, MDB_txn *txn, MDB_cursor *cursor, MDB_val time_entry)
{
    int64_t time_ms = (int64_t)get_be64(time_entry.mv_data);
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
    int removed = 0, rc = begin_write(state, &txn);
    if (rc)
        return fail(rc, "cannot remove old outcomes", ret_error);
    rc = mdb_cursor_open(txn, state->tables[TIMES], &cursor);
    MDB_val k, v;
    while (!rc && removed < limit) {
        if (mdb_cursor_get(cursor, &k, &v, MDB_FIRST) != 0 || (int64_t)get_be64(k.mv_data) >= before_ms)
            break;
        rc = expire_one(state, txn, cursor, k);
        removed += rc == 0;
    }
    if (rc || removed == 0) {
        mdb_txn_abort(txn);
        return rc ? fail(rc, "cannot remove old outcomes", ret_error) : 0;
    }
    mdb_cursor_close(cursor);
    rc = mdb_txn_commit(txn);
    return rc ? fail(rc, "cannot remove old outcomes", ret_error) : removed;
}

/* The first key greater than `after`, by the table's order. */
static bool next_key(struct state *state, enum table table, struct slice after, MDB_val *ret_key, MDB_val *ret_value)
{
    char scratch[8];
    MDB_txn *txn = reads(state);
    MDB_cursor *cursor;
    if (!txn || mdb_cursor_open(txn, state->tables[table], &cursor) != 0)
        return false;
    MDB_val wanted = after.p ? val(disk_key(state, after, scratch)) : (MDB_val){0, NULL};
    *ret_key = wanted;
    int rc = mdb_cursor_get(cursor, ret_key, ret_value, after.p ? MDB_SET_RANGE : MDB_FIRST);
    if (rc == 0 && after.p && ret_key->mv_size == wanted.mv_size &&
        memcmp(ret_key->mv_data, wanted.mv_data, wanted.mv_size) == 0)
        rc = mdb_cursor_get(cursor, ret_key, ret_value, MDB_NEXT);
    mdb_cursor_close(cursor);
    return rc == 0;
}

static struct slice plain_key(const struct state *state, MDB_val key, char *scratch, size_t size)
{
    if (!state->int64_keys || key.mv_size != 8)
        return unval(key);
    int64_t value = (int64_t)(get_be64(key.mv_data) ^ (UINT64_C(1) << 63));
    return slice_make(scratch, (size_t)snprintf(scratch, size, "%" PRId64, value));
}

bool state_next_repair(struct state *state, struct slice after, char *ret_key, size_t size, size_t *ret_len)
{
    MDB_val k, v;
    char scratch[24];
    if (!next_key(state, REPAIRS, after, &k, &v))
        return false;
    struct slice key = plain_key(state, k, scratch, sizeof(scratch));
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
    *ret_key = plain_key(state, k, scratch, sizeof(scratch));
    *ret_value = entity_parts(v, ret_exists, &version);
    return true;
}
