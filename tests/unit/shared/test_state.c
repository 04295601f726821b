/* SPDX-License-Identifier: Apache-2.0 */
/* The local copy on a real LMDB in a folder of its own: what is applied is found again, in order, or made
 * anew. */
#include "state.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (1024 * 1024)

/* A folder and the state in it. */
struct place {
    char dir[64], data[96], lock[96];
    struct state_binding binding;
    struct state *state;
    const char *wiped;
};

static struct state_error error;

static void open_place(struct place *place)
{
    assert_null(place->state);
    if (state_open(place->dir, &place->binding, &place->state, &place->wiped, &error) != 0)
        fail_msg("%s", error.text);
}

static void close_place(struct place *place)
{
    state_close(place->state);
    place->state = NULL;
}

static void reopen(struct place *place)
{
    close_place(place);
    open_place(place);
}

static int make_place(void **ret_place)
{
    struct place *place = calloc(1, sizeof(*place));
    assert_non_null(place);
    strcpy(place->dir, "/tmp/roundtrip-state-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    snprintf(place->data, sizeof(place->data), "%s/data.mdb", place->dir);
    snprintf(place->lock, sizeof(place->lock), "%s/lock.mdb", place->dir);
    place->binding = (struct state_binding){.cluster_id = "c1", .topic = "item.events", .int64_keys = true};
    open_place(place);
    assert_null(place->wiped);
    *ret_place = place;
    return 0;
}

/* The same with keys of any bytes. */
static int make_text_place(void **ret_place)
{
    make_place(ret_place);
    struct place *place = *ret_place;
    close_place(place);
    unlink(place->data);
    place->binding.int64_keys = false;
    open_place(place);
    return 0;
}

static int remove_place(void **in_place)
{
    char path[128];
    struct place *place = *in_place;
    close_place(place);
    unlink(place->data);
    unlink(place->lock);
    snprintf(path, sizeof(path), "%s/boot", place->dir);
    unlink(path);
    snprintf(path, sizeof(path), "%s/lock", place->dir);
    unlink(path);
    rmdir(place->dir);
    free(place);
    return 0;
}

static struct state_change event_of(const char *key, int64_t version, const char *value)
{
    return (struct state_change){.kind = STATE_EVENT,
                                 .key = slice_of(key),
                                 .value = slice_of(value),
                                 .version = version,
                                 .exists = true};
}

static struct state_change outcome_of(const char *key, const char *id, int status, int64_t time_ms)
{
    struct state_change change = event_of(key, 1, "{}");
    change.command_id = slice_of(id);
    change.outcome = (struct state_outcome){
        .fingerprint = SLICE("f"), .status = status, .binding = true, .time_ms = time_ms, .body = SLICE("b")};
    return change;
}

static void apply(struct place *place, const struct state_change *changes, size_t count, int64_t next)
{
    if (state_apply(place->state, changes, count, next, &error) != 0)
        fail_msg("%s", error.text);
    assert_int_equal(state_checkpoint(place->state), next);
}

static void apply_one(struct place *place, struct state_change change)
{
    int64_t at = state_checkpoint(place->state);
    apply(place, &change, 1, at < 0 ? 1 : at + 1);
}

static void assert_slice(struct slice s, const char *expected)
{
    if (!slice_is(s, expected))
        fail_msg("\"%.*s\" is not \"%s\"", SLICE_ARG(s), expected);
}

static void assert_entity(struct place *place, const char *key, bool exists, int64_t version,
                          const char *value)
{
    bool found_exists;
    int64_t found_version;
    struct slice found;
    if (!state_entity(place->state, slice_of(key), &found_exists, &found_version, &found))
        fail_msg("no entity %s", key);
    assert_int_equal(found_exists, exists);
    assert_int_equal(found_version, version);
    assert_slice(found, value);
}

static void assert_no_entity(struct place *place, const char *key)
{
    bool exists;
    int64_t version;
    struct slice value;
    assert_false(state_entity(place->state, slice_of(key), &exists, &version, &value));
}

/* Walks all entities as a scan does: by the last key, copied. */
static void assert_keys(struct place *place, const char *const *expected, size_t count)
{
    char after[64];
    struct slice key = SLICE_NONE, value;
    bool exists;
    size_t n = 0;
    while (state_next_entity(place->state, key, &key, &exists, &value)) {
        assert_true(n < count);
        assert_slice(key, expected[n++]);
        memcpy(after, key.p, key.len);
        key = slice_make(after, key.len);
    }
    assert_int_equal(n, count);
}

/* ---- keeping ---- */

static void a_new_copy_is_empty(void **in_place)
{
    struct place *place = *in_place;
    assert_int_equal(state_checkpoint(place->state), -1);
    struct journal_reader reader = state_reader(place->state);
    assert_int_equal(reader.last.len, 0);
    assert_no_entity(place, "1");
    assert_keys(place, NULL, 0);
}

static void what_was_applied_is_there_after_reopening(void **in_place)
{
    struct place *place = *in_place;
    struct state_change changes[] = {
        {.kind = STATE_CLAIM, .key = SLICE("claim-1")},
        event_of("7", 1, "{\"a\":1}"),
        event_of("8", 4, "{\"b\":2}"),
        event_of("7", 2, "{\"a\":3}"),
        {.kind = STATE_EVENT, .key = SLICE("8"), .version = 5, .exists = false, .value = SLICE("")},
    };
    apply(place, changes, 5, 105);
    for (int i = 0; i < 2; i++) {
        assert_entity(place, "7", true, 2, "{\"a\":3}");
        assert_entity(place, "8", false, 5, "");
        assert_no_entity(place, "9");
        assert_int_equal(state_checkpoint(place->state), 105);
        struct journal_reader reader = state_reader(place->state);
        assert_true(journal_event_valid(&reader, SLICE("claim-1")));
        if (i == 0)
            reopen(place);
    }
    assert_null(place->wiped);
}

static void an_empty_batch_moves_the_checkpoint(void **in_place)
{
    struct place *place = *in_place;
    apply(place, NULL, 0, 17);
    reopen(place);
    assert_int_equal(state_checkpoint(place->state), 17);
}

/* A key LMDB refuses: nothing of the batch is applied, and the copy goes on. */
static void a_batch_is_applied_whole_or_not_at_all(void **in_place)
{
    struct place *place = *in_place;
    struct state_change changes[] = {
        {.kind = STATE_CLAIM, .key = SLICE("claim-1")}, event_of("1", 1, "{}"), event_of("", 1, "{}")};
    error.text[0] = '\0';
    assert_true(state_apply(place->state, changes, 3, 3, &error) < 0);
    assert_true(error.text[0] != '\0');
    assert_int_equal(state_checkpoint(place->state), -1);
    struct journal_reader reader = state_reader(place->state);
    assert_int_equal(reader.last.len, 0);
    assert_no_entity(place, "1");
    apply(place, changes, 2, 2);
    assert_entity(place, "1", true, 1, "{}");
}

static void a_read_sees_what_was_applied_before_it(void **in_place)
{
    struct place *place = *in_place;
    apply_one(place, event_of("1", 1, "old"));
    assert_entity(place, "1", true, 1, "old"); /* starts a snapshot */
    apply_one(place, event_of("1", 2, "new"));
    assert_entity(place, "1", true, 2, "new");
    state_reads_end(place->state);
    state_reads_end(place->state);
    assert_entity(place, "1", true, 2, "new");
}

static void the_last_claim_is_kept(void **in_place)
{
    struct place *place = *in_place;
    char longest[JOURNAL_CLAIM_MAX];
    memset(longest, 'z', sizeof(longest));
    apply_one(place, (struct state_change){.kind = STATE_CLAIM, .key = SLICE("first")});
    apply_one(place, (struct state_change){.kind = STATE_CLAIM, .key = slice_make(longest, sizeof(longest))});
    reopen(place);
    struct journal_reader reader = state_reader(place->state);
    assert_true(journal_event_valid(&reader, slice_make(longest, sizeof(longest))));
    assert_false(journal_event_valid(&reader, SLICE("first")));
}

/* ---- order ---- */

static void int64_keys_are_in_numeric_order(void **in_place)
{
    static const char *const ordered[] = {"-9223372036854775808",
                                          "-9223372036854775807",
                                          "-256",
                                          "-10",
                                          "-9",
                                          "-1",
                                          "0",
                                          "1",
                                          "9",
                                          "10",
                                          "255",
                                          "256",
                                          "4294967296",
                                          "9223372036854775806",
                                          "9223372036854775807"};
    static const int order[] = {7, 0, 14, 3, 12, 1, 9, 5, 11, 6, 13, 2, 10, 4, 8};
    size_t count = sizeof(ordered) / sizeof(ordered[0]);
    struct place *place = *in_place;
    for (size_t i = 0; i < count; i++)
        apply_one(place, event_of(ordered[order[i]], 1, ordered[order[i]]));
    assert_keys(place, ordered, count);
    for (size_t i = 0; i < count; i++)
        assert_entity(place, ordered[i], true, 1, ordered[i]);
}

static void text_keys_are_in_byte_order(void **in_place)
{
    static const char *const ordered[] = {"-1", "10", "9", "A", "a", "a\x01", "aa", "b", "\xc3\xa9"};
    size_t count = sizeof(ordered) / sizeof(ordered[0]);
    struct place *place = *in_place;
    for (size_t i = count; i-- > 0;)
        apply_one(place, event_of(ordered[i], 1, "v"));
    assert_keys(place, ordered, count);
}

static void paging_starts_after_any_key(void **in_place)
{
    struct place *place = *in_place;
    bool exists;
    struct slice key, value;
    apply_one(place, event_of("-5", 1, "a"));
    apply_one(place, (struct state_change){
                         .kind = STATE_EVENT, .key = SLICE("3"), .version = 2, .value = SLICE("")});
    apply_one(place, event_of("20", 1, "c"));
    assert_true(state_next_entity(place->state, SLICE("-6"), &key, &exists, &value)); /* not there itself */
    assert_slice(key, "-5");
    assert_slice(value, "a");
    assert_true(exists);
    assert_true(state_next_entity(place->state, SLICE("-5"), &key, &exists, &value));
    assert_slice(key, "3");
    assert_false(exists); /* deleted ones are shown as such */
    assert_true(state_next_entity(place->state, SLICE("4"), &key, &exists, &value));
    assert_slice(key, "20");
    assert_false(state_next_entity(place->state, SLICE("20"), &key, &exists, &value));
    assert_false(state_next_entity(place->state, SLICE("9223372036854775807"), &key, &exists, &value));
}

static const struct key_case {
    const char *text;
    bool expected;
    int64_t value;
} keys[] = {
    {"0", true, 0},
    {"-1", true, -1},
    {"9223372036854775807", true, INT64_MAX},
    {"-9223372036854775808", true, INT64_MIN},
    {"9223372036854775808", false, 0},
    {"-9223372036854775809", false, 0},
    {"99999999999999999999999", false, 0},
    {"", false, 0},
    {"-", false, 0},
    {"-0", false, 0},
    {"00", false, 0},
    {"01", false, 0},
    {"+1", false, 0},
    {" 1", false, 0},
    {"1 ", false, 0},
    {"1.0", false, 0},
    {"1e3", false, 0},
    {"0x10", false, 0},
    {"a", false, 0},
};

static void only_one_spelling_is_an_int64_key(void **unused)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        int64_t value = 0;
        if (state_key_is_int64(slice_of(keys[i].text), &value) != keys[i].expected)
            fail_msg("\"%s\": expected %d", keys[i].text, keys[i].expected);
        if (keys[i].expected)
            assert_int_equal(value, keys[i].value);
    }
    int64_t value;
    assert_false(state_key_is_int64(SLICE_NONE, &value));
    assert_false(state_key_is_int64(slice_make("1\0", 2), &value));
    assert_true(state_key_is_int64(slice_make("123", 2), &value));
    assert_int_equal(value, 12);
}

