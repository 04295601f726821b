/* SPDX-License-Identifier: Apache-2.0 */
/* One walk over the marks; see forget.h. */
#include "dead/forget.h"

#include <errno.h>
#include <stdlib.h>

#define ONCE_MAX 100000 /* tombstones: fewer than the producer's queue takes */

/* Where the partitions of letters begin, as far as it was asked. */
struct begins {
    struct begin {
        char service[DEAD_SERVICE_SIZE];
        int32_t partition;
        int64_t offset;
    } *list;
    size_t count;
};

/* 0, or -errno. A topic that there is not begins nowhere: its marks stay, it may only be away. */
static int ask(struct dead_desk *desk, const struct dead_id *id, int64_t *ret_offset)
{
    char topic[DEAD_TOPIC_SIZE];
    dead_topic_of(id->service, topic);
    int err = reader_begin(desk->reader, topic, id->partition, DEAD_TIMEOUT_MS, ret_offset);
    if (err == -ENOENT)
        *ret_offset = -1;
    return err == -ENOENT ? 0 : err;
}

static int begin_of(struct dead_desk *desk, struct begins *begins, const struct dead_id *id, int64_t *ret_offset)
{
    for (size_t i = begins->count; i-- > 0;) {
        if (begins->list[i].partition == id->partition && strcmp(begins->list[i].service, id->service) == 0) {
            *ret_offset = begins->list[i].offset;
            return 0;
        }
    }
    struct begin *grown = realloc(begins->list, (begins->count + 1) * sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    begins->list = grown;
    int err = ask(desk, id, ret_offset);
    if (err)
        return err;
    struct begin *begin = &grown[begins->count++];
    *begin = (struct begin){.partition = id->partition, .offset = *ret_offset};
    memcpy(begin->service, id->service, sizeof(begin->service));
    return 0;
}

int dead_forget(struct dead_desk *desk, struct dead_error *ret_error)
{
    struct begins begins = {NULL, 0};
    struct dead_id id;
    size_t cursor = 0;
    int64_t begin;
    int err = 0, count = 0;
    while (!err && count < ONCE_MAX && dead_marks_next(dead_book_marks(desk->book), &cursor, &id)) {
        char name[DEAD_ID_SIZE];
        err = begin_of(desk, &begins, &id, &begin);
        if (err || id.offset >= begin)
            continue;
        dead_id_write(&id, name);
        err = dead_desk_write(desk, "mark", name, SLICE_NONE, NULL);
        count += !err;
    }
    free(begins.list);
    if (err)
        dead_error_set(ret_error, "old marks cannot be taken out: %s", strerror(-err));
    return err ? err : count;
}
