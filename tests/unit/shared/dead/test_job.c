/* SPDX-License-Identifier: Apache-2.0 */
/* Orders, jobs kept and read again, and what is done about one letter. */
#include "json.h"
#include "support.h"

static struct dead_error error;

static bool read_order(struct dead_order *order, enum dead_action action, const char *json)
{
    struct json_error wrong;
    struct json_object *object = json_parse_strict(slice_of(json), &wrong);
    assert_non_null(object);
    dead_order_init(order, action);
    error.text[0] = '\0';
    bool ok = dead_order_read(order, object, 1000000000000, &error);
    json_object_put(object);
    return ok;
}

static void orders_say_which_and_why(void **unused)
{
    static const struct {
        enum dead_action action;
        const char *json;
        bool good;
    } cases[] = {
        {DEAD_REDRIVE, "{\"service\":\"item\"}", true},
        {DEAD_REDRIVE, "{\"all\":true}", true},
        {DEAD_REDRIVE, "{\"ids\":[\"item-0-1\"],\"rate\":5,\"max_rounds\":1,\"dry_run\":true}", true},
        {DEAD_DISCARD, "{\"since\":\"1h\",\"reason\":\"old\"}", true},
        {DEAD_REDRIVE, "{\"state\":\"redriven\",\"key\":\"x\"}", true},
        {DEAD_REDRIVE, "{}", false},
        {DEAD_REDRIVE, "{\"state\":\"redriven\"}", false},
        {DEAD_REDRIVE, "{\"all\":false}", false},
        {DEAD_REDRIVE, "{\"key\":\"x\",\"state\":\"any\"}", false},
        {DEAD_REDRIVE, "{\"key\":\"x\",\"reason\":\"y\"}", false},
        {DEAD_REDRIVE, "{\"key\":\"x\",\"rate\":0}", false},
        {DEAD_REDRIVE, "{\"key\":\"x\",\"rate\":100001}", false},
        {DEAD_REDRIVE, "{\"key\":\"x\",\"max_rounds\":0}", false},
        {DEAD_REDRIVE, "{\"ids\":[\"item\"]}", false},
        {DEAD_REDRIVE, "{\"ids\":[7]}", false},
        {DEAD_REDRIVE, "{\"colour\":\"x\"}", false},
        {DEAD_DISCARD, "{\"key\":\"x\"}", false},
        {DEAD_DISCARD, "{\"key\":\"x\",\"reason\":\"\"}", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct dead_order order;
        if (read_order(&order, cases[i].action, cases[i].json) != cases[i].good)
            fail_msg("%s: %s", cases[i].json, error.text);
        assert_true(cases[i].good || strlen(error.text) > 10);
        dead_order_done(&order);
    }
}

static void an_id_named_twice_is_meant_once(void **unused)
{
    struct dead_order order;
    assert_true(read_order(&order, DEAD_REDRIVE, "{\"ids\":[\"item-0-1\",\"item-0-2\",\"item-0-1\"]}"));
    assert_int_equal(order.id_count, 2);
    dead_order_done(&order);
}

static struct dead_job *a_job(void)
{
    struct dead_job *job = dead_job_new("01a20e58-ae19-7186-bfc0-c0e3b1a078a7");
    assert_non_null(job);
    assert_true(dead_filter_set(&job->order.filter, "type", SLICE("item.put"), 0, &error));
    assert_true(dead_order_set_reason(&job->order, SLICE("why \"not\""), &error));
    assert_true(dead_spans_add(&job->spans, "item", 0, 5, 17));
    assert_true(dead_spans_add(&job->spans, "item", 3, 0, INT64_C(5000000000)));
    job->order.action = DEAD_DISCARD;
    job->created_ms = 1769860800000;
    strcpy(job->order.by, "gateway-1");
    return job;
}

static void a_job_is_the_same_when_read_again(void **unused)
{
    struct dead_job *job = a_job(), *back = dead_job_new(job->id);
    struct buf text = {0};
    dead_job_write(&text, job);
    assert_true(dead_job_read(back, buf_slice(&text)));
    assert_int_equal(back->order.action, DEAD_DISCARD);
    assert_string_equal(back->order.reason, "why \"not\"");
    assert_string_equal(back->order.by, "gateway-1");
    assert_memory_equal(&back->order.filter, &job->order.filter, sizeof(job->order.filter));
    assert_int_equal(back->created_ms, job->created_ms);
    assert_int_equal(back->spans.count, 2);
    assert_int_equal(back->spans.list[1].end, INT64_C(5000000000));
    assert_int_equal(dead_spans_total(&back->spans), 12 + INT64_C(5000000000));
    buf_done(&text);
    dead_job_free(job);
    dead_job_free(back);
}

static void progress_is_the_same_when_read_again(void **unused)
{
    const struct dead_progress progress = {.phase = DEAD_CANCELLED, .span = 3, .offset = 77, .examined = 9, .done = 4,
                                           .already = 5, .too_often = 2, .unfit = 1, .updated_ms = 1769860800123, .error = "e", .runner = "r"};
    struct dead_progress back = {.phase = DEAD_WAITING};
    struct buf text = {0};
    dead_progress_write(&text, &progress);
    assert_true(dead_progress_read(&back, buf_slice(&text)));
    assert_int_equal(back.phase, DEAD_CANCELLED);
    assert_int_equal(back.span, 3);
    assert_int_equal(back.offset, 77);
    assert_int_equal(back.examined + back.done * 10 + back.too_often * 100 + back.unfit * 1000 + back.already * 10000, 51249);
    assert_int_equal(back.updated_ms, progress.updated_ms);
    assert_string_equal(back.runner, "r");
    assert_false(dead_progress_read(&back, SLICE("{}")));
    assert_false(dead_progress_read(&back, SLICE("[")));
    assert_int_equal(back.span, 3);
    buf_done(&text);
}

static void what_cannot_be_a_job_is_none(void **unused)
{
    static const char *const cases[] = {
        "", "[]", "{}",
        "{\"action\":\"eat\",\"filter\":{},\"rate\":1,\"max_rounds\":1,\"by\":\"\",\"created_at\":\"2026-01-31T12:00:00Z\",\"spans\":[]}",
        "{\"action\":\"redrive\",\"filter\":{},\"rate\":1,\"max_rounds\":1,\"by\":\"\",\"created_at\":\"x\",\"spans\":[]}",
        "{\"action\":\"redrive\",\"filter\":{},\"rate\":1,\"max_rounds\":1,\"by\":\"\",\"created_at\":\"2026-01-31T12:00:00Z\",\"spans\":[[1]]}",
        "{\"action\":\"redrive\",\"filter\":{},\"rate\":1,\"max_rounds\":1,\"by\":\"\",\"created_at\":\"2026-01-31T12:00:00Z\",\"spans\":[[\"item\",-1,0,1]]}",
        "{\"action\":\"redrive\",\"filter\":{\"state\":\"lost\"},\"rate\":1,\"max_rounds\":1,\"by\":\"\",\"created_at\":\"2026-01-31T12:00:00Z\",\"spans\":[]}",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct dead_job *job = dead_job_new("x");
        assert_false(dead_job_read(job, slice_of(cases[i])));
        dead_job_free(job);
    }
}

static void letters_are_judged(void **unused)
{
    struct headers headers;
    struct record rec = a_record(&headers);
    struct dead_letter letter;
    struct dead_job *job = a_job();
    struct dead_mark mine = {.state = DEAD_REDRIVEN}, other = {.state = DEAD_REDRIVEN, .job = "another"};
    strcpy(mine.job, job->id);
    job->order.action = DEAD_REDRIVE;
    dead_letter_read(&rec, "item", &letter);
    assert_int_equal(dead_job_judge(job, &letter, NULL), DEAD_ACT);
    assert_int_equal(dead_job_judge(job, &letter, &other), DEAD_ALREADY);
    assert_int_equal(dead_job_judge(job, &letter, &mine), DEAD_COUNTED);
    letter.deliveries = job->order.max_rounds; /* redriven max_rounds - 1 times */
    assert_int_equal(dead_job_judge(job, &letter, NULL), DEAD_ACT);
    letter.deliveries++;
    assert_int_equal(dead_job_judge(job, &letter, NULL), DEAD_TOO_OFTEN);
    job->order.action = DEAD_DISCARD;
    assert_int_equal(dead_job_judge(job, &letter, NULL), DEAD_ACT);
    letter.type = SLICE("item.delete");
    assert_int_equal(dead_job_judge(job, &letter, NULL), DEAD_PASS);
    assert_int_equal(dead_job_judge(job, &letter, &other), DEAD_PASS);
    dead_job_free(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_say_which_and_why),
        cmocka_unit_test(an_id_named_twice_is_meant_once),
        cmocka_unit_test(a_job_is_the_same_when_read_again),
        cmocka_unit_test(progress_is_the_same_when_read_again),
        cmocka_unit_test(what_cannot_be_a_job_is_none),
        cmocka_unit_test(letters_are_judged),
    };
    return cmocka_run_group_tests_name("job", tests, NULL, NULL);
}