/* ---- outcomes ---- */

static void outcomes_come_back_as_they_were(void **in_place)
{
    struct place *place = *in_place;
    struct state_outcome found;
    struct state_change change = event_of("1", 3, "{}");
    change.command_id = SLICE("id-1");
    change.outcome = (struct state_outcome){.fingerprint = SLICE("0123456789abcdef"),
                                            .status = 201,
                                            .binding = true,
                                            .version = 3,
                                            .exists = true,
                                            .time_ms = 1234567890123,
                                            .body = slice_make("bo\0dy", 5),
                                            .content_type = SLICE("application/json"),
                                            .location = SLICE("/items/1")};
    apply_one(place, change);
    reopen(place);
    assert_true(state_find_outcome(place->state, SLICE("id-1"), &found));
    assert_slice(found.fingerprint, "0123456789abcdef");
    assert_int_equal(found.status, 201);
    assert_true(found.binding);
    assert_int_equal(found.version, 3);
    assert_true(found.exists);
    assert_int_equal(found.time_ms, 1234567890123);
    assert_true(slice_equal(found.body, slice_make("bo\0dy", 5)));
    assert_slice(found.content_type, "application/json");
    assert_slice(found.location, "/items/1");
    assert_false(state_find_outcome(place->state, SLICE("id-"), &found));
    assert_false(state_find_outcome(place->state, SLICE("id-11"), &found));
    assert_false(state_find_outcome(place->state, SLICE_NONE, &found));
}

