/* SPDX-License-Identifier: Apache-2.0 */
/* Records of the control topic, ids of letters, orders as operators write them. */
#include <assert.h>
#include <stdlib.h>

#include "dead/book.h"
#include "json.h"

static void check_id(struct slice text)
{
    struct dead_id id, back;
    char written[DEAD_ID_SIZE];
    if (!dead_id_parse(text, &id))
        return;
    dead_id_write(&id, written);
    bool again = dead_id_parse(slice_of(written), &back);
    assert(memchr(text.p, 0, text.len) || (again && memcmp(&id, &back, sizeof(id)) == 0));
}

static void check_order(struct slice text)
{
    struct json_error wrong;
    struct dead_error error;
    struct dead_order order;
    struct json_object *object = json_parse_strict(text, &wrong);
    dead_order_init(&order, text.len % 2 ? DEAD_REDRIVE : DEAD_DISCARD);
    if (object && json_object_is_type(object, json_type_object) && dead_order_read(&order, object, INT64_C(1769860800000), &error)) {
        struct buf written = {0};
        dead_filter_write(&written, &order.filter);
        assert(buf_ok(&written) && json_check_strict(buf_slice(&written), &wrong));
        buf_done(&written);
    }
    dead_order_done(&order);
    json_object_put(object);
}

static void check_book(struct slice value)
{
    static const char *const keys[] = {"job/a", "progress/a", "cancel/a", "mark/item-0-0", "job/a",
                                       "breaker/item/worker-1/item.put"};
    struct dead_book *book = dead_book_new();
    assert(book);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct record rec = {.topic = "control", .key = slice_of(keys[i]), .value = value};
        bool ok = dead_book_apply(book, &rec);
        assert(ok);
    }
    struct json_error wrong;
    struct buf text = {0};
    dead_book_show_breakers(&text, book, INT64_C(1769860800000));
    assert(json_check_strict(buf_slice(&text), &wrong));
    buf_clear(&text);
    struct dead_job *job = dead_book_job(book, SLICE("a"));
    if (job) {
        dead_job_write(&text, job);
        struct dead_job *back = dead_job_new("a");
        assert(back && dead_job_read(back, buf_slice(&text)));
        assert(back->spans.count == job->spans.count);
        dead_job_free(back);
        buf_clear(&text);
        dead_job_show(&text, job);
        assert(json_check_strict(buf_slice(&text), &wrong));
    }
    buf_done(&text);
    dead_book_free(book);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *exact = malloc(size ? size : 1);
    assert(exact);
    if (size)
        memcpy(exact, data, size);
    struct slice text = slice_make(exact, size);
    check_id(text);
    check_order(text);
    check_book(text);
    free(exact);
    return 0;
}
