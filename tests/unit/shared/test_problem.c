/* SPDX-License-Identifier: Apache-2.0 */
/* Problem details bodies (RFC 9457). */
#include "problem.h"

#include "json.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void a_problem_is_json_with_all_its_members(void **state)
{
    struct buf out = {0};
    problem_write(&out, 404, SLICE("Item not found"));
    const char *expected =
        "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,\"detail\":\"Item not found\"}";
    assert_true(buf_ok(&out));
    assert_int_equal(out.len, strlen(expected));
    assert_memory_equal(out.data, expected, out.len);
    buf_done(&out);
}

static void any_detail_stays_json(void **state)
{
    struct buf out = {0};
    struct json_error error = {""};
    problem_writef(&out, 422, "member \"%s\" must be %d\n\x01 — %s", "name\\", 7, "ü");
    struct json_object *body = json_parse_strict(buf_slice(&out), &error);
    assert_string_equal(error.text, "");
    assert_non_null(body);
    assert_true(slice_is(json_member_string(body, "detail"), "member \"name\\\" must be 7\n\x01 — ü"));
    assert_int_equal(json_member_int64(body, "status", 0), 422);
    json_object_put(body);
    buf_done(&out);
}

static void statuses_have_their_titles(void **state)
{
    assert_string_equal(problem_title(504), "Gateway Timeout");
    assert_string_equal(problem_title(299), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_problem_is_json_with_all_its_members),
        cmocka_unit_test(any_detail_stays_json),
        cmocka_unit_test(statuses_have_their_titles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
