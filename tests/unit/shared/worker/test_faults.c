/* SPDX-License-Identifier: Apache-2.0 */
/* What a handler's fault leaves in the log, and what it does not. */
#include "rig.h"

#include "clock.h"

/* Tombstones of counts of attempts among what the events producer was given. */
static size_t counts_removed(const struct rig *rig)
{
    size_t removed = 0;
    for (size_t i = 0; i < fake_sent_count(rig->worker.events); i++) {
        struct tombstone tombstone;
        const struct record *rec = fake_sent(rig->worker.events, i);
        removed += envelope_decode_tombstone(rec, &tombstone) && slice_is(tombstone.attempts_of, "a");
    }
    return removed;
}

static void a_permanent_fault_is_an_event_then_a_dead_letter_then_an_answer(void **unused)
{
    struct rig *rig = rig_serving();
    rig_ask(rig, (struct ask){.type = "thing.faulty", .key = "1", .id = "a"});
    assert_int_equal(rig_events(rig), 1);
    assert_int_equal(rig_event(rig, 0).status, 500);
    assert_false(rig_event(rig, 0).binding);
    assert_int_equal(rig_dead(rig), 0);
    rig_acknowledge_events(rig);
    assert_int_equal(rig_dead(rig), 1);
    assert_header(rig_dead_letter(rig, 0), "__dlq.errors.class", "permanent");
    assert_header(rig_dead_letter(rig, 0), "__dlq.errors.message", "it never works");
    assert_int_equal(rig_replies(rig), 0);
    rig_acknowledge_replies(rig);
    assert_reply(rig, 0, "a", 500);
    assert_int_equal(counts_removed(rig), 0); /* nothing was counted */
    rig_free(rig);
    fake_bus_reset();
}

/* Its worker ended between the event and the letter. The same record is not decided again; one that is sent anew is. */
static void a_dead_letter_that_was_lost_is_written_again(void **unused)
{
    const struct ask ask = {.type = "thing.faulty", .key = "1", .id = "a"};
    for (int applied = 0; applied < 2; applied++) {
        struct rig *rig = rig_serving();
        int64_t offset = rig_ask(rig, ask);
        rig_acknowledge_events(rig);
        if (applied)
            partition_apply(&rig->partitions[0]);
        size_t events = rig_events(rig), letters = rig_dead(rig);
        recover_revoked(&rig->partitions[0]);
        recover_assigned(&rig->partitions[0], offset);
        rig_recover(rig);
        rig_ask_at(rig, ask, offset);
        assert_int_equal(rig_events(rig), events);
        assert_int_equal(rig_dead(rig), letters + 1);
        assert_header(rig_dead_letter(rig, letters), "__dlq.errors.class", "permanent");
        assert_header(rig_dead_letter(rig, letters), "__dlq.errors.message", "The command is put aside as a dead letter after 1 attempt: it never works");
        rig_acknowledge_replies(rig);
        assert_reply(rig, rig_replies(rig) - 1, "a", 500);
        assert_true(rig_reply(rig, rig_replies(rig) - 1).replayed);
        rig_ask(rig, ask);
        assert_int_equal(rig_events(rig), events + 1);
        rig_free(rig);
        fake_bus_reset();
    }
}

/* Its count stands in the log, and not yet in the local copy. */
static void a_suspect_that_fails_leaves_no_count_behind(void **unused)
{
    struct rig *rig = rig_serving();
    rig->worker.suspicious = true;
    rig->partitions[0].suspect_until = 100;
    rig_ask(rig, (struct ask){.type = "thing.faulty", .key = "1", .id = "a"});
    partition_tick(&rig->partitions[0], 0);
    assert_int_equal(counts_removed(rig), 0);
    fake_acknowledge(rig->worker.events); /* the count: its handler runs now */
    assert_int_equal(counts_removed(rig), 1);
    rig_acknowledge_events(rig);
    rig_acknowledge_replies(rig);
    assert_reply(rig, 0, "a", 500);
    rig_free(rig);
    fake_bus_reset();
}

