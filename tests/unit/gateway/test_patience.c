/* SPDX-License-Identifier: Apache-2.0 */
/* When a slow client is cut off, and what is made of one that stops sending. */
#include "patience.h"

#include "support.h"

#define S     INT64_C(1000000000)
#define LIMIT (20 * S)

static void a_connection_that_sends_nothing_is_not_overdue(void **unused)
{
    struct patience p = {0};
    for (int64_t at = 0; at < 1000 * S; at += S)
        assert_false(patience_head_overdue(&p, 0, 0, at, LIMIT));
}

static void a_head_that_has_begun_has_its_time(void **unused)
{
    struct patience p = {0};
    assert_false(patience_head_overdue(&p, 0, 0, S, LIMIT));
    assert_false(patience_head_overdue(&p, 0, 1, 2 * S, LIMIT));
    for (int64_t at = 3 * S; at < 22 * S; at += S) /* a byte each second is no excuse */
        assert_false(patience_head_overdue(&p, 0, (uint64_t)(at / S), at, LIMIT));
    assert_true(patience_head_overdue(&p, 0, 22, 22 * S, LIMIT));
}

static void a_first_byte_before_the_first_look_counts(void **unused)
{
    struct patience p = {0};
    assert_false(patience_head_overdue(&p, 0, 7, 5 * S, LIMIT));
    assert_true(patience_head_overdue(&p, 0, 7, 25 * S, LIMIT));
}

static void between_two_requests_only_new_bytes_count(void **unused)
{
    struct patience p = {0};
    assert_false(patience_head_overdue(&p, 3, 900, S, LIMIT));
    assert_false(patience_head_overdue(&p, 3, 900, 500 * S, LIMIT));
    assert_false(patience_head_overdue(&p, 3, 901, 501 * S, LIMIT));
    assert_false(patience_head_overdue(&p, 3, 902, 520 * S, LIMIT));
    assert_true(patience_head_overdue(&p, 3, 902, 521 * S, LIMIT));
}

static void a_complete_head_begins_anew(void **unused)
{
    struct patience p = {0};
    assert_false(patience_head_overdue(&p, 0, 10, S, LIMIT));
    assert_false(patience_head_overdue(&p, 1, 200, 30 * S, LIMIT)); /* it came, and was served */
    assert_false(patience_head_overdue(&p, 1, 200, 100 * S, LIMIT));
    assert_false(patience_head_overdue(&p, 9, 9000, 101 * S, LIMIT)); /* busy */
    assert_false(patience_head_overdue(&p, 17, 18000, 202 * S, LIMIT));
}

static bool encrypted_overdue(struct patience *p, uint64_t bytes, int64_t at)
{
    patience_handshake(p, 0, bytes);
    return patience_head_overdue(p, 0, bytes, at, LIMIT);
}

static void a_handshake_is_no_head(void **unused)
{
    struct patience p = {0};
    assert_false(encrypted_overdue(&p, 0, S));
    assert_false(encrypted_overdue(&p, 700, 3 * S));
    for (int64_t at = 5; at < 500; at += 2) /* then idle, as it may be */
        assert_false(encrypted_overdue(&p, 700, at * S));
    assert_false(encrypted_overdue(&p, 750, 500 * S)); /* a head begins */
    assert_false(encrypted_overdue(&p, 750, 502 * S)); /* and pausing in it does not help */
    assert_true(encrypted_overdue(&p, 751, 520 * S));
}

static void a_handshake_has_no_more_time_than_a_head(void **unused)
{
    struct patience p = {0};
    for (int64_t at = 1; at < 21; at += 2)
        assert_false(encrypted_overdue(&p, (uint64_t)at, at * S));
    assert_true(encrypted_overdue(&p, 21, 21 * S));
}

static void a_body_has_its_time_and_more_for_what_has_come(void **unused)
{
    assert_false(patience_body_overdue(S, 0, 21 * S - 1, LIMIT));
    assert_true(patience_body_overdue(S, 0, 21 * S, LIMIT));
    assert_false(patience_body_overdue(0, 4 * PATIENCE_BYTES_PER_S, 24 * S - 1, LIMIT));
    assert_true(patience_body_overdue(0, 4 * PATIENCE_BYTES_PER_S, 24 * S, LIMIT));
    assert_false(patience_body_overdue(0, PATIENCE_BYTES_PER_S / 2, LIMIT + S / 4, LIMIT));
    assert_false(patience_body_overdue(0, UINT64_C(64) << 20, 16384 * S, LIMIT)); /* the largest there can be */
}

static void departures(void **unused)
{
    static const struct {
        struct departure seen;
        enum patience_step wanted;
    } rows[] = {
        {{.may_ask = true, .http11 = true}, PATIENCE_WAIT},
        {{.reset = true}, PATIENCE_LEFT},
        {{.reset = true, .half_closed = true, .asked = true, .may_ask = true, .http11 = true}, PATIENCE_LEFT},
        {{.half_closed = true, .may_ask = true, .http11 = true}, PATIENCE_ASK},
        {{.half_closed = true, .may_ask = true, .http11 = true, .asked = true}, PATIENCE_WAIT},
        {{.half_closed = true, .may_ask = true}, PATIENCE_WAIT},
        {{.half_closed = true, .http11 = true}, PATIENCE_LEFT},
        {{.half_closed = true}, PATIENCE_LEFT},
        {{.half_closed = true, .may_ask = true, .http11 = true, .streaming = true}, PATIENCE_NUDGE},
        {{.half_closed = true, .may_ask = true, .streaming = true}, PATIENCE_NUDGE},
        {{.half_closed = true, .may_ask = true, .streaming = true, .asked = true}, PATIENCE_WAIT},
        {{.half_closed = true, .streaming = true}, PATIENCE_LEFT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(patience_departure(&rows[i].seen), rows[i].wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_that_sends_nothing_is_not_overdue),
        cmocka_unit_test(a_head_that_has_begun_has_its_time),
        cmocka_unit_test(a_first_byte_before_the_first_look_counts),
        cmocka_unit_test(between_two_requests_only_new_bytes_count),
        cmocka_unit_test(a_complete_head_begins_anew), cmocka_unit_test(a_handshake_is_no_head),
        cmocka_unit_test(a_handshake_has_no_more_time_than_a_head),
        cmocka_unit_test(a_body_has_its_time_and_more_for_what_has_come),
        cmocka_unit_test(departures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
