/* SPDX-License-Identifier: Apache-2.0 */
/* The item service's decisions as pure functions: a call in, a decision out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "handlers.h"

#define LAMP "{\"id\":7,\"name\":\"lamp\",\"description\":\"warm\"}"

struct given {
    const char *type, *key, *body;
    const char *before; /* NULL: it does not exist */
};

static struct decision decide(struct given given)
{
    struct command cmd = {.key = slice_of(given.key), .body = slice_of(given.body), .type = slice_of(given.type)};
    struct call call = {.cmd = &cmd};
    if (given.before)
        call.before = (struct entity){true, 3, slice_of(given.before)};
    struct decision d = {0};
    for (const struct operation *op = item_service.operations; op->type; op++) {
        if (slice_is(cmd.type, op->type))
            op->handler(&call, &d);
    }
    assert_int_not_equal(d.status, 0);
    return d;
}

static void done(struct decision *d)
{
    buf_done(&d->state);
    buf_done(&d->body);
}

static void expect(struct given given, int status, enum effect effect, const char *state)
{
    struct decision d = decide(given);
    assert_int_equal(d.status, status);
    assert_int_equal(d.effect, effect);
    if (state) {
        assert_int_equal(d.state.len, strlen(state));
        assert_memory_equal(d.state.data, state, d.state.len);
    }
    done(&d);
}

/* The detail of a refusal has these words. */
static void expect_problem(struct given given, int status, const char *words)
{
    struct decision d = decide(given);
    assert_int_equal(d.status, status);
    assert_int_equal(d.effect, EFFECT_NONE);
    buf_append(&d.body, "", 1);
    if (!strstr(d.body.data, words))
        fail_msg("\"%s\" is not in %s", words, d.body.data);
    done(&d);
}

static void creates(void **state)
{
    expect((struct given){"item.create", "7", " { \"name\":\"lamp\", \"id\":7,\"description\":\"warm\"}", NULL}, 200, EFFECT_PUT,
           LAMP);
    expect((struct given){"item.create", "-9223372036854775808",
                          "{\"id\":-9223372036854775808,\"name\":\"\\u00e9\\\"\",\"description\":\"\"}", NULL},
           200, EFFECT_PUT, "{\"id\":-9223372036854775808,\"name\":\"\xc3\xa9\\\"\",\"description\":\"\"}");
    expect_problem((struct given){"item.create", "7", LAMP, LAMP}, 400, "\"detail\":\"Item already exists\"");
    expect_problem((struct given){"item.create", "8", LAMP, NULL}, 422, "id");
}

