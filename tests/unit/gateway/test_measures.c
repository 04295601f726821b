/* SPDX-License-Identifier: Apache-2.0 */
/* Requests by what they are, and their hops. */
#include "measures.h"

#include "support.h"

static struct measures measures;

static void every_kind_of_request_has_a_key_of_its_own(void **unused)
{
    static const int statuses[] = {0, 200, 404, 599, 999};
    for (size_t r = 0; r <= routes_public.count; r++) {
        for (unsigned method = METHOD_GET; method <= METHOD_OTHER; method <<= 1) {
            for (size_t s = 0; s < sizeof(statuses) / sizeof(statuses[0]); s++) {
                const struct measures_key key = {
                    .route = r ? &routes_public.rows[r - 1] : NULL, .method = (enum method)method, .status = statuses[s]};
                uint32_t packed = measures_pack(&routes_public, &key);
                struct measures_key back = measures_unpack(&routes_public, packed);
                assert_int_not_equal(packed, 0);
                assert_ptr_equal(back.route, key.route);
                assert_int_equal(back.method, key.method);
                assert_int_equal(back.status, key.status);
            }
        }
    }
    const struct measures_key odd = {.route = NULL, .method = METHOD_GET, .status = 4711};
    assert_int_equal(measures_unpack(&routes_public, measures_pack(&routes_public, &odd)).status, 0);
}

static uint64_t count_of(const struct route *route, enum method method, int status)
{
    const struct measures_key key = {.route = route, .method = method, .status = status};
    return metrics_count(metrics_of(&measures.requests, measures_pack(&routes_public, &key)));
}

static void what_a_request_leaves(void **unused)
{
    struct exchange *x = exchange_new(NULL, NULL);
    x->route = &routes_public.rows[0];
    x->req.method = METHOD_POST;
    x->answer.status = 201;
    x->started_ns = 1000;
    x->sent_ns = 3000;
    x->ended_ns = 2003000;
    measures_replied(&measures, x, 1, 2004000); /* it did not wait for a reply */
    assert_int_equal(metrics_count(&measures.hops[1][MEASURES_ROUND_TRIP]), 0);
    x->outcome = OUTCOME_REPLIED;
    measures_replied(&measures, x, 1, 2004000);
    assert_int_equal(measures.hops[1][MEASURES_RECEIVE].sum_ns, 2000);
    assert_int_equal(measures.hops[1][MEASURES_ROUND_TRIP].sum_ns, 2000000);
    assert_int_equal(measures.hops[1][MEASURES_ANSWER].sum_ns, 1000);
    measures_over(&measures, x, 3001000);
    assert_int_equal(count_of(x->route, METHOD_POST, 201), 1);
    x->outcome = OUTCOME_LEFT; /* whatever answer there is, nobody got it */
    measures_over(&measures, x, 3001000);
    assert_int_equal(count_of(x->route, METHOD_POST, 0), 1);
    assert_int_equal(count_of(x->route, METHOD_POST, 201), 1);
    exchange_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_request_has_a_key_of_its_own),
        cmocka_unit_test(what_a_request_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