static void what_an_outcome_lacks_is_absent(void **in_place)
{
    struct place *place = *in_place;
    struct state_outcome found;
    struct state_change change = event_of("1", 1, "{}");
    change.command_id = SLICE("id-1");
    change.outcome = (struct state_outcome){.status = 504, .fingerprint = SLICE("f"), .body = SLICE("")};
    apply_one(place, change);
    assert_true(state_find_outcome(place->state, SLICE("id-1"), &found));
    assert_false(found.binding);
    assert_false(found.exists);
    assert_slice(found.body, "");
    assert_null(found.content_type.p);
    assert_null(found.location.p);
}

static void the_longest_command_id_is_kept(void **in_place)
{
    struct place *place = *in_place;
    char id[401], other[401];
    struct state_outcome found;
    memset(id, 'i', 400);
    id[400] = '\0';
    strcpy(other, id);
    other[399] = 'j';
    apply_one(place, outcome_of("1", id, 200, 1000));
    assert_true(state_find_outcome(place->state, slice_of(id), &found));
    assert_false(state_find_outcome(place->state, slice_of(other), &found));
    assert_int_equal(state_expire(place->state, 1001, 10, &error), 1);
    assert_false(state_find_outcome(place->state, slice_of(id), &found));
}

static void an_event_without_a_command_has_no_outcome(void **in_place)
{
    struct place *place = *in_place;
    apply_one(place, event_of("1", 1, "{}"));
    assert_int_equal(state_expire(place->state, INT64_MAX, 10, &error), 0);
}

