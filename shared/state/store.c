/* SPDX-License-Identifier: Apache-2.0 */
/* What reading and writing the store share: keys on disk, transactions, errors. */
#include "state/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A disk with less free space than this is full: a batch of events may need as much. */
#define FULL_BYTES (UINT64_C(4) << 20)

int state_fail(int rc, const char *what, struct state_error *ret_error)
{
    snprintf(ret_error->text, sizeof(ret_error->text), "%s: %s%s", what, mdb_strerror(rc),
             rc == ENOSPC ? "; free disk space, then start again: nothing is lost" : "");
    return rc > 0 ? -rc : rc == MDB_MAP_FULL ? -ENOSPC : -EIO;
}

int state_reason(const struct state *state, int rc)
{
    struct statvfs disk;
    if (rc != EIO || statvfs(state->boot_path, &disk) != 0)
        return rc;
    return (uint64_t)disk.f_bavail * disk.f_frsize < FULL_BYTES ? ENOSPC : rc;
}

bool state_torn(int rc)
{
    return rc == MDB_INVALID || rc == MDB_CORRUPTED || rc == MDB_VERSION_MISMATCH || rc == MDB_PANIC ||
           rc == MDB_PAGE_NOTFOUND || rc == EINVAL;
}

/* A write transaction with room: LMDB opens a map that is just as large as its data, and only a growth gives
 * it more. */
int state_begin_write(struct state *state, MDB_txn **ret_txn)
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

int state_meta_put(struct state *state, MDB_txn *txn, const char *name, struct slice value)
{
    MDB_val k = state_val(slice_of(name)), v = state_val(value);
    return mdb_put(txn, state->tables[META], &k, &v, 0);
}

/* Durable before the return: what it says must not be older than what happens to the data after. */
int state_note(const char *path, const char *text)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    size_t len = strlen(text);
    int rc = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0 ? 0 : errno ? errno : EIO;
    close(fd);
    return rc;
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

void state_put_be64(uint64_t value, char out[8])
{
    for (int i = 7; i >= 0; i--, value >>= 8)
        out[i] = (char)(value & 0xff);
}

uint64_t state_get_be64(const char *in)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | (unsigned char)in[i];
    return value;
}

struct slice state_time_key(int64_t time_ms, struct slice id, char scratch[8 + STATE_KEY_MAX])
{
    size_t len = id.len < STATE_KEY_MAX - 8 ? id.len : STATE_KEY_MAX - 8;
    state_put_be64((uint64_t)time_ms, scratch);
    if (len)
        memcpy(scratch + 8, id.p, len);
    return slice_make(scratch, 8 + len);
}

/* Entity keys on disk. `scratch` holds the int64 form. */
struct slice state_disk_key(const struct state *state, struct slice key, char scratch[8])
{
    int64_t value;
    if (!state->int64_keys || !state_key_is_int64(key, &value))
        return key;
    state_put_be64((uint64_t)value ^ (UINT64_C(1) << 63), scratch);
    return slice_make(scratch, 8);
}

struct slice state_plain_key(const struct state *state, MDB_val key, char *scratch, size_t size)
{
    if (!state->int64_keys || key.mv_size != 8)
        return state_unval(key);
    int64_t value = (int64_t)(state_get_be64(key.mv_data) ^ (UINT64_C(1) << 63));
    return slice_make(scratch, (size_t)snprintf(scratch, size, "%" PRId64, value));
}
