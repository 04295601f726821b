/* SPDX-License-Identifier: Apache-2.0 */
/* The control topic in memory. */
#include "dead/book.h"

#include "support.h"

#define FIRST  "01a20e58-0000-7000-8000-000000000001"
#define SECOND "01a20e58-0000-7000-8000-000000000002"
#define ORDER                                                                                                \
    "{\"action\":\"redrive\",\"filter\":{},\"rate\":1,\"max_rounds\":1,\"by\":\"b\","                        \
    "\"created_at\":\"2026-01-31T12:00:00Z\",\"spans\":[]}"

static struct dead_book *book;

static int open_book(void **unused)
{
    book = dead_book_new();
    return book ? 0 : -1;
}

static int close_book(void **unused)
{
    dead_book_free(book);
    return 0;
}

static void apply(const char *key, const char *value)
{
    const struct record rec = {.topic = "control", .key = slice_of(key), .value = slice_of(value)};
    assert_true(dead_book_apply(book, &rec));
}

static void marks_are_found_by_their_letter(void **unused)
{
    struct dead_id id = {.service = "item", .partition = 3, .offset = 9}, other = {.service = "item", .partition = 3, .offset = 99};
    struct dead_mark mark = {.state = DEAD_DISCARDED, .at_ms = 1769860800000, .job = FIRST, .reason = "a \"reason\""};
    struct buf text = {0};
    dead_book_write_mark(&text, &mark);
    buf_append(&text, "", 1);
    assert_null(dead_book_mark(book, &id));
    apply("mark/item-3-9", text.data);
    const struct dead_mark *found = dead_book_mark(book, &id);
    assert_non_null(found);
    assert_memory_equal(found, &mark, sizeof(mark));
    assert_null(dead_book_mark(book, &other));
    apply("mark/item-3-9", "{\"state\":\"redriven\",\"at\":\"2026-01-31T12:00:00Z\",\"job\":\"j\"}");
    assert_int_equal(dead_book_mark(book, &id)->state, DEAD_REDRIVEN);
    apply("mark/item-3-9", NULL);
    assert_null(dead_book_mark(book, &id));
    buf_done(&text);
}

static void jobs_come_by_age(void **unused)
{
    assert_null(dead_book_next(book, NULL));
    apply("job/" SECOND, ORDER);
    apply("job/" FIRST, ORDER);
    struct dead_job *first = dead_book_job(book, SLICE(FIRST)), *second = dead_book_job(book, SLICE(SECOND));
    assert_ptr_equal(dead_book_next(book, NULL), first);
    assert_ptr_equal(dead_book_next(book, first), second); /* they take turns */
    assert_ptr_equal(dead_book_next(book, second), first);
    assert_ptr_equal(dead_book_before(book, NULL), second);
    assert_ptr_equal(dead_book_before(book, second), first);
    assert_null(dead_book_before(book, first));
    apply("progress/" FIRST, "{\"phase\":\"running\",\"done\":3,\"updated_at\":\"2026-01-31T12:00:00Z\"}");
    assert_ptr_equal(dead_book_newest(book), first);
    apply("progress/" SECOND, "{\"phase\":\"running\",\"updated_at\":\"2026-01-31T12:00:01Z\"}");
    assert_ptr_equal(dead_book_newest(book), second);
    assert_ptr_equal(dead_book_next(book, NULL), first);
    assert_int_equal(first->progress.done, 3);
    apply("progress/" FIRST, "{\"phase\":\"done\",\"done\":4}");
    assert_ptr_equal(dead_book_next(book, NULL), second);
    assert_ptr_equal(dead_book_next(book, second), second);
    assert_false(second->cancelled);
    apply("cancel/" SECOND, "{}");
    assert_true(second->cancelled);
    assert_ptr_equal(dead_book_next(book, NULL), second); /* its runner ends it */
}

static void what_it_does_not_understand_is_left_out(void **unused)
{
    apply("progress/" FIRST, "{\"phase\":\"running\"}"); /* its order was lost */
    assert_null(dead_book_job(book, SLICE(FIRST)));
    assert_null(dead_book_next(book, NULL));
    apply("job/" SECOND, "{}");
    assert_null(dead_book_next(book, NULL));
    apply("mark/item-0-0", "?");
    apply("other/key", "{}");
    apply("mark", "{}");
    const struct record keyless = {.topic = "control", .value = SLICE("{}")};
    assert_true(dead_book_apply(book, &keyless));
    apply("job/" FIRST, ORDER);
    assert_int_equal(dead_book_job(book, SLICE(FIRST))->progress.phase, DEAD_RUNNING);
    apply("job/" FIRST, NULL); /* somebody may be at work on it */
    assert_non_null(dead_book_job(book, SLICE(FIRST)));
}

static void breakers_are_shown_with_their_age(void **unused)
{
    const int64_t noon = 1769860800000;
    struct buf text = {0};
    dead_book_show_breakers(&text, book, noon);
    assert_true(text_has(&text, "[]"));
    apply("breaker/item/worker-1/item.put",
          "{\"phase\":\"open\",\"at\":\"2026-01-31T12:00:00Z\",\"until\":\"2026-01-31T12:00:30Z\",\"reason\":\"down\"}");
    apply("breaker/item/worker-2/item.put", "{}");
    buf_clear(&text);
    dead_book_show_breakers(&text, book, noon + 31000);
    assert_true(text_has(&text, "{\"service\":\"item\",\"instance\":\"worker-1\",\"operation\":\"item.put\",\"phase\":\"open\""));
    assert_false(text_has(&text, "worker-2"));
    buf_clear(&text);
    dead_book_show_breakers(&text, book, noon + 91000);
    assert_true(text_has(&text, "\"phase\":\"unheard\""));
    apply("breaker/item/worker-1/item.put",
          "{\"phase\":\"closed\",\"at\":\"2026-01-31T12:00:00Z\",\"until\":\"2026-01-31T12:00:00Z\",\"reason\":\"\"}");
    buf_clear(&text);
    dead_book_show_breakers(&text, book, noon + 91000);
    assert_true(text_has(&text, "\"phase\":\"closed\""));
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(marks_are_found_by_their_letter, open_book, close_book),
        cmocka_unit_test_setup_teardown(jobs_come_by_age, open_book, close_book),
        cmocka_unit_test_setup_teardown(breakers_are_shown_with_their_age, open_book, close_book),
        cmocka_unit_test_setup_teardown(what_it_does_not_understand_is_left_out, open_book, close_book),
    };
    return cmocka_run_group_tests_name("book", tests, NULL, NULL);
}