static void expiry_takes_the_oldest_first_and_no_more_than_asked(void **in_place)
{
    struct place *place = *in_place;
    struct state_outcome found;
    apply_one(place, outcome_of("1", "third", 200, 3000));
    apply_one(place, outcome_of("2", "first", 200, 1000));
    apply_one(place, outcome_of("3", "second", 200, 2000));
    apply_one(place, outcome_of("4", "later", 200, 9000));
    assert_int_equal(state_expire(place->state, 1000, 10, &error), 0); /* not older than itself */
    assert_int_equal(state_expire(place->state, 5000, 2, &error), 2);
    assert_false(state_find_outcome(place->state, SLICE("first"), &found));
    assert_false(state_find_outcome(place->state, SLICE("second"), &found));
    assert_true(state_find_outcome(place->state, SLICE("third"), &found));
    assert_int_equal(state_expire(place->state, 5000, 2, &error), 1);
    assert_false(state_find_outcome(place->state, SLICE("third"), &found));
    assert_int_equal(state_expire(place->state, 5000, 2, &error), 0);
    assert_true(state_find_outcome(place->state, SLICE("later"), &found));
    assert_entity(place, "1", true, 1, "{}"); /* entities stay */
    reopen(place);
    assert_false(state_find_outcome(place->state, SLICE("third"), &found));
}

/* A 504 that was tried anew: its old time must not take the new outcome with it. */
static void a_replaced_outcome_expires_by_its_own_time(void **in_place)
{
    struct place *place = *in_place;
    struct state_outcome found;
    apply_one(place, outcome_of("1", "id", 504, 1000));
    apply_one(place, outcome_of("1", "id", 200, 5000));
    assert_true(state_find_outcome(place->state, SLICE("id"), &found));
    assert_int_equal(found.status, 200);
    assert_int_equal(state_expire(place->state, 2000, 10, &error), 1);
    assert_true(state_find_outcome(place->state, SLICE("id"), &found));
    assert_int_equal(found.status, 200);
    assert_int_equal(state_expire(place->state, 5001, 10, &error), 1);
    assert_false(state_find_outcome(place->state, SLICE("id"), &found));
    assert_int_equal(state_expire(place->state, INT64_MAX, 10, &error), 0);
}

