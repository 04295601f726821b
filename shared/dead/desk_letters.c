/* SPDX-License-Identifier: Apache-2.0 */
/* What operators ask about letters: a list of them, one with its history. */
#include <errno.h>
#include <stdio.h>

#include "dead/desk_own.h"

/* Moves the scan behind that letter. */
static void skip_to(struct dead_scan *scan, const struct dead_id *after)
{
    for (; scan->span < scan->spans->count; scan->span++) {
        const struct dead_span *span = &scan->spans->list[scan->span];
        int by_name = strcmp(span->service, after->service);
        if (by_name == 0 && span->partition == after->partition)
            scan->offset = after->offset + 1;
        if (by_name > 0 || (by_name == 0 && span->partition >= after->partition))
            return;
    }
}

int dead_desk_list(struct dead_desk *desk, const struct dead_filter *filter, const struct dead_id *after, size_t limit,
                   dead_letter_fn *show, void *arg, struct dead_id *ret_next, struct dead_error *ret_error)
{
    struct dead_spans spans = {NULL, 0};
    struct message *msg;
    size_t shown = 0;
    memset(ret_next, 0, sizeof(*ret_next));
    int got = dead_desk_refresh(desk, ret_error);
    if (!got)
        got = dead_desk_spans(desk, filter->service, &spans, ret_error);
    struct dead_scan scan = {.spans = &spans};
    if (after)
        skip_to(&scan, after);
    while (!got && shown < limit && (got = dead_desk_next_or_fail(desk, &scan, &msg, ret_error)) == 1) {
        struct dead_letter letter;
        dead_letter_read(&msg->rec, spans.list[scan.span].service, &letter);
        const struct dead_mark *mark = dead_book_mark(desk->book, &letter.id);
        got = 0;
        if (dead_filter_matches(filter, &letter, mark ? mark->state : DEAD_OPEN)) {
            shown++;
            if (!show(arg, &letter, mark))
                got = -ENOMEM;
            *ret_next = letter.id;
        }
        message_free(msg);
    }
    if (scan.span == spans.count)
        memset(ret_next, 0, sizeof(*ret_next));
    dead_desk_stop(desk, &scan);
    dead_spans_done(&spans);
    return got;
}

struct history {
    struct buf text;
    const struct dead_letter *letter;
};

static bool add_history(void *arg, const struct dead_letter *letter, const struct dead_mark *mark)
{
    struct history *history = arg;
    buf_append_text(&history->text, history->text.len > 1 ? "," : "");
    dead_letter_write(&history->text, letter, mark);
    return buf_ok(&history->text);
}

/* All letters of the command, this one too: they have its key, so they lie in its partition. */
static int write_history(struct dead_desk *desk, const struct dead_letter *letter, struct history *history,
                         struct dead_error *ret_error)
{
    struct dead_filter filter;
    struct dead_spans spans = {NULL, 0};
    int64_t low, high;
    char topic[DEAD_TOPIC_SIZE];
    dead_topic_of(letter->id.service, topic);
    dead_filter_init(&filter);
    filter.state = DEAD_ANY;
    snprintf(filter.command_id, sizeof(filter.command_id), "%.*s", SLICE_ARG(letter->command_id));
    int got = dead_desk_ends(desk, topic, letter->id.partition, &low, &high, ret_error);
    if (!got && !dead_spans_add(&spans, letter->id.service, letter->id.partition, low, high))
        got = -ENOMEM;
    struct dead_scan scan = {.spans = &spans};
    struct message *msg;
    while (!got && (got = dead_desk_next_or_fail(desk, &scan, &msg, ret_error)) == 1) {
        struct dead_letter other;
        dead_letter_read(&msg->rec, letter->id.service, &other);
        got = 0;
        if (dead_filter_matches(&filter, &other, DEAD_ANY) &&
            !add_history(history, &other, dead_book_mark(desk->book, &other.id)))
            got = -ENOMEM;
        message_free(msg);
    }
    dead_desk_stop(desk, &scan);
    dead_spans_done(&spans);
    return got;
}

int dead_desk_read(struct dead_desk *desk, const struct dead_id *id, struct buf *out, struct dead_error *ret_error)
{
    char topic[DEAD_TOPIC_SIZE];
    dead_topic_of(id->service, topic);
    int err = dead_desk_refresh(desk, ret_error);
    if (err)
        return err;
    struct message *msg = dead_desk_record(desk, topic, id->partition, id->offset, ret_error);
    if (!msg)
        return -ENOENT;
    struct dead_letter letter;
    dead_letter_read(&msg->rec, id->service, &letter);
    struct history history = {.letter = &letter};
    buf_append_text(&history.text, "[");
    err = letter.command_id.p ? write_history(desk, &letter, &history, ret_error) : 0;
    buf_append_text(&history.text, "]");
    if (!err)
        dead_letter_write_whole(out, &letter, dead_book_mark(desk->book, id), buf_slice(&history.text));
    buf_done(&history.text);
    message_free(msg);
    return err;
}
