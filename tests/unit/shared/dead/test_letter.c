/* SPDX-License-Identifier: Apache-2.0 */
/* Names of dead letters, what they say, and the commands they become again. */
#include "support.h"

static struct headers headers, sent;
static struct record out;
static const char *why;

static void names_go_both_ways(void **unused)
{
    static const char *const good[] = {"item-0-0", "a-b-c-12-9223372036854775807", "compute-5-1"};
    static const char *const bad[] = {"", "item", "item-1", "-1-2", "item--1-2", "item-1-", "item-x-2", "item-1-9223372036854775808",
                                      "item-2147483648-1", "item-1-2 "};
    struct dead_id id;
    char text[DEAD_ID_SIZE];
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(dead_id_parse(slice_of(good[i]), &id));
        assert_int_equal(dead_id_write(&id, text), strlen(good[i]));
        assert_string_equal(text, good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (strcmp(bad[i], "item--1-2") == 0)
            continue; /* a service may end with a dash */
        assert_false(dead_id_parse(slice_of(bad[i]), &id));
    }
    assert_false(dead_id_parse(SLICE_NONE, &id));
    char service[DEAD_SERVICE_SIZE];
    assert_true(dead_topic_service(SLICE("dlq.item.commands"), service));
    assert_string_equal(service, "item");
    assert_false(dead_topic_service(SLICE("dlq..commands"), service));
    assert_false(dead_topic_service(SLICE("item.commands"), service));
    assert_false(dead_topic_service(SLICE("dlq.item.events"), service));
}

static void says_what_its_headers_say(void **unused)
{
    struct record rec = a_record(&headers);
    struct dead_letter letter;
    dead_letter_read(&rec, "item", &letter);
    assert_slice(letter.class, "exhausted");
    assert_slice(letter.reason, "the disk is gone");
    assert_slice(letter.type, "item.put");
    assert_slice(letter.command_id, "id-1");
    assert_int_equal(letter.deliveries, 1);
    assert_int_equal(letter.origin_partition, 2);
    assert_int_equal(letter.origin_offset, 71);
    assert_false(dead_letter_is_bare(&letter));
    struct buf text = {0};
    dead_letter_write(&text, &letter, NULL);
    assert_true(text_has(&text, "{\"id\":\"item-3-9\",\"state\":\"open\""));
    assert_true(text_has(&text, "\"died_at\":\"2026-01-31T12:00:00.000Z\""));
    buf_done(&text);
}

static void foreign_records_are_letters_too(void **unused)
{
    struct record rec = {.topic = "dlq.item.commands", .partition = 0, .offset = 1, .value = SLICE("\xff\x00\x01")};
    rec.value.len = 3;
    struct dead_letter letter;
    struct buf text = {0};
    dead_letter_read(&rec, "item", &letter);
    assert_int_equal(letter.deliveries, -1);
    assert_false(dead_letter_is_bare(&letter));
    const struct dead_mark mark = {.state = DEAD_DISCARDED, .at_ms = 1, .job = "j", .reason = "old"};
    dead_letter_write_whole(&text, &letter, &mark, SLICE("[]"));
    assert_true(text_has(&text, "\"body_base64\":\"/wAB\""));
    assert_true(text_has(&text, "\"discard_reason\":\"old\""));
    assert_true(text_has(&text, "\"class\":null"));
    buf_done(&text);
}

static struct slice sent_header(const char *name)
{
    const struct record rec = {.headers = sent.list, .header_count = sent.count};
    return record_header(&rec, name);
}

