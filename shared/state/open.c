/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, locking, wiping and closing the store. */
#include "state/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT       "6"
#define MAP_INITIAL  (UINT64_C(256) << 20)
#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

static const char *const table_names[TABLES] = {"meta",    "entities", "outcomes", "times",
                                                "repairs", "gone",     "spent",    "attempts", "parts"};

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

static int open_tables(struct state *state, MDB_txn *txn)
{
    for (int t = 0; t < TABLES; t++) {
        int rc = mdb_dbi_open(txn, table_names[t], MDB_CREATE, &state->tables[t]);
        if (rc)
            return rc;
    }
    return 0;
}

static bool meta_is(struct state *state, MDB_txn *txn, const char *name, const char *wanted,
                    bool *ret_present)
{
    MDB_val k = state_val(slice_of(name)), v;
    *ret_present = mdb_get(txn, state->tables[META], &k, &v) == 0;
    return *ret_present && slice_is(state_unval(v), wanted);
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
    state->claim_at = (struct claim_at){.offset = -1};
    return 0;
}

static int stamp(struct state *state, MDB_txn *txn)
{
    int rc = state_meta_put(state, txn, "format", slice_of(FORMAT));
    if (!rc)
        rc = state_meta_put(state, txn, "binding", slice_of(state->binding));
    return rc;
}

static void load_position(struct state *state, MDB_txn *txn)
{
    MDB_val k = state_val(SLICE("checkpoint")), v;
    if (mdb_get(txn, state->tables[META], &k, &v) == 0 && v.mv_size == sizeof(state->checkpoint))
        memcpy(&state->checkpoint, v.mv_data, sizeof(state->checkpoint));
    k = state_val(SLICE("claim"));
    if (mdb_get(txn, state->tables[META], &k, &v) == 0 && v.mv_size <= JOURNAL_CLAIM_MAX)
        journal_read_claim(&state->reader, state_unval(v));
    k = state_val(SLICE("claim_at"));
    if (mdb_get(txn, state->tables[META], &k, &v) == 0 && v.mv_size == sizeof(state->claim_at))
        memcpy(&state->claim_at, v.mv_data, sizeof(state->claim_at));
}

static int prepare(struct state *state, const char **ret_wiped)
{
    MDB_txn *txn;
    int rc = state_begin_write(state, &txn);
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
    if (mdb_env_info(state->env, &info) || mdb_env_stat(state->env, &stat) ||
        mdb_env_get_fd(state->env, &fd) || fstat(fd, &file))
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
    return state_note(state->boot_path, boot);
}

int state_open(const char *dir, const struct state_binding *binding, struct state **ret_state,
               const char **ret_wiped, struct state_error *ret_error)
{
    struct state *state = calloc(1, sizeof(*state));
    if (!state)
        return state_fail(ENOMEM, "cannot open the state folder", ret_error);
    *ret_wiped = NULL;
    state->checkpoint = -1;
    state->claim_at.offset = -1;
    state->int64_keys = binding->int64_keys;
    snprintf(state->binding, sizeof(state->binding), "%s/%s/%" PRId32,
             binding->cluster_id ? binding->cluster_id : "", binding->topic, binding->partition);
    snprintf(state->boot_path, sizeof(state->boot_path), "%s/boot", dir);
    int rc = make_dirs(dir);
    if (!rc)
        rc = note_boot(state, dir, ret_wiped);
    if (!rc)
        rc = open_env(state, dir, ret_wiped);
    if (state_torn(rc)) {
        remove_files(dir);
        rc = open_env(state, dir, ret_wiped);
        *ret_wiped = "it was damaged";
    }
    if (rc) {
        char what[160];
        snprintf(what, sizeof(what), "cannot open the state folder %.100s", dir);
        rc = state_reason(state, rc);
        free(state);
        return state_fail(rc, what, ret_error);
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
        (void)state_note(state->boot_path, "closed");
    free(state);
}

int state_wipe(struct state *state, struct state_error *ret_error)
{
    MDB_txn *txn;
    int rc = state_begin_write(state, &txn);
    if (rc)
        return state_fail(rc, "cannot wipe the state", ret_error);
    rc = drop_all(state, txn);
    if (!rc)
        rc = stamp(state, txn);
    if (rc)
        mdb_txn_abort(txn);
    else
        rc = mdb_txn_commit(txn);
    return rc ? state_fail(rc, "cannot wipe the state", ret_error) : 0;
}

int64_t state_checkpoint(const struct state *state)
{
    return state->checkpoint;
}

int64_t state_claim_offset(const struct state *state)
{
    return state->claim_at.offset;
}

struct journal_reader state_reader(const struct state *state)
{
    return state->reader;
}