/* In an outage workers may be started again and again: who only waited did not end any of them. */
static void a_suspect_that_waits_for_its_breaker_is_not_blamed(void **unused)
{
    struct rig *rig = rig_serving();
    struct attempts attempts;
    rig->worker.suspicious = true;
    rig->partitions[0].suspect_until = 100;
    for (size_t i = 0; rig->worker.service->operations[i].type; i++)
        rig->breakers[i] = (struct breaker){.phase = BREAKER_OPEN, .until_ns = INT64_MAX / 2};
    rig_ask(rig, (struct ask){.type = "thing.put", .key = "1", .id = "a"});
    partition_tick(&rig->partitions[0], 0);
    size_t sent = fake_sent_count(rig->worker.events);
    assert_true(envelope_decode_attempts(fake_sent(rig->worker.events, sent - 1), &attempts));
    assert_int_equal(attempts.crashes, 1);
    fake_acknowledge(rig->worker.events);
    assert_int_equal(counts_removed(rig), 1);
    assert_null(rig->worker.turn);
    rig_acknowledge_events(rig);
    rig_free(rig);
    fake_bus_reset();
}

/* How many attempts the log counts of a command. */
static int counted(const char *id)
{
    int count = 0;
    for (int64_t o = 0; o < fake_log_end(); o++) {
        struct attempts attempts;
        struct tombstone tombstone;
        if (envelope_decode_attempts(fake_log(o), &attempts) && slice_is(attempts.command_id, id))
            count = attempts.count;
        else if (envelope_decode_tombstone(fake_log(o), &tombstone) && slice_is(tombstone.attempts_of, id))
            count = 0;
    }
    return count;
}

/* Each process fails a few times before its breaker opens; many of them must not use attempts up. */
static void restarts_in_an_outage_use_no_attempts_up(void **unused)
{
    static const char *const keys[] = {"1", "2", "3", "4"};
    for (int process = 0; process < 10; process++) {
        struct rig *rig = rig_serving();
        for (size_t i = 0; i < 4; i++)
            rig_ask(rig, (struct ask){.type = "thing.shaky", .key = keys[i], .id = keys[i]});
        rig_acknowledge_events(rig);
        partition_tick(&rig->partitions[0], clock_mono_ns());
        rig_acknowledge_events(rig);
        assert_int_equal(rig_dead(rig), 0);
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(counted(keys[i]), 0);
        rig_free(rig);
    }
    fake_bus_reset();
}

/* The breaker that opens again for the same ones tells of poison, and that must come to its end. */
static void attempts_are_taken_back_once(void **unused)
{
    static const char *const keys[] = {"1", "2", "3"};
    struct rig *rig = rig_serving();
    for (size_t i = 0; i < 3; i++)
        rig_ask(rig, (struct ask){.type = "thing.shaky", .key = keys[i], .id = keys[i]});
    partition_tick(&rig->partitions[0], clock_mono_ns());
    rig_acknowledge_events(rig);
    assert_int_equal(counted("1") + counted("2"), 0);
    memset(rig->breakers, 0, sizeof(rig->breakers)); /* one of another key has closed it */
    for (struct work *work = rig->partitions[0].retrying.first; work; work = work->queue_next)
        work->due_ns = 0;
    rig->partitions[0].retry_due_ns = 0;
    partition_tick(&rig->partitions[0], clock_mono_ns());
    partition_tick(&rig->partitions[0], clock_mono_ns());
    rig_acknowledge_events(rig);
    assert_int_equal(counted("1") + counted("2") + counted("3"), 2);
    rig_free(rig);
    fake_bus_reset();
}

