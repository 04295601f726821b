/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of known numbers, whole and in parts, and what is said of input that is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "kernels/moments.h"
#include "support.h"

/* 2, 4, 4, 4, 5, 5, 7, 9: the usual example, with a mean of 5 and a sum of squared differences of 32. */
static void known_numbers(void **state)
{
    expect_result("statistics", "{\"numbers\":[2,4,4,4,5,5,7,9],\"quantiles\":[0,0.5,1]}", 1,
                  "{\"count\":8,\"missing\":0,\"min\":2,\"max\":9,\"mean\":5,\"variance\":4.5714285714285712,"
                  "\"standard_deviation\":2.1380899352993952,\"quantiles\":[{\"q\":0,\"value\":2},{\"q\":0.5,\"value\":4.5},"
                  "{\"q\":1,\"value\":9}]}");
    expect_result("statistics", "{\"numbers\":[null,-1.5],\"quantiles\":[]}", 1,
                  "{\"count\":1,\"missing\":1,\"min\":-1.5,\"max\":-1.5,\"mean\":-1.5,\"variance\":null,\"standard_deviation\":null,"
                  "\"quantiles\":[]}");
}

static void columns(void **state)
{
    static const char result[] = "{\"count\":2,\"missing\":1,\"min\":1,\"max\":3,\"mean\":2,\"variance\":2,"
                                 "\"standard_deviation\":1.4142135623730951,\"quantiles\":[{\"q\":0.5,\"value\":2}]}";
    expect_result("statistics", "{\"csv\":\"a,1\\nb,\\r\\nc,3\",\"column\":2,\"quantiles\":[0.5]}", 1, result);
    expect_result("statistics", "{\"quantiles\":[0.5],\"csv\":\"key;pr\\u00efce\\na;1\\nb;\\nc;3\\n\",\"column_name\":\"pr\xc3\xaf" "ce\",\"delimiter\":\";\"}",
                  1, result);
    expect_result("statistics", "{\"csv\":\"x\\n1\\n,\\n3\\n\",\"header\":true,\"quantiles\":[0.5]}", 1, result);
}

/* NIST StRD, Univariate Summary Statistics, NumAcc4: 1001 numbers, mean 10000000.2 and standard deviation 0.1 exactly. */
static void hard_numbers(void **state)
{
    struct buf params = {0};
    buf_append_text(&params, "{\"numbers\":[10000000.2");
    for (int i = 0; i < 500; i++)
        buf_append_text(&params, ",10000000.1,10000000.3");
    buf_append(&params, "]}", 3);
    struct run run = run_kind("statistics", params.data, 1, NULL);
    assert_true(fabs(member(&run, "mean") - 10000000.2) < 1e-8);
    assert_true(fabs(member(&run, "standard_deviation") - 0.1) < 1e-9);
    run_done(&run);
    buf_done(&params);
}

static void add_number(struct buf *out, uint32_t i, char separator)
{
    const uint32_t counter[4] = {i}, key[2] = {7};
    uint32_t words[4];
    philox4x32(counter, key, words);
    buf_printf(out, "%s%u.%u", i ? (char[]){separator, 0} : "", words[0] % 1000, words[1] % 100);
}

/* More than one unit, and a last one that is not full. */
static void any_split_gives_the_same(void **state)
{
    struct buf array = {0}, csv = {0};
    buf_append_text(&array, "{\"numbers\":[");
    buf_append_text(&csv, "{\"csv\":\"");
    for (uint32_t i = 0; i < 60000; i++) {
        add_number(&array, i, ',');
        add_number(&csv, i, ',');
        if (i % 2 == 0)
            buf_append_text(&csv, "\\n");
    }
    buf_append(&array, "]}", 3);
    buf_append(&csv, "\"}", 3);
    expect_any_split("statistics", array.data);
    expect_any_split("statistics", csv.data);
    expect_any_split("statistics", "{\"numbers\":[1]}");
    buf_done(&array);
    buf_done(&csv);
}

