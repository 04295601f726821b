/* SPDX-License-Identifier: Apache-2.0 */
/* One page out of many: in order, byte for byte, and never past what is not known. */
#include "list.h"

#include "support.h"

static char *merge(const char *const *texts, size_t count, int64_t limit, struct buf *out)
{
    struct slice pages[8];
    for (size_t i = 0; i < count; i++)
        pages[i] = slice_of(texts[i]);
    buf_clear(out);
    if (!list_merge(pages, count, limit, out))
        return NULL;
    buf_append(out, "", 1);
    return out->data;
}

static void pages_are_merged_in_numeric_order(void **unused)
{
    static const char *const pages[] = {
        "{\"items\":[{\"id\":-9223372036854775808,\"n\":\"a\"},{\"id\":10}],\"more\":false}",
        "{\"items\":[{\"id\":-1},{\"id\":9}],\"more\":false}",
        "{\"items\":[],\"more\":false}",
    };
    struct buf out = {0};
    assert_string_equal(merge(pages, 3, 100, &out), "{\"items\":[{\"id\":-9223372036854775808,\"n\":\"a\"},{"
                                                    "\"id\":-1},{\"id\":9},{\"id\":10}],\"next\":null}");
    buf_done(&out);
}

static void the_limit_leaves_a_cursor(void **unused)
{
    static const char *const pages[] = {
        "{\"items\":[{\"id\":1},{\"id\":3}],\"more\":false}",
        "{\"items\":[{\"id\":2}],\"more\":false}",
    };
    struct buf out = {0};
    assert_string_equal(merge(pages, 2, 2, &out), "{\"items\":[{\"id\":1},{\"id\":2}],\"next\":\"2\"}");
    assert_string_equal(merge(pages, 2, 3, &out),
                        "{\"items\":[{\"id\":1},{\"id\":2},{\"id\":3}],\"next\":null}");
    buf_done(&out);
}

/* The first partition may have 2 and 4 still to show: 5 must wait for the next page. */
static void a_page_that_has_more_is_not_run_past(void **unused)
{
    static const char *const pages[] = {
        "{\"items\":[{\"id\":1}],\"more\":true}",
        "{\"items\":[{\"id\":0},{\"id\":5}],\"more\":false}",
    };
    struct buf out = {0};
    assert_string_equal(merge(pages, 2, 10, &out), "{\"items\":[{\"id\":0},{\"id\":1}],\"next\":\"1\"}");
    buf_done(&out);
}

static void items_are_copied_byte_for_byte(void **unused)
{
    static const char *const pages[] = {
        "{\"more\":false , \"items\" : [ {\"x\":{\"id\":7,\"y\":[1,{}]}, \"name\":\"a\\\"},{[\\\\\", \"id\" "
        ": 3, "
        "\"d\":1.50} , {\"id\":4} ] }",
    };
    struct buf out = {0};
    assert_string_equal(merge(pages, 1, 10, &out),
                        "{\"items\":[{\"x\":{\"id\":7,\"y\":[1,{}]}, \"name\":\"a\\\"},{[\\\\\", \"id\" : 3, "
                        "\"d\":1.50},{\"id\":4}],\"next\":null}");
    buf_done(&out);
}

static void nothing_at_all_is_an_empty_list(void **unused)
{
    static const char *const pages[] = {"{\"items\":[],\"more\":false}"};
    struct buf out = {0};
    assert_string_equal(merge(pages, 1, 10, &out), "{\"items\":[],\"next\":null}");
    assert_string_equal(merge(pages, 0, 10, &out), "{\"items\":[],\"next\":null}");
    buf_done(&out);
}

static void other_shapes_are_refused(void **unused)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"items\":{}}",
        "{\"items\":[1]}",
        "{\"items\":[{}]}",
        "{\"items\":[{\"id\":\"1\"}]}",
        "{\"items\":[{\"id\":1.5}]}",
        "{\"items\":[{\"id\":1}{\"id\":2}]}",
        "{\"items\":[{\"id\":1},]}",
        "{\"items\":[{\"id\":1}",
        "{\"items\":[{\"id\":1]}",
        "{\"items\"",
        "{\"items\":\"",
        "{\"items\":[{\"id\":1}]",
        "{\"items\":[\"\\",
        "{\"items\":[{\"id\":}]}",
        "{items:[]}",
    };
    struct buf out = {0};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_null(merge(&texts[i], 1, 10, &out));
    struct slice absent = SLICE_NONE;
    assert_false(list_merge(&absent, 1, 10, &out));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_merged_in_numeric_order),
        cmocka_unit_test(the_limit_leaves_a_cursor),
        cmocka_unit_test(a_page_that_has_more_is_not_run_past),
        cmocka_unit_test(items_are_copied_byte_for_byte),
        cmocka_unit_test(nothing_at_all_is_an_empty_list),
        cmocka_unit_test(other_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