/* ---- repairs ---- */

static void assert_repairs(struct place *place, const char *const *expected, size_t count)
{
    char key[64];
    size_t len = 0, n = 0;
    while (state_next_repair(place->state, n ? slice_make(key, len) : SLICE_NONE, key, sizeof(key), &len)) {
        assert_true(n < count);
        assert_slice(slice_make(key, len), expected[n++]);
    }
    assert_int_equal(n, count);
}

static struct state_change void_of(const char *key)
{
    return (struct state_change){.kind = STATE_VOID, .key = slice_of(key)};
}

static void void_records_ask_for_repair_until_an_event_comes(void **in_place)
{
    static const char *const all[] = {"-3", "5", "40"}, *const rest[] = {"-3", "40"};
    struct place *place = *in_place;
    struct state_change changes[] = {event_of("5", 2, "true"), void_of("40"), void_of("5"), void_of("-3"),
                                     void_of("5")};
    apply(place, changes, 5, 5);
    assert_repairs(place, all, 3);
    assert_entity(place, "5", true, 2, "true"); /* a void record changes nothing */
    assert_no_entity(place, "40");
    reopen(place);
    assert_repairs(place, all, 3);
    apply_one(place, event_of("5", 3, "true again"));
    assert_repairs(place, rest, 2);
    struct state_change both[] = {void_of("40"), event_of("40", 1, "x"), event_of("-3", 1, "y"),
                                  void_of("-3")};
    apply(place, both, 4, 10);
    assert_repairs(place, rest, 1); /* the void record came last */
}

static void text_keys_are_repaired_too(void **in_place)
{
    static const char *const all[] = {"12345678", "job-9"};
    struct place *place = *in_place;
    apply_one(place, void_of("job-9"));
    apply_one(place, void_of("12345678")); /* 8 bytes, like a number on disk */
    assert_repairs(place, all, 2);
    apply_one(place, event_of("12345678", 1, "x"));
    assert_repairs(place, all + 1, 1);
    assert_entity(place, "12345678", true, 1, "x");
}

/* ---- making it anew ---- */

/* Command ids are text, also where they look like an entity's key that is kept as a number. */
static void old_attempts_are_found_by_any_id(void **in_place)
{
    struct place *place = *in_place;
    static const char *const ids[] = {"12", "345", "id-6"};
    char id[16] = "";
    size_t len = 0, found = 0;
    for (size_t i = 0; i < 3; i++) {
        int64_t first_ms = i == 0 ? 9000 : 1000; /* the first one is young */
        apply_one(place, (struct state_change){
                             .kind = STATE_ATTEMPTS, .key = slice_of(ids[i]), .attempts = 2, .first_ms = first_ms});
    }
    while (state_next_old_attempts(place->state, 5000, len ? slice_make(id, len) : SLICE_NONE, id, sizeof(id), &len)) {
        assert_true(++found < 3);
        assert_true(slice_equal(slice_make(id, len), slice_of(ids[found])));
    }
    assert_int_equal(found, 2);
}

static void fill(struct place *place)
{
    struct state_change changes[] = {{.kind = STATE_CLAIM, .key = SLICE("claim-1")},
                                     event_of("1", 1, "{}"),
                                     outcome_of("2", "id", 200, 1000),
                                     void_of("3")};
    apply(place, changes, 4, 4);
}

static void assert_empty(struct place *place)
{
    struct state_outcome found;
    assert_int_equal(state_checkpoint(place->state), -1);
    struct journal_reader reader = state_reader(place->state);
    assert_int_equal(reader.last.len, 0);
    assert_keys(place, NULL, 0);
    assert_repairs(place, NULL, 0);
    assert_false(state_find_outcome(place->state, SLICE("id"), &found));
    assert_int_equal(state_expire(place->state, INT64_MAX, 10, &error), 0);
}

static void wiping_leaves_an_empty_copy(void **in_place)
{
    struct place *place = *in_place;
    fill(place);
    assert_entity(place, "1", true, 1, "{}"); /* a snapshot is open */
    assert_int_equal(state_wipe(place->state, &error), 0);
    assert_empty(place);
    reopen(place);
    assert_null(place->wiped); /* it is ours, and empty */
    assert_empty(place);
    fill(place);
    assert_entity(place, "1", true, 1, "{}");
}

