/* SPDX-License-Identifier: Apache-2.0 */
/* Ids, claims, fingerprints and the sentences of errors. */
#include "envelope.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "messages.h"

static void claims_are_told_by_their_key(void **state)
{
    char long_key[8 + 65 + 1];
    struct record rec = {.value = SLICE("{}"), .key = SLICE("__claim/abc")};
    assert_slice(envelope_claim_of(&rec), SLICE("abc"));
    static const struct slice others[] = {{NULL, 0},      {"", 0},  {"__claim/", 8},
                                          {"__claim", 7}, {"7", 1}, {"x__claim/abc", 12}};
    for (size_t i = 0; i < COUNT(others); i++) {
        rec.key = others[i];
        assert_null(envelope_claim_of(&rec).p);
    }
    memset(long_key, 'c', sizeof(long_key));
    memcpy(long_key, "__claim/", 8);
    rec.key = slice_make(long_key, 8 + 64);
    assert_int_equal(envelope_claim_of(&rec).len, 64);
    rec.key = slice_make(long_key, 8 + 65);
    assert_null(envelope_claim_of(&rec).p);
}

static void a_position_is_an_id(void **state)
{
    const struct record rec = {.topic = "item.commands", .partition = 3, .offset = INT64_MAX};
    char id[64];
    size_t len = envelope_position_id(&rec, id, sizeof(id));
    assert_slice(slice_make(id, len), SLICE("item.commands/3/9223372036854775807"));
    assert_int_equal(envelope_position_id(&rec, id, len), 0);
    assert_int_equal(envelope_position_id(&rec, id, len + 1), len);
}

static struct slice fingerprint(struct slice type, struct slice key, struct slice body, char *ret_hex)
{
    const struct command cmd = {.type = type, .key = key, .body = body, .id = slice_make(ret_hex, 1)};
    envelope_fingerprint(&cmd, ret_hex);
    return slice_make(ret_hex, ENVELOPE_FINGERPRINT_LEN);
}

static void fingerprints_tell_commands_apart(void **state)
{
    char hex[8][ENVELOPE_FINGERPRINT_LEN] = {{0}};
    struct slice prints[] = {
        fingerprint(SLICE("item.put"), SLICE("1"), SLICE("{}"), hex[0]),
        fingerprint(SLICE("item.put"), SLICE("1{"), SLICE("}"), hex[1]),
        fingerprint(SLICE("item.put1"), SLICE(""), SLICE("{}"), hex[2]),
        fingerprint(SLICE("item.put"), SLICE("1"), SLICE("{ }"), hex[3]),
        fingerprint(SLICE("item.pus"), SLICE("1"), SLICE("{}"), hex[4]),
        fingerprint(SLICE("item.put"), SLICE("2"), SLICE("{}"), hex[5]),
    };
    for (size_t i = 0; i < COUNT(prints); i++) {
        for (size_t k = 0; k < i; k++)
            assert_false(slice_equal(prints[i], prints[k]));
        for (size_t k = 0; k < prints[i].len; k++)
            assert_non_null(strchr("0123456789abcdef", prints[i].p[k]));
    }
    assert_slice(fingerprint(SLICE("item.put"), SLICE("1"), SLICE("{}"), hex[6]), prints[0]);
    assert_slice(fingerprint(SLICE("a.b"), SLICE("1"), SLICE_NONE, hex[6]),
                 fingerprint(SLICE("a.b"), SLICE("1"), SLICE(""), hex[7]));
}

/* They are stored: another value would make every command of the dedupe window look like a new one. */
static void fingerprints_never_change(void **state)
{
    char hex[ENVELOPE_FINGERPRINT_LEN];
    fingerprint(SLICE("item.create"), SLICE("42"), SLICE("{\"id\":42}"), hex);
    assert_slice(slice_make(hex, sizeof(hex)), SLICE("da109c9e520bedf358813e2d6ab447f4"));
}

static void new_ids_are_uuids_of_their_time(void **state)
{
    char a[ENVELOPE_UUID_SIZE], b[ENVELOPE_UUID_SIZE];
    envelope_new_id(INT64_C(0x0123456789ab), a);
    envelope_new_id(INT64_C(0x0123456789ab), b);
    assert_int_equal(strlen(a), 36);
    assert_memory_equal(a, "01234567-89ab-7", 15);
    assert_int_equal(a[18], '-');
    assert_int_equal(a[23], '-');
    assert_non_null(strchr("89ab", a[19]));
    assert_string_not_equal(a, b);
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, ENVELOPE_UUID_SIZE);
}

/* Of one millisecond and one thread: random bytes come by the pool, and none is given out twice. */
static void new_ids_differ(void **state)
{
    static char ids[5000][ENVELOPE_UUID_SIZE];
    for (size_t i = 0; i < 5000; i++)
        envelope_new_id(1, ids[i]);
    qsort(ids, 5000, sizeof(ids[0]), compare_ids);
    for (size_t i = 1; i < 5000; i++)
        assert_string_not_equal(ids[i - 1], ids[i]);
}

static void every_error_has_a_sentence(void **state)
{
    for (int i = 0; i <= ENVELOPE_BAD_SPECVERSION; i++)
        assert_true(strlen(envelope_error_text((enum envelope_error)i)) > 5);
    assert_non_null(envelope_error_text((enum envelope_error)99));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_are_told_by_their_key),     cmocka_unit_test(a_position_is_an_id),
        cmocka_unit_test(fingerprints_tell_commands_apart), cmocka_unit_test(fingerprints_never_change),
        cmocka_unit_test(new_ids_are_uuids_of_their_time),  cmocka_unit_test(new_ids_differ),  cmocka_unit_test(every_error_has_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