/* Two sets put together are as one. */
static void moments(void **state)
{
    double values[1000];
    for (size_t i = 0; i < 1000; i++)
        values[i] = 1e6 + (double)(i * i % 97);
    struct moments whole = moments_of(values, 1000);
    for (size_t cut = 1; cut < 1000; cut += 37) {
        struct moments a = moments_of(values, cut), b = moments_of(values + cut, 1000 - cut), all = {0};
        moments_add(&all, &a);
        moments_add(&all, &b);
        assert_true(all.count == 1000 && all.min == whole.min && all.max == whole.max);
        assert_true(fabs(all.mean - whole.mean) < 1e-8);
        assert_true(fabs(all.squares / whole.squares - 1) < 1e-10);
    }
}

static void bounds(void **state)
{
    expect_refusal("statistics", "{}", "\"numbers\", an array of numbers, and \"csv\"");
    expect_refusal("statistics", "{\"numbers\":[1],\"csv\":\"1\"}", "exclude");
    expect_refusal("statistics", "{\"numbe\\u0072s\":[1]}", "escapes");
    expect_refusal("statistics", "{\"numbers\":\"1\"}", "\"numbers\" must be an array");
    expect_refusal("statistics", "{\"csv\":[1]}", "\"csv\" must be a string");
    expect_refusal("statistics", "{\"csv\":\"1\",\"column\":0}", "\"column\" must be an integer from 1 to 10000");
    expect_refusal("statistics", "{\"numbers\":[1],\"column\":1}", "for \"csv\" only");
    expect_refusal("statistics", "{\"csv\":\"1\",\"column\":1,\"column_name\":\"x\"}", "exclude");
    expect_refusal("statistics", "{\"csv\":\"1\",\"delimiter\":\"5\"}", "delimiter");
    expect_refusal("statistics", "{\"csv\":\"1\",\"delimiter\":\",,\"}", "delimiter");
    expect_refusal("statistics", "{\"numbers\":[1],\"quantiles\":[1.5]}", "from 0 to 1");
    expect_refusal("statistics", "{\"numbers\":[1],\"quantiles\":[\"1\"]}", "from 0 to 1");
    expect_refusal("statistics", "{\"numbers\":[1],\"median\":1}", "\"median\" is unknown");
}

static void expect_wrong(const char *params, const char *words)
{
    struct run run = run_kind("statistics", params, 1, NULL);
    assert_int_equal(run.end, KERNEL_REFUSED);
    if (!strstr(run.error, words))
        fail_msg("\"%s\" is not in \"%s\"", words, run.error);
    run_done(&run);
}

static void wrong_numbers(void **state)
{
    expect_wrong("{\"numbers\":[]}", "one number at least");
    expect_wrong("{\"numbers\":[null]}", "one number at least");
    expect_wrong("{\"numbers\":[1,\"2\"]}", "element 2");
    expect_wrong("{\"numbers\":[1e101]}", "from -1e100 to 1e100");
    expect_wrong("{\"csv\":\"1\\nx\"}", "line 2, column 1");
    expect_wrong("{\"csv\":\"1\\n\\\"x\"}", "does not end");
    expect_wrong("{\"csv\":\"a,b\\n1,2\",\"column_name\":\"c\"}", "has that name");
}

/* As much as a body may hold: read, sorted, merged. */
static void stops(void **state)
{
    struct buf params = {0};
    buf_append_text(&params, "{\"numbers\":[");
    for (uint32_t i = 0; i < 2000000; i++)
        add_number(&params, i, ',');
    buf_append(&params, "]}", 3);
    expect_stop("statistics", params.data, 20);
    buf_done(&params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_numbers), cmocka_unit_test(columns),      cmocka_unit_test(hard_numbers),
        cmocka_unit_test(any_split_gives_the_same), cmocka_unit_test(moments), cmocka_unit_test(bounds),
        cmocka_unit_test(wrong_numbers), cmocka_unit_test(stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