static void a_copy_of_something_else_is_wiped(void **in_place)
{
    static const struct state_binding others[] = {
        {.cluster_id = "c2", .topic = "item.events", .int64_keys = true},
        {.cluster_id = "c2", .topic = "other.events", .int64_keys = true},
        {.cluster_id = "c2", .topic = "other.events", .partition = 1, .int64_keys = true},
        {.cluster_id = NULL, .topic = "other.events", .partition = 1, .int64_keys = true},
    };
    struct place *place = *in_place;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        fill(place);
        place->binding = others[i];
        reopen(place);
        assert_non_null(place->wiped);
        assert_empty(place);
        reopen(place);
        assert_null(place->wiped);
    }
}

static void overwrite(const char *path, off_t from, size_t len, int byte)
{
    char page[4096];
    memset(page, byte, sizeof(page));
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    for (size_t done = 0; done < len; done += sizeof(page))
        assert_int_equal(pwrite(fd, page, sizeof(page), from + (off_t)done), sizeof(page));
    close(fd);
}

static void a_foreign_file_is_replaced(void **in_place)
{
    static const int bytes[] = {0x00, 0x5a, 0xff};
    struct place *place = *in_place;
    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
        fill(place);
        close_place(place);
        overwrite(place->data, 0, 2 * 4096, bytes[i]); /* both meta pages */
        open_place(place);
        assert_non_null(place->wiped);
        assert_empty(place);
    }
    fill(place);
    assert_entity(place, "1", true, 1, "{}");
}

static void a_file_cut_short_is_replaced(void **in_place)
{
    static const off_t sizes[] = {100, 4096, 5000, 8192,
                                  20000}; /* the last ones leave LMDB's own header whole */
    struct place *place = *in_place;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        fill(place);
        close_place(place);
        assert_int_equal(truncate(place->data, sizes[i]), 0);
        open_place(place);
        assert_non_null(place->wiped);
        assert_empty(place);
    }
}

static void an_empty_file_is_a_new_copy(void **in_place)
{
    struct place *place = *in_place;
    fill(place);
    close_place(place);
    assert_int_equal(truncate(place->data, 0), 0);
    open_place(place);
    assert_empty(place);
}

static void a_folder_is_made_with_its_parents(void **unused)
{
    char dir[128], root[] = "/tmp/roundtrip-state-XXXXXX";
    struct state *state;
    const char *wiped;
    struct state_binding binding = {.cluster_id = "c", .topic = "t", .int64_keys = true};
    assert_non_null(mkdtemp(root));
    snprintf(dir, sizeof(dir), "%s/a/b", root);
    assert_int_equal(state_open(dir, &binding, &state, &wiped, &error), 0);
    state_close(state);
    assert_int_equal(access(dir, R_OK | W_OK | X_OK), 0);
    char command[160];
    snprintf(command, sizeof(command), "rm -r -- '%s'", root);
    assert_int_equal(system(command), 0);
}

static void a_folder_that_cannot_be_made_is_an_error(void **in_place)
{
    struct place *place = *in_place;
    char dir[128];
    struct state *state = NULL;
    const char *wiped;
    snprintf(dir, sizeof(dir), "%s/below-a-file", place->data);
    error.text[0] = '\0';
    assert_true(state_open(dir, &place->binding, &state, &wiped, &error) < 0);
    assert_null(state);
    assert_non_null(strstr(error.text, "cannot open the state folder"));
}

/* What the file beside the data says is known before LMDB sees the data. */
static void note_boot(struct place *place, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/boot", place->dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void after_the_machine_went_down_the_copy_is_made_anew(void **in_place)
{
    static const char *const notes[] = {"00000000-0000-0000-0000-000000000000", "",
                                        "clos"}; /* or cut short itself */
    struct place *place = *in_place;
    for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
        fill(place);
        close_place(place);
        note_boot(place, notes[i]);
        overwrite(place->data, 2 * 4096, 8 * 4096, 0x5a); /* torn where LMDB would not notice */
        open_place(place);
        assert_non_null(place->wiped);
        assert_empty(place);
    }
    fill(place);
    reopen(place); /* an orderly end in this boot */
    assert_null(place->wiped);
    assert_entity(place, "1", true, 1, "{}");
}

/* ---- growing ---- */

enum { LARGE_COUNT = 34, LARGE_SIZE = 8 * MIB };

