/* SPDX-License-Identifier: Apache-2.0 */
/* One page of computations out of many: newest first, and nothing older than what was not looked at. */
#include "timeline.h"

#include <stdio.h>

#include "operation_id.h"
#include "support.h"

/* "<ms>.<operation>" or an item with these two: `id` is the command's. */
static const char *cursor(int ms, const char *id)
{
    static char texts[8][200];
    static unsigned turn;
    struct buf out = {0};
    char *text = texts[turn++ % 8];
    operation_write(&out, SLICE("compute"), slice_of(id), SLICE("k"));
    snprintf(text, sizeof(texts[0]), "%d.%.*s", ms, SLICE_ARG(buf_slice(&out)));
    buf_done(&out);
    return text;
}

static void add_item(struct buf *page, int ms, const char *id)
{
    const char *text = strchr(cursor(ms, id), '.') + 1;
    buf_printf(page, "%s{\"operation\":\"%s\",\"time\":\"1970-01-01T00:00:00.%03dZ\",\"id\":\"%s\"}", page->len ? "," : "", text, ms, id);
}

struct spec {
    struct {
        int ms;
        const char *id;
    } items[4], until; /* without an id: the end */
};

/* The ids of the merged page, and its cursor. */
static void expect(const struct spec *specs, size_t count, int64_t limit, const char *ids, const char *next)
{
    struct buf pages[4] = {{0}}, out = {0}, expected = {0};
    struct slice texts[4];
    for (size_t i = 0; i < count; i++) {
        struct buf items = {0};
        for (size_t k = 0; k < 4 && specs[i].items[k].id; k++)
            add_item(&items, specs[i].items[k].ms, specs[i].items[k].id);
        buf_printf(&pages[i], "{\"computations\":[%.*s],\"until\":", SLICE_ARG(buf_slice(&items)));
        if (specs[i].until.id)
            buf_printf(&pages[i], "\"%s\"}", cursor(specs[i].until.ms, specs[i].until.id));
        else
            buf_append_text(&pages[i], "null}");
        texts[i] = buf_slice(&pages[i]);
        buf_done(&items);
    }
    assert_true(timeline_merge(texts, count, limit, &out));
    buf_append(&out, "", 1);
    for (const char *at = out.data; (at = strstr(at, "\"id\":\"")); at++)
        buf_printf(&expected, "%.*s", (int)strcspn(at + 6, "\""), at + 6);
    buf_append(&expected, "", 1);
    assert_string_equal(expected.data, ids);
    assert_string_equal(strstr(out.data, ",\"next\":") + 8, next);
    for (size_t i = 0; i < count; i++)
        buf_done(&pages[i]);
    buf_done(&out);
    buf_done(&expected);
}

static const char *quoted(int ms, const char *id)
{
    static char text[210];
    snprintf(text, sizeof(text), "\"%s\"}", cursor(ms, id));
    return text;
}

static void newest_first(void **unused)
{
    const struct spec two[] = {{.items = {{9, "a"}, {3, "b"}}}, {.items = {{8, "c"}, {3, "d"}, {1, "e"}}}};
    expect(two, 2, 10, "acdbe", "null}");
    expect(two, 2, 5, "acdbe", "null}");
    expect(two, 2, 3, "acd", quoted(3, "d"));
    const struct spec none[] = {{.items = {{0, NULL}}}, {.items = {{0, NULL}}}};
    expect(none, 2, 10, "", "null}");
}

/* The first has looked as far as 5: what it has behind that may be newer than 3. */
static void not_beyond_what_was_looked_at(void **unused)
{
    const struct spec two[] = {{.items = {{9, "a"}}, .until = {5, "x"}}, {.items = {{7, "b"}, {3, "c"}}}};
    expect(two, 2, 10, "ab", quoted(5, "x"));
    expect(two, 2, 1, "a", quoted(9, "a"));
    const struct spec full[] = {{.items = {{9, "a"}, {5, "b"}}, .until = {5, "b"}}};
    expect(full, 1, 10, "ab", quoted(5, "b"));
    expect(full, 1, 2, "ab", quoted(5, "b"));
    const struct spec nothing[] = {{.items = {{0, NULL}}, .until = {5, "x"}}, {.items = {{4, "b"}}, .until = {2, "y"}}};
    expect(nothing, 2, 10, "", quoted(5, "x"));
}

static void others_are_none(void **unused)
{
    static const char *const cases[] = {"", "{}", "{\"computations\":[]}", "{\"computations\":[{}],\"until\":null}",
                                        "{\"computations\":[],\"until\":\"5\"}", "{\"computations\":[],\"until\":5}",
                                        "{\"computations\":[{\"operation\":\"x\",\"time\":\"1970-01-01T00:00:00Z\"}],\"until\":null}",
                                        "{\"computations\":7,\"until\":null}"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out = {0};
        struct slice text = slice_of(cases[i]);
        if (timeline_merge(&text, 1, 10, &out))
            fail_msg("%s was taken", cases[i]);
        buf_done(&out);
    }
    assert_true(timeline_is_cursor(slice_of(cursor(1764138000, "a"))));
    assert_false(timeline_is_cursor(SLICE("")));
    assert_false(timeline_is_cursor(SLICE_NONE));
    assert_false(timeline_is_cursor(SLICE("5")));
    assert_false(timeline_is_cursor(SLICE("5.x")));
    assert_false(timeline_is_cursor(SLICE("-5.Y29tcHV0ZQphCms")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(newest_first), cmocka_unit_test(not_beyond_what_was_looked_at),
                                       cmocka_unit_test(others_are_none)};
    return cmocka_run_group_tests_name("timeline", tests, NULL, NULL);
}
