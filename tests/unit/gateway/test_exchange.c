/* SPDX-License-Identifier: Apache-2.0 */
/* An exchange's memory serves one request after the other. */
#include "exchange.h"

#include "support.h"

static void it_is_clean_for_the_next_request(void **unused)
{
    struct exchange *x = exchange_new(NULL, NULL);
    struct reply reply = {.status = 200, .etag = SLICE("\"1\""), .body = SLICE("{}")};
    assert_non_null(x);
    exchange_move(x, EXCHANGE_READING);
    make_request(&x->req, "GET", "/items/1");
    set_body(&x->req, "{}");
    assert_true(exchange_expect(x, 3));
    for (size_t i = 0; i < 3; i++)
        assert_true(received_copy(&x->parts[i], &reply));
    exchange_move(x, EXCHANGE_WAITING);
    exchange_move(x, EXCHANGE_ENDED);
    answer_problem(&x->answer, 404, "no");
    exchange_move(x, EXCHANGE_ANSWERED);
    exchange_clear(x);
    assert_int_equal(x->state, EXCHANGE_IDLE);
    assert_int_equal(x->req.header_count, 0);
    assert_int_equal(x->req.body.len, 0);
    assert_int_equal(x->answer.status, 0);
    assert_int_equal(x->answer.header_count, 0);
    assert_true(exchange_expect(x, 3));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(x->parts[i].status, 0);
        assert_null(x->parts[i].body.p);
    }
    exchange_free(x);
}

static void big_bodies_are_given_back(void **unused)
{
    struct exchange *x = exchange_new(NULL, NULL);
    exchange_move(x, EXCHANGE_READING);
    assert_true(buf_reserve(&x->req.body, 200000));
    exchange_clear(x);
    assert_int_equal(x->req.body.cap, 0);
    exchange_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_clean_for_the_next_request),
        cmocka_unit_test(big_bodies_are_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