/* More than the map holds at first, in one batch. */
static void fill_beyond_the_map(struct place *place)
{
    static struct state_change changes[LARGE_COUNT];
    char keys_text[LARGE_COUNT][8];
    char *value = malloc(LARGE_SIZE);
    assert_non_null(value);
    memset(value, 'x', LARGE_SIZE);
    for (int i = 0; i < LARGE_COUNT; i++) {
        snprintf(keys_text[i], sizeof(keys_text[i]), "%d", i);
        changes[i] = outcome_of(keys_text[i], keys_text[i], 200, 1000 + i);
        changes[i].value = slice_make(value, LARGE_SIZE);
    }
    apply(place, changes, LARGE_COUNT, 100);
    free(value);
}

static void the_map_grows(void **in_place)
{
    struct place *place = *in_place;
    apply_one(place, event_of("-1", 1, "before"));
    assert_entity(place, "-1", true, 1, "before"); /* a reader exists when the map moves */
    fill_beyond_the_map(place);
    assert_entity(place, "-1", true, 1, "before");
    reopen(place);
    assert_null(place->wiped);
    bool exists;
    int64_t version;
    struct slice found;
    assert_true(state_entity(place->state, SLICE("33"), &exists, &version, &found));
    assert_int_equal(found.len, LARGE_SIZE);
    assert_int_equal(found.p[LARGE_SIZE - 1], 'x');
    apply_one(place, event_of("-1", 2, "after"));
    assert_entity(place, "-1", true, 2, "after");
}

/* LMDB opens a map that is just as large as the data: removing needs room, too. */
static void a_large_copy_can_be_cleaned_and_emptied_at_once(void **in_place)
{
    struct place *place = *in_place;
    fill_beyond_the_map(place);
    reopen(place);
    assert_int_equal(state_expire(place->state, INT64_MAX, 1000, &error), LARGE_COUNT);
    reopen(place);
    if (state_wipe(place->state, &error) != 0)
        fail_msg("%s", error.text);
    assert_empty(place);
}

static void a_large_copy_of_something_else_is_wiped(void **in_place)
{
    struct place *place = *in_place;
    fill_beyond_the_map(place);
    place->binding.topic = "other.events";
    reopen(place);
    assert_non_null(place->wiped);
    assert_empty(place);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(a_new_copy_is_empty),
        IN_PLACE(what_was_applied_is_there_after_reopening),
        IN_PLACE(an_empty_batch_moves_the_checkpoint),
        IN_PLACE(a_batch_is_applied_whole_or_not_at_all),
        IN_PLACE(a_read_sees_what_was_applied_before_it),
        IN_PLACE(the_last_claim_is_kept),
        IN_PLACE(int64_keys_are_in_numeric_order),
        cmocka_unit_test_setup_teardown(text_keys_are_in_byte_order, make_text_place, remove_place),
        IN_PLACE(paging_starts_after_any_key),
        cmocka_unit_test(only_one_spelling_is_an_int64_key),
        IN_PLACE(outcomes_come_back_as_they_were),
        IN_PLACE(what_an_outcome_lacks_is_absent),
        IN_PLACE(the_longest_command_id_is_kept),
        IN_PLACE(an_event_without_a_command_has_no_outcome),
        IN_PLACE(expiry_takes_the_oldest_first_and_no_more_than_asked),
        IN_PLACE(a_replaced_outcome_expires_by_its_own_time),
        IN_PLACE(void_records_ask_for_repair_until_an_event_comes),
        cmocka_unit_test_setup_teardown(text_keys_are_repaired_too, make_text_place, remove_place),
        IN_PLACE(old_attempts_are_found_by_any_id),
        IN_PLACE(wiping_leaves_an_empty_copy),
        IN_PLACE(a_copy_of_something_else_is_wiped),
        IN_PLACE(a_foreign_file_is_replaced),
        IN_PLACE(a_file_cut_short_is_replaced),
        IN_PLACE(an_empty_file_is_a_new_copy),
        cmocka_unit_test(a_folder_is_made_with_its_parents),
        IN_PLACE(a_folder_that_cannot_be_made_is_an_error),
        IN_PLACE(after_the_machine_went_down_the_copy_is_made_anew),
        IN_PLACE(the_map_grows),
        IN_PLACE(a_large_copy_can_be_cleaned_and_emptied_at_once),
        IN_PLACE(a_large_copy_of_something_else_is_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
