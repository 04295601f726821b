/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of compute.start: the long text is taken out, whatever stands around it, and the rest is as strict as ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "body.h"

static void expect(const char *text, const char *bulk_name, const char *bulk, const char *rest)
{
    struct body body;
    struct buf error = {0};
    if (!body_parse(slice_of(text), &body, &error))
        fail_msg("%s: %.*s", text, SLICE_ARG(buf_slice(&error)));
    assert_true(slice_equal(slice_of(body.input.bulk_name), slice_of(bulk_name)));
    assert_true(slice_equal(body.input.bulk, slice_of(bulk)));
    assert_string_equal(json_object_to_json_string_ext(body.input.params, JSON_C_TO_STRING_PLAIN), rest);
    body_done(&body);
}

static void takes_the_long_text_out(void **state)
{
    expect("{\"kind\":\"statistics\",\"params\":{\"numbers\":[1,2]}}", "numbers", "[1,2]", "{}");
    expect(" { \"params\" : { \"quantiles\" : [0.5] , \"csv\" : \"a]}\\\",\\\\\" } , \"kind\" : \"statistics\" } ", "csv",
           "\"a]}\\\",\\\\\"", "{\"quantiles\":[0.5]}");
    expect("{\"kind\":\"statistics\",\"params\":{\"csv\":\"1\",\"column\":1,\"header\":false}}", "csv", "\"1\"",
           "{\"column\":1,\"header\":false}");
    expect("{\"kind\":\"statistics\",\"params\":{\"column\":1,\"csv\":\"\"}}", "csv", "\"\"", "{\"column\":1}");
    expect("{\"kind\":\"primes\",\"params\":{\"n\":7}}", NULL, NULL, "{\"n\":7}");
    expect("{\"k\\u0069nd\":\"primes\",\"params\":{\"\\u006e\":7}}", NULL, NULL, "{\"n\":7}");
}

static void refuse(const char *text, const char *words)
{
    struct body body;
    struct buf error = {0};
    if (body_parse(slice_of(text), &body, &error))
        fail_msg("%s was not refused", text);
    buf_append(&error, "", 1);
    if (!strstr(error.data, words))
        fail_msg("\"%s\" is not in \"%s\"", words, error.data);
    buf_done(&error);
}

static void refuses(void **state)
{
    refuse("", "not valid JSON: byte 0");
    refuse("null", "not valid JSON: byte 0: the value must not be null");
    refuse("[]", "must be an object");
    refuse("7", "must be an object");
    refuse("{\"kind\":\"statistics\",\"params\":{\"numbers\":[1,]}}", "not valid JSON: byte 44");
    refuse("{\"kind\":\"statistics\",\"params\":{\"csv\":\"1\",\"csv\":\"2\"}}", "twice");
    refuse("{\"kind\":\"statistics\",\"params\":{\"csv\":\"1\",\"colum\":2}}", "\"colum\" is unknown");
    refuse("{\"kind\":\"statistics\",\"params\":[1]}", "\"params\" must be an object");
    refuse("{\"kind\":\"statistics\",\"params\":{\"csv\":\"1\"},\"more\":1}", "\"more\" is unknown");
    refuse("{\"kind\":\"statistics\"}", "\"params\" is missing");
    refuse("{\"kind\":7,\"params\":{}}", "\"kind\" must be a string");
    refuse("{\"kind\":\"soup\",\"params\":{}}", "primes, pi, matrix, mandelbrot, statistics");
    refuse("{\"kind\":\"st\\u0061tistics\",\"params\":{\"csv\":\"1\"}}", "without escapes");
    refuse("{\"kind\":\"primes\",\"params\":{\"numbers\":[1]}}", "\"numbers\" is unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_long_text_out),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