/* A count that another process left ends with the command's next outcome, also with one that does not bind. */
static void an_outcome_ends_the_count_that_another_process_made(void **unused)
{
    struct rig *rig = rig_serving();
    rig_ask(rig, (struct ask){.type = "thing.shaky", .key = "1", .id = "a"});
    rig_acknowledge_events(rig);
    assert_int_equal(counted("a"), 1);
    rig_free(rig);
    rig = rig_serving();
    rig_ask(rig, (struct ask){.type = "thing.shaky", .key = "1", .id = "a", .expiry = LONG_AGO});
    rig_acknowledge_events(rig);
    assert_reply(rig, 0, "a", 504);
    assert_int_equal(counted("a"), 0);
    rig_ask(rig, (struct ask){.type = "thing.shaky", .key = "1", .id = "a"}); /* the local copy may still have it */
    assert_int_equal(rig->partitions[0].retrying.first->attempts, 1);
    rig_free(rig);
    fake_bus_reset();
}

/* No room is nobody's fault: it waits, without a count or a breaker, however many do and however long, until there is. */
static void who_finds_no_room_waits(void **unused)
{
    struct rig *rig = rig_serving();
    bool full = true;
    rig->worker.context = &full;
    rig->worker.breaker_settings = (struct breaker_settings){.keys = 3, .window_ns = INT64_MAX / 4, .pause_ns = 1, .pause_max_ns = 1};
    for (int i = 0; i < 8; i++)
        rig_ask(rig, (struct ask){.type = "thing.busy", .key = (char[]){(char)('1' + i), 0}, .id = (char[]){(char)('a' + i), 0}, .body = "{}"});
    for (int turn = 0; turn < 20; turn++) {
        rig->partitions[0].retry_due_ns = 0;
        for (struct work *work = rig->partitions[0].retrying.first; work; work = work->queue_next)
            work->due_ns = 0;
        partition_tick(&rig->partitions[0], clock_mono_ns());
    }
    assert_int_equal(rig_events(rig), 0);
    assert_int_equal(rig_replies(rig), 0);
    full = false;
    rig->partitions[0].retry_due_ns = 0;
    partition_tick(&rig->partitions[0], INT64_MAX / 2);
    assert_int_equal(rig_events(rig), 8);
    rig_acknowledge_events(rig);
    assert_int_equal(rig_replies(rig), 8);
    assert_int_equal(rig_reply(rig, 0).status, 200);
    assert_int_equal(rig_dead(rig), 0);
    rig_free(rig);
    fake_bus_reset();
}

/* Its time is over before there is room: 503, and what was missing. */
static void no_room_in_time(void **unused)
{
    struct rig *rig = rig_serving();
    bool full = true;
    char expiry[CLOCK_RFC3339_SIZE];
    rig->worker.context = &full;
    clock_format_rfc3339(clock_wall_ms() + 150, expiry); /* less than what an answer takes */
    rig_ask(rig, (struct ask){.type = "thing.busy", .key = "1", .id = "a", .body = "{}", .expiry = expiry});
    rig->partitions[0].retry_due_ns = 0;
    partition_tick(&rig->partitions[0], clock_mono_ns() + CLOCK_NS_PER_MS);
    rig_acknowledge_events(rig);
    assert_reply(rig, 0, "a", 503);
    assert_non_null(memmem(rig_reply(rig, 0).body.p, rig_reply(rig, 0).body.len, "there is no room", 16));
    assert_slice(rig_reply(rig, 0).retry_after, "1");
    rig_free(rig);
    fake_bus_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_permanent_fault_is_an_event_then_a_dead_letter_then_an_answer),
        cmocka_unit_test(a_dead_letter_that_was_lost_is_written_again),
        cmocka_unit_test(a_suspect_that_fails_leaves_no_count_behind),
        cmocka_unit_test(a_suspect_that_waits_for_its_breaker_is_not_blamed),
        cmocka_unit_test(restarts_in_an_outage_use_no_attempts_up),
        cmocka_unit_test(attempts_are_taken_back_once),
        cmocka_unit_test(an_outcome_ends_the_count_that_another_process_made),
        cmocka_unit_test(who_finds_no_room_waits),
        cmocka_unit_test(no_room_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
