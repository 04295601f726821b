/* SPDX-License-Identifier: Apache-2.0 */
/* The bounded copy of entities, and which records of a log change it. */
#include "copy.h"

#include <stdio.h>
#include <stdlib.h>

#include "copy_feed.h"
#include "envelope.h"
#include "support.h"

#define BOUND ((size_t)64 * 1024)

static struct copy *copy;
static struct copy_feed feed;
static struct headers headers;
static struct buf state;
static int64_t offset;

static int setup(void **unused)
{
    offset = 100; /* somewhere in the log */
    feed = (struct copy_feed){.service = "item"};
    if (copy_new(BOUND, 7, &copy) != 0)
        return -1;
    feed.copy = copy;
    return 0;
}

static int teardown(void **unused)
{
    copy_feed_done(&feed);
    copy_free(copy);
    buf_done(&state);
    return 0;
}

/* Its version, or 0 when it is not there. */
static int64_t version_of(const char *service, const char *key)
{
    int64_t version = 0;
    buf_clear(&state);
    return copy_get(copy, service, slice_of(key), &version, &state) ? version : 0;
}

static void it_keeps_the_newest(void **unused)
{
    copy_put(copy, "item", SLICE("1"), 3, SLICE("{\"v\":3}"));
    assert_int_equal(version_of("item", "1"), 3);
    assert_slice(buf_slice(&state), "{\"v\":3}");
    copy_put(copy, "item", SLICE("1"), 2, SLICE("older"));
    assert_int_equal(version_of("item", "1"), 3);
    copy_put(copy, "item", SLICE("1"), 3, SLICE("repaired"));
    assert_int_equal(version_of("item", "1"), 3);
    assert_slice(buf_slice(&state), "repaired");
    copy_put(copy, "item", SLICE("1"), 9, SLICE(""));
    assert_int_equal(version_of("item", "1"), 9);
    assert_int_equal(state.len, 0);
    assert_int_equal(copy_count(copy), 1);
}

static void services_have_keys_of_their_own(void **unused)
{
    copy_put(copy, "item", SLICE("1"), 3, SLICE("i"));
    copy_put(copy, "other", SLICE("1"), 5, SLICE("o"));
    assert_int_equal(version_of("item", "1"), 3);
    copy_remove(copy, "item", SLICE("1"));
    assert_int_equal(version_of("item", "1"), 0);
    assert_int_equal(version_of("other", "1"), 5);
    copy_put(copy, "item", SLICE("2"), 3, SLICE("i"));
    copy_forget(copy, "other");
    assert_int_equal(version_of("other", "1"), 0);
    assert_int_equal(version_of("item", "2"), 3);
}

static void the_bound_holds_and_the_unused_go_first(void **unused)
{
    char key[16], body[1000];
    memset(body, 'x', sizeof(body));
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof(key), "%d", i);
        copy_put(copy, "item", slice_of(key), 1, slice_make(body, (size_t)(i * 37 % 1000)));
        assert_true(copy_bytes(copy) <= BOUND);
        assert_int_equal(version_of("item", "0"), 1); /* used all the time */
    }
    assert_true(copy_count(copy) > 50);
    assert_int_equal(version_of("item", "1"), 0);
    assert_int_equal(version_of("item", "4999"), 1);
}

static void what_is_larger_than_the_bound_is_not_kept(void **unused)
{
    char *body = calloc(1, BOUND);
    assert_non_null(body);
    copy_put(copy, "item", SLICE("1"), 1, SLICE("x"));
    copy_put(copy, "item", SLICE("2"), 1, SLICE("x"));
    copy_put(copy, "item", SLICE("1"), 2, slice_make(body, BOUND));
    assert_int_equal(version_of("item", "1"), 0); /* not the old one, either */
    assert_int_equal(version_of("item", "2"), 1);
    free(body);
}

static void all_memory_comes_back(void **unused)
{
    size_t empty = copy_bytes(copy);
    for (int64_t v = 1; v < 100; v++)
        copy_put(copy, "item", SLICE("1"), v, SLICE("some text"));
    copy_remove(copy, "item", SLICE("1"));
    copy_remove(copy, "item", SLICE("1"));
    assert_int_equal(copy_bytes(copy), empty);
    assert_int_equal(copy_count(copy), 0);
}

/* ---- the feed ---- */

static void take(struct record rec)
{
    rec.topic = "item.events";
    rec.offset = offset++;
    copy_feed_take(&feed, &rec);
}

static void claim(const char *key)
{
    take((struct record){.key = slice_of(key), .value = SLICE("")});
}