static void refuses_bodies(void **state)
{
    static const struct {
        const char *body, *words;
    } bad[] = {
        {"{\"id\":7,\"name\":\"lamp\"}", "description"},
        {"{\"id\":7,\"name\":5,\"description\":\"\"}", "name"},
        {"{\"id\":7,\"name\":\"\",\"description\":\"\"}", "name"},
        {"{\"id\":7.0,\"name\":\"n\",\"description\":\"\"}", "id"},
        {"{\"id\":7,\"name\":\"n\",\"description\":\"\",\"x\":1}", "x"},
        {"{\"id\":7,\"id\":7,\"name\":\"n\",\"description\":\"\"}", "id"},
        {"[]", "object"},
        {"", "JSON"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_problem((struct given){"item.create", "7", bad[i].body, NULL}, 422, bad[i].words);
}

static void gets(void **state)
{
    struct decision d = decide((struct given){"item.get", "7", NULL, LAMP});
    assert_int_equal(d.status, 200);
    assert_int_equal(d.effect, EFFECT_NONE);
    assert_memory_equal(d.body.data, LAMP, strlen(LAMP));
    done(&d);
    expect_problem((struct given){"item.get", "7", NULL, NULL}, 404, "\"detail\":\"Item not found\"");
}

static void puts_and_deletes(void **state)
{
    const char *body = "{\"name\":\"b\",\"description\":\"c\"}";
    expect((struct given){"item.put", "7", body, LAMP}, 200, EFFECT_PUT, "{\"id\":7,\"name\":\"b\",\"description\":\"c\"}");
    expect((struct given){"item.put", "7", "{\"id\":7,\"name\":\"b\",\"description\":\"c\"}", LAMP}, 200, EFFECT_PUT, NULL);
    expect_problem((struct given){"item.put", "7", "{\"id\":8,\"name\":\"b\",\"description\":\"c\"}", LAMP}, 422, "id");
    expect_problem((struct given){"item.put", "7", body, NULL}, 404, "Item not found");
    expect((struct given){"item.delete", "7", NULL, LAMP}, 204, EFFECT_DELETE, NULL);
    expect_problem((struct given){"item.delete", "7", NULL, NULL}, 404, "Item not found");
}

/* ---- item.list, on a partition that is an array ---- */

struct scan {
    const char *const *keys, *const *states; /* in key order */
    size_t count, at;
};

bool scan_seek(struct scan *scan, struct slice after)
{
    scan->at = 0;
    while (after.p && scan->at < scan->count && atoll(scan->keys[scan->at]) <= atoll(after.p))
        scan->at++;
    return scan->at < scan->count;
}

bool scan_next(struct scan *scan)
{
    return ++scan->at < scan->count;
}

struct slice scan_key(const struct scan *scan)
{
    return slice_of(scan->keys[scan->at]);
}

struct slice scan_state(const struct scan *scan)
{
    return slice_of(scan->states[scan->at]);
}

static struct decision list(struct scan *scan, const char *body)
{
    struct command cmd = {.body = slice_of(body)};
    struct call call = {.cmd = &cmd, .scan = scan};
    struct decision d = {0};
    for (const struct operation *op = item_service.operations; op->type; op++) {
        if (op->scope == SCOPE_PARTITION)
            op->handler(&call, &d);
    }
    buf_append(&d.body, "", 1);
    return d;
}

static void expect_page(const char *body, const char *page)
{
    static const char *const keys[] = {"-5", "2", "10"}, *const states[] = {"{\"id\":-5}", "{\"id\":2}", "{\"id\":10}"};
    struct scan scan = {keys, states, 3, 0};
    struct decision d = list(&scan, body);
    assert_int_equal(d.status, 200);
    assert_int_equal(d.effect, EFFECT_NONE);
    assert_string_equal(d.body.data, page);
    done(&d);
}

static void lists(void **state)
{
    expect_page(NULL, "{\"items\":[{\"id\":-5},{\"id\":2},{\"id\":10}],\"more\":false}");
    expect_page("{\"after\":null}", "{\"items\":[{\"id\":-5},{\"id\":2},{\"id\":10}],\"more\":false}");
    expect_page("{\"limit\":3}", "{\"items\":[{\"id\":-5},{\"id\":2},{\"id\":10}],\"more\":false}");
    expect_page("{\"limit\":2}", "{\"items\":[{\"id\":-5},{\"id\":2}],\"more\":true}");
    expect_page("{\"limit\":1,\"after\":\"-5\"}", "{\"items\":[{\"id\":2}],\"more\":true}");
    expect_page("{\"limit\":9,\"after\":\"2\"}", "{\"items\":[{\"id\":10}],\"more\":false}");
    expect_page("{\"after\":\"9223372036854775807\"}", "{\"items\":[],\"more\":false}");
}

static void refuses_lists(void **state)
{
    static const struct {
        const char *body, *words;
    } bad[] = {
        {"{\"limit\":0}", "limit"},       {"{\"limit\":1001}", "limit"},  {"{\"limit\":\"5\"}", "limit"},
        {"{\"after\":5}", "after"},       {"{\"after\":\"\"}", "after"},  {"{\"after\":\"x\"}", "after"},
        {"{\"after\":\"007\"}", "after"}, {"{\"after\":\"-0\"}", "after"}, {"{\"after\":\"9223372036854775808\"}", "after"},
        {"{\"next\":\"5\"}", "next"},     {"[", "JSON"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct scan scan = {0};
        struct decision d = list(&scan, bad[i].body);
        assert_int_equal(d.status, 422);
        if (!strstr(d.body.data, bad[i].words))
            fail_msg("\"%s\" is not in %s", bad[i].words, d.body.data);
        done(&d);
    }
}

/* A thousand of the largest items would be more than a Kafka record takes: the page ends early and says so. */
static void a_page_is_bounded_in_bytes(void **state)
{
    static char large[60 * 1024];
    static const char *keys[20], *states[20];
    memset(large, 'x', sizeof(large) - 1);
    for (size_t i = 0; i < 20; i++) {
        keys[i] = "1";
        states[i] = large;
    }
    struct scan scan = {keys, states, 20, 0};
    struct decision d = list(&scan, "{\"limit\":1000}");
    assert_in_range(d.body.len, ITEM_LIST_BYTES_MAX, ITEM_LIST_BYTES_MAX + sizeof(large) + 100);
    assert_non_null(strstr(d.body.data, "\"more\":true"));
    done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creates),
        cmocka_unit_test(refuses_bodies),
        cmocka_unit_test(gets),
        cmocka_unit_test(puts_and_deletes),
        cmocka_unit_test(lists),
        cmocka_unit_test(refuses_lists),
        cmocka_unit_test(a_page_is_bounded_in_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
