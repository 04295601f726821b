/* SPDX-License-Identifier: Apache-2.0 */
/* Which records of a log bind an Idempotency-Key: valid events of binding outcomes of keyed requests, no
 * others. */
#include "events.h"

#include "envelope.h"
#include "support.h"

#define KEYED "idem:POST:/items:k"

static struct journal_reader reader;
static struct headers headers;

static int setup(void **unused)
{
    reader = (struct journal_reader){0};
    return 0;
}

static struct event event_of(const char *id, const char *claim)
{
    return (struct event){.type = SLICE("item.created"),
                          .command_id = id ? slice_of(id) : SLICE_NONE,
                          .status = 200,
                          .command_partition = -1,
                          .command_offset = -1,
                          .claim = slice_of(claim),
                          .version = 1,
                          .exists = true,
                          .binding = true};
}

static bool binds_event(const struct event *event)
{
    struct slice id;
    envelope_encode_event(event, &headers);
    const struct record rec = {.topic = "item.events",
                               .key = SLICE("1"),
                               .value = SLICE("{}"),
                               .headers = headers.list,
                               .header_count = headers.count};
    if (!events_binds(&reader, &rec, &id))
        return false;
    assert_true(slice_equal(id, event->command_id));
    return true;
}

static bool binds(const char *id, const char *claim)
{
    struct event event = event_of(id, claim);
    return binds_event(&event);
}

static void claim(const char *key)
{
    struct slice id;
    const struct record rec = {.topic = "item.events", .key = slice_of(key), .value = SLICE("")};
    assert_false(events_binds(&reader, &rec, &id));
}

static void keyed_requests_bind_and_others_do_not(void **unused)
{
    claim("__claim/a");
    assert_true(binds(KEYED, "a"));
    assert_false(binds("0190b6f0-0000-7000-8000-000000000000", "a"));
    assert_false(binds("idem:PUT:/items/1:k", "a")); /* its path names the item */
    assert_false(binds("idem:POST:/items", "a"));
    assert_false(binds(NULL, "a")); /* the state written again, with no command */
}

static void void_events_do_not_bind(void **unused)
{
    claim("__claim/a");
    claim("__claim/b");
    assert_false(binds(KEYED, "a")); /* a was deposed */
    assert_true(binds(KEYED, "b"));
    claim("__claim/c");
    assert_false(binds(KEYED, "b"));
    assert_true(binds(KEYED, "c"));
}

static void before_the_first_claim_any_binds(void **unused)
{
    assert_true(binds(KEYED, "x"));
    claim("__claim/a");
    assert_false(binds(KEYED, "x"));
}

static void not_now_does_not_bind(void **unused)
{
    struct event event = event_of(KEYED, "a");
    event.status = 504;
    event.binding = false;
    claim("__claim/a");
    assert_false(binds_event(&event));
    event.status = 400; /* refused: an outcome like any other */
    event.binding = true;
    assert_true(binds_event(&event));
}

static void tombstones_do_not_bind(void **unused)
{
    struct slice id;
    claim("__claim/a");
    envelope_encode_tombstone(SLICE("a"), SLICE("2026-01-01T00:00:00Z"), &headers);
    const struct record item = {.key = SLICE("1"), .headers = headers.list, .header_count = headers.count};
    const struct record claimed = {
        .key = SLICE("__claim/old"), .headers = headers.list, .header_count = headers.count};
    assert_false(events_binds(&reader, &item, &id));
    assert_false(events_binds(&reader, &claimed, &id));
    assert_true(binds(KEYED, "a")); /* and that one was no claim */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(keyed_requests_bind_and_others_do_not, setup),
        cmocka_unit_test_setup(void_events_do_not_bind, setup),
        cmocka_unit_test_setup(before_the_first_claim_any_binds, setup),
        cmocka_unit_test_setup(not_now_does_not_bind, setup),
        cmocka_unit_test_setup(tombstones_do_not_bind, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