static void write_event(const char *writer, const char *key, int64_t version, bool exists)
{
    struct event event = {.type = SLICE("item.updated"),
                          .command_id = SLICE("c"),
                          .status = 200,
                          .command_partition = -1,
                          .command_offset = -1,
                          .claim = slice_of(writer),
                          .version = version,
                          .exists = exists,
                          .binding = true};
    envelope_encode_event(&event, &headers);
    take((struct record){.key = slice_of(key),
                         .value = exists ? slice_of(writer) : SLICE(""), /* the state says who wrote it */
                         .headers = headers.list,
                         .header_count = headers.count});
}

static void tombstone(const char *writer, const char *key)
{
    envelope_encode_tombstone(slice_of(writer), SLICE("2026-01-01T00:00:00Z"), &headers);
    take((struct record){.key = slice_of(key), .headers = headers.list, .header_count = headers.count});
}

static void valid_events_are_copied_and_void_ones_are_not(void **unused)
{
    claim("__claim/a");
    write_event("a", "1", 1, true);
    assert_int_equal(version_of("item", "1"), 1);
    claim("__claim/b");
    write_event("a", "1", 2, true); /* deposed */
    write_event("a", "2", 1, true);
    assert_int_equal(version_of("item", "1"), 1);
    assert_int_equal(version_of("item", "2"), 0);
    write_event("b", "1", 1, true); /* the repair */
    assert_slice((version_of("item", "1"), buf_slice(&state)), "b");
    write_event("b", "1", 2, true);
    assert_int_equal(version_of("item", "1"), 2);
    write_event("a", "1", 3, false);
    assert_int_equal(version_of("item", "1"), 2);
}

static void what_is_gone_is_not_there(void **unused)
{
    claim("__claim/a");
    write_event("a", "1", 1, true);
    write_event("a", "2", 1, true);
    write_event("a", "1", 2, false);
    assert_int_equal(version_of("item", "1"), 0);
    tombstone("x", "2"); /* a foreign one is void */
    assert_int_equal(version_of("item", "2"), 1);
    tombstone("a", "2");
    assert_int_equal(version_of("item", "2"), 0);
    write_event("a", "1", 3, true); /* created again */
    assert_int_equal(version_of("item", "1"), 3);
}

static void records_that_are_no_entitys_change_nothing(void **unused)
{
    claim("__claim/a");
    write_event("a", "1", 1, true);
    tombstone("a", "__claim/old");
    tombstone("a", "__attempts/1");
    take((struct record){.key = SLICE("1"), .value = SLICE("no event at all")});
    take((struct record){.value = SLICE("without a key")});
    assert_int_equal(version_of("item", "1"), 1);
    assert_int_equal(copy_count(copy), 1);
}

static void before_the_first_claim_one_writer_is_taken_for_the_owner(void **unused)
{
    write_event("a", "1", 5, true);
    write_event("a", "2", 5, true);
    assert_int_equal(version_of("item", "1"), 5);
    write_event("b", "1", 6, true); /* one of them is deposed: who knows which? */
    assert_int_equal(version_of("item", "1"), 0);
    assert_int_equal(version_of("item", "2"), 5);
    claim("__claim/c");
    write_event("a", "2", 6, true); /* now it is known */
    assert_int_equal(version_of("item", "2"), 5);
    write_event("c", "1", 6, true);
    assert_int_equal(version_of("item", "1"), 6);
}

static void partitions_have_claims_of_their_own(void **unused)
{
    claim("__claim/a");
    struct record other = {.topic = "item.events", .partition = 5, .offset = 3, .key = SLICE("__claim/b"), .value = SLICE("")};
    copy_feed_take(&feed, &other);
    write_event("a", "1", 1, true);
    assert_int_equal(version_of("item", "1"), 1);
    write_event("b", "2", 1, true);
    assert_int_equal(version_of("item", "2"), 0);
}

static void another_log_makes_the_copy_empty(void **unused)
{
    claim("__claim/a");
    write_event("a", "1", 9, true);
    offset = 0; /* topics made anew */
    claim("__claim/b");
    assert_int_equal(version_of("item", "1"), 0);
    write_event("b", "1", 1, true);
    assert_int_equal(version_of("item", "1"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_keeps_the_newest),
        TEST(services_have_keys_of_their_own),
        TEST(the_bound_holds_and_the_unused_go_first),
        TEST(what_is_larger_than_the_bound_is_not_kept),
        TEST(all_memory_comes_back),
        TEST(valid_events_are_copied_and_void_ones_are_not),
        TEST(what_is_gone_is_not_there),
        TEST(records_that_are_no_entitys_change_nothing),
        TEST(before_the_first_claim_one_writer_is_taken_for_the_owner),
        TEST(partitions_have_claims_of_their_own),
        TEST(another_log_makes_the_copy_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