static void becomes_the_command_it_was(void **unused)
{
    struct record rec = a_record(&headers);
    struct dead_letter letter;
    dead_letter_read(&rec, "item", &letter);
    assert_true(dead_letter_command(&letter, &rec, "item.commands", SLICE("job-1"), &sent, &out, &why));
    assert_string_equal(out.topic, "item.commands");
    assert_int_equal(out.partition, -1);
    assert_true(slice_equal(out.key, rec.key));
    assert_true(slice_equal(out.value, rec.value));
    assert_slice(sent_header("ce_id"), "id-1");
    assert_slice(sent_header("x-other"), "kept");
    assert_slice(sent_header("__dlq.job"), "job-1");
    assert_slice(sent_header("__dlq.errors.delivery.count"), "1");
    assert_slice(sent_header("__dlq.errors.offset"), "71");
    assert_null(sent_header("ce_expirytime").p); /* it has passed: nobody would work on it */
    assert_null(sent_header("__dlq.errors.message").p);
    assert_null(sent_header("__dlq.errors.class").p);
    size_t jobs = 0;
    for (size_t i = 0; i < sent.count; i++)
        jobs += strcmp(sent.list[i].name, "__dlq.job") == 0;
    assert_int_equal(jobs, 1);
}

static void goes_round_with_its_last_job_only(void **unused)
{
    struct record rec = a_record(&headers);
    headers_add(&headers, "__dlq.job", SLICE("job-0"));
    rec.header_count = headers.count;
    struct dead_letter letter;
    dead_letter_read(&rec, "item", &letter);
    assert_true(dead_letter_command(&letter, &rec, "item.commands", SLICE("job-1"), &sent, &out, &why));
    assert_slice(sent_header("__dlq.job"), "job-1");
    for (size_t i = 0; i < sent.count; i++)
        assert_false(slice_is(sent.list[i].value, "job-0"));
}

static void without_a_key_it_goes_to_its_partition(void **unused)
{
    struct record rec = a_record(&headers);
    rec.key = SLICE_NONE;
    struct dead_letter letter;
    dead_letter_read(&rec, "item", &letter);
    assert_true(dead_letter_command(&letter, &rec, "item.commands", SLICE("j"), &sent, &out, &why));
    assert_int_equal(out.partition, 2);
}

static void what_was_cut_is_not_sent(void **unused)
{
    struct record rec = a_record(&headers);
    struct dead_letter letter;
    rec.truncated = true;
    dead_letter_read(&rec, "item", &letter);
    assert_false(dead_letter_command(&letter, &rec, "item.commands", SLICE("j"), &sent, &out, &why));
    assert_non_null(why);
}

static void a_bare_one_needs_its_original(void **unused)
{
    struct record rec = a_record(&headers), original = {.topic = "item.commands", .key = SLICE("7"), .value = SLICE("large")};
    const struct header its_own[] = {{"ce_type", SLICE("item.put")}};
    original.headers = its_own;
    original.header_count = 1;
    rec.value = SLICE_NONE; /* of an item.delete that would be all of it */
    struct dead_letter letter;
    dead_letter_read(&rec, "item", &letter);
    assert_false(dead_letter_is_bare(&letter));
    headers_add(&headers, "__dlq.errors.omitted", SLICE("value"));
    rec.header_count = headers.count;
    dead_letter_read(&rec, "item", &letter);
    assert_true(dead_letter_is_bare(&letter));
    assert_true(dead_letter_command(&letter, &original, "item.commands", SLICE("j"), &sent, &out, &why));
    assert_slice(out.value, "large");
    assert_slice(sent_header("ce_id"), "id-1");
    assert_slice(sent_header("__dlq.errors.offset"), "71");
    assert_null(sent_header("__dlq.errors.omitted").p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_go_both_ways),
        cmocka_unit_test(says_what_its_headers_say),
        cmocka_unit_test(foreign_records_are_letters_too),
        cmocka_unit_test(becomes_the_command_it_was),
        cmocka_unit_test(goes_round_with_its_last_job_only),
        cmocka_unit_test(without_a_key_it_goes_to_its_partition),
        cmocka_unit_test(what_was_cut_is_not_sent),
        cmocka_unit_test(a_bare_one_needs_its_original),
    };
    return cmocka_run_group_tests_name("letter", tests, NULL, NULL);
}
