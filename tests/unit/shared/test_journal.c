/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of claims: as tables, and as a model of owners that write at the same time.
 *
 * The model: owners claim, append, are paused and wake late. What an owner sends travels on a wire of its
 * own, in order, for as long as chance wants; acknowledgements come back the same way, some without an
 * offset, some as failures of a record that is in the log all the same. Owners judge with journal_writer_*,
 * readers with journal_reader; an oracle in three lines says what is true. The last test leaves out one rule
 * and expects the model to notice.
 */
#include "journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* ---- tables ---- */

static const struct plan_case {
    int64_t checkpoint, low, claim;
    enum journal_replay plan;
    int64_t from;
} plans[] = {
    {-1, 0, 0, JOURNAL_REPLAY_FRESH, 0},  /* the log's first record is our claim */
    {-1, 0, 50, JOURNAL_REPLAY_FRESH, 0}, /* a new machine */
    {-1, 10, 50, JOURNAL_REPLAY_TRUNCATED, 10},
    {0, 0, 0, JOURNAL_REPLAY_ON, 0},
    {20, 0, 50, JOURNAL_REPLAY_ON, 20},
    {50, 0, 50, JOURNAL_REPLAY_ON, 50}, /* only the claim is new */
    {20, 20, 50, JOURNAL_REPLAY_ON, 20},
    {19, 20, 50, JOURNAL_REPLAY_TRUNCATED, 20},
    {51, 0, 50, JOURNAL_REPLAY_REBUILD, 0}, /* applied beyond a claim that was appended just now: another log
                                             */
    {51, 30, 50, JOURNAL_REPLAY_REBUILD, 30},
    {INT64_MAX, 0, 0, JOURNAL_REPLAY_REBUILD, 0},
};

static void replay_starts_where_the_table_says(void **unused)
{
    for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
        int64_t from = -7;
        assert_int_equal(journal_replay_plan(plans[i].checkpoint, plans[i].low, plans[i].claim, &from),
                         plans[i].plan);
        assert_int_equal(from, plans[i].from);
    }
}

static void contiguous_acknowledgements_are_final(void **unused)
{
    struct journal_writer writer = {0};
    journal_writer_hold(&writer, 41);
    for (int64_t offset = 42; offset < 50; offset++)
        assert_int_equal(journal_writer_acknowledged(&writer, offset), JOURNAL_FINAL);
}

static const int64_t wrong_offsets[] = {-1, 0, 41, 42, 44, 1000};

/* Whatever is wrong with one offset, nothing after it is final, even where the offsets look right again. */
static void after_a_loss_nothing_is_final(void **unused)
{
    for (size_t i = 0; i < sizeof(wrong_offsets) / sizeof(wrong_offsets[0]); i++) {
        struct journal_writer writer = {0};
        journal_writer_hold(&writer, 41);
        assert_int_equal(journal_writer_acknowledged(&writer, 42), JOURNAL_FINAL);
        assert_int_equal(journal_writer_acknowledged(&writer, wrong_offsets[i]), JOURNAL_UNKNOWN);
        for (int64_t offset = 42; offset < 46; offset++)
            assert_int_equal(journal_writer_acknowledged(&writer, offset), JOURNAL_UNKNOWN);
        assert_false(journal_writer_overtaken(&writer, 1000)); /* there is nothing left to lose */
        journal_writer_hold(&writer, 60);
        assert_int_equal(journal_writer_acknowledged(&writer, 61), JOURNAL_FINAL);
    }
}

static void without_a_claim_nothing_is_final(void **unused)
{
    struct journal_writer writer = {0};
    assert_int_equal(journal_writer_acknowledged(&writer, 0), JOURNAL_UNKNOWN);
}

static void an_idle_owner_sees_the_high_watermark(void **unused)
{
    struct journal_writer writer = {0};
    assert_false(journal_writer_overtaken(&writer, 100));
    journal_writer_hold(&writer, 9);
    assert_false(journal_writer_overtaken(&writer, 10)); /* one after the claim: nobody wrote */
    assert_true(journal_writer_overtaken(&writer, 11));
    assert_int_equal(journal_writer_acknowledged(&writer, 10), JOURNAL_FINAL);
    assert_false(journal_writer_overtaken(&writer, 11));
    assert_true(journal_writer_overtaken(&writer, 12));
}

static void the_last_claim_decides_validity(void **unused)
{
    struct journal_reader reader = {0};
    assert_false(journal_event_valid(&reader, SLICE("a"))); /* before the first claim */
    assert_false(journal_event_valid(&reader, SLICE("")));
    assert_false(journal_event_valid(&reader, SLICE_NONE));
    journal_read_claim(&reader, SLICE("a"));
    assert_true(journal_event_valid(&reader, SLICE("a")));
    assert_false(journal_event_valid(&reader, SLICE("b")));
    assert_false(journal_event_valid(&reader, SLICE("aa")));
    assert_false(journal_event_valid(&reader, SLICE_NONE));
    journal_read_claim(&reader, SLICE("b"));
    assert_false(journal_event_valid(&reader, SLICE("a")));
    assert_true(journal_event_valid(&reader, SLICE("b")));
    journal_read_claim(&reader, SLICE("a")); /* an id comes back: still the last one */
    assert_true(journal_event_valid(&reader, SLICE("a")));
}

static void a_claim_is_a_value(void **unused)
{
    char longest[JOURNAL_CLAIM_MAX];
    struct journal_claim claim;
    memset(longest, 'x', sizeof(longest));
    journal_claim_set(&claim, slice_make(longest, sizeof(longest)));
    longest[5] = 'y';
    assert_false(journal_claim_is(&claim, slice_make(longest, sizeof(longest))));
    longest[5] = 'x';
    assert_true(journal_claim_is(&claim, slice_make(longest, sizeof(longest))));
    journal_claim_set(&claim, SLICE_NONE);
    assert_false(journal_claim_is(&claim, SLICE_NONE)); /* no claim is nobody's */
}

/* ---- the model ---- */

#define LOGS      10000
#define STEPS     200
#define OWNERS    3
#define LOG_MAX   STEPS
#define KEYS      4
#define CLAIM_LEN 8

/* One record, from its sender to the log and back. */
struct entry {
    bool is_claim, final, landed;
    char claim[CLAIM_LEN + 1];
    int key;
    int64_t offset;      /* in the log */
    uint64_t generation; /* of its owner when it was sent: an older one's acknowledgements mean nothing */
};

struct owner {
    struct journal_writer writer;
    uint64_t generation;
    bool claiming, paused;
    struct entry
        *wire[LOG_MAX]; /* sent, in order: [0, landed) are in the log, [acked, landed) not heard of yet */
    int sent, landed, acked;
};

struct model {
    uint64_t seed, claims, owner_count; /* two or three of them */
    bool broken;                        /* takes every acknowledged event for final */
    struct owner owners[OWNERS];
    struct entry entries[LOG_MAX];
    struct entry *log[LOG_MAX];
    int entry_count, log_count;
    struct journal_reader follower; /* reads along while the log grows */
    int followed;
    bool follower_says[LOG_MAX];
};

struct tally {
    long final, final_but_void, valid, void_events, losses, disagreements, overtaken;
};

static uint64_t random_below(struct model *model, uint64_t bound)
{
    model->seed ^= model->seed << 13;
    model->seed ^= model->seed >> 7;
    model->seed ^= model->seed << 17;
    return (model->seed >> 16) % bound;
}

static void send(struct model *model, struct owner *owner, bool is_claim)
{
    struct entry *entry = &model->entries[model->entry_count++];
    *entry = (struct entry){.is_claim = is_claim,
                            .key = (int)random_below(model, KEYS),
                            .offset = -1,
                            .generation = owner->generation};
    memcpy(entry->claim, owner->writer.claim.id, CLAIM_LEN);
    owner->wire[owner->sent++] = entry;
}

static void claim(struct model *model, struct owner *owner)
{
    char id[CLAIM_LEN + 1];
    snprintf(id, sizeof(id), "%08llx", (unsigned long long)++model->claims);
    owner->writer = (struct journal_writer){0};
    journal_claim_set(&owner->writer.claim, slice_make(id, CLAIM_LEN));
    owner->generation++;
    owner->claiming = true;
    send(model, owner, true);
}

static void land(struct model *model, struct owner *owner)
{
    if (owner->landed == owner->sent)
        return;
    struct entry *entry = owner->wire[owner->landed++];
    entry->landed = true;
    entry->offset = model->log_count;
    model->log[model->log_count++] = entry;
}

/* The claim is given up: what is on its way stays on its way. */
static void lose(struct owner *owner, struct tally *tally)
{
    owner->writer = (struct journal_writer){0};
    owner->generation++;
    owner->claiming = false;
    tally->losses++;
}

static void hear_of_event(struct model *model, struct owner *owner, struct entry *entry, struct tally *tally)
{
    uint64_t luck = random_below(model, 150);
    if (luck == 0) { /* a failed delivery of what is in the log all the same */
        lose(owner, tally);
        return;
    }
    int64_t offset = luck == 1 ? -1 : entry->offset;
    bool final = journal_writer_acknowledged(&owner->writer, offset) == JOURNAL_FINAL;
    entry->final = final || model->broken;
    if (!entry->final)
        lose(owner, tally);
}

static void hear(struct model *model, struct owner *owner, struct tally *tally)
{
    if (owner->paused || owner->acked == owner->landed)
        return;
    struct entry *entry = owner->wire[owner->acked++];
    if (entry->generation != owner->generation)
        return;
    if (entry->is_claim) {
        owner->claiming = false;
        journal_writer_hold(&owner->writer, entry->offset);
    } else {
        hear_of_event(model, owner, entry, tally);
    }
}

/* An owner acts on its own belief: it does not look at the log, but for the high watermark when it is idle.
 */
static void act(struct model *model, struct owner *owner, struct tally *tally)
{
    bool idle = owner->acked == owner->sent;
    if (owner->paused || owner->claiming)
        return;
    if (!owner->writer.held) {
        if (random_below(model, 10) == 0)
            claim(model, owner);
    } else if (idle && !model->broken && random_below(model, 8) == 0) {
        if (journal_writer_overtaken(&owner->writer, model->log_count)) {
            tally->overtaken++;
            lose(owner, tally);
        }
    } else {
        send(model, owner, false);
    }
}

static void follow(struct model *model)
{
    for (; model->followed < model->log_count; model->followed++) {
        const struct entry *entry = model->log[model->followed];
        struct slice id = slice_make(entry->claim, CLAIM_LEN);
        if (entry->is_claim)
            journal_read_claim(&model->follower, id);
        else
            model->follower_says[model->followed] = journal_event_valid(&model->follower, id);
    }
}

static void step(struct model *model, struct tally *tally)
{
    struct owner *owner = &model->owners[random_below(model, model->owner_count)];
    switch (random_below(model, 16)) {
    case 0:
        owner->paused = !owner->paused;
        break;
    case 1:
        follow(model);
        break;
    case 2:
    case 3:
    case 4:
    case 5:
        land(model, owner);
        break;
    case 6:
    case 7:
    case 8:
    case 9:
        hear(model, owner, tally);
        break;
    default:
        act(model, owner, tally);
        break;
    }
}

/* In the end everything arrives and everybody wakes. */
static void settle(struct model *model, struct tally *tally)
{
    for (int i = 0; i < OWNERS; i++) {
        struct owner *owner = &model->owners[i];
        owner->paused = false;
        while (owner->landed < owner->sent)
            land(model, owner);
        while (owner->acked < owner->landed)
            hear(model, owner, tally);
    }
    follow(model);
}

static bool oracle_says(const struct model *model, int at)
{
    int i = at - 1;
    while (i >= 0 && !model->log[i]->is_claim)
        i--;
    return i >= 0 && strcmp(model->log[i]->claim, model->log[at]->claim) == 0;
}

/* Compaction keeps a key's newest record, and may take a claim only if the next record is a claim again. */
static bool compacted(const struct model *model, int at)
{
    const struct entry *entry = model->log[at];
    if (entry->is_claim)
        return at + 1 < model->log_count && model->log[at + 1]->is_claim;
    for (int i = at + 1; i < model->log_count; i++) {
        if (!model->log[i]->is_claim && model->log[i]->key == entry->key)
            return true;
    }
    return false;
}

static void judge(const struct model *model, struct tally *tally)
{
    struct journal_reader late = {0}, thin = {0};
    for (int i = 0; i < model->log_count; i++) {
        const struct entry *entry = model->log[i];
        struct slice id = slice_make(entry->claim, CLAIM_LEN);
        bool gone = compacted(model, i);
        if (entry->is_claim) {
            journal_read_claim(&late, id);
            if (!gone)
                journal_read_claim(&thin, id);
            continue;
        }
        bool valid = oracle_says(model, i);
        tally->disagreements += journal_event_valid(&late, id) != valid;
        tally->disagreements += model->follower_says[i] != valid;
        tally->disagreements += !gone && journal_event_valid(&thin, id) != valid;
        tally->valid += valid;
        tally->void_events += !valid;
        tally->final += entry->final;
        tally->final_but_void += entry->final && !valid;
    }
}

static struct tally run_logs(bool broken, int logs)
{
    static struct model model;
    struct tally tally = {0};
    for (int i = 0; i < logs; i++) {
        memset(&model, 0, sizeof(model));
        model.seed = UINT64_C(0x9e3779b97f4a7c15) * (uint64_t)(i + 1);
        model.owner_count = OWNERS - 1 + random_below(&model, 2);
        model.broken = broken;
        for (int s = 0; s < STEPS; s++)
            step(&model, &tally);
        settle(&model, &tally);
        judge(&model, &tally);
    }
    return tally;
}

static void what_an_owner_calls_final_is_valid_for_all(void **unused)
{
    struct tally tally = run_logs(false, LOGS);
    print_message("final %ld of %ld valid, %ld void, %ld losses, %ld by the watermark\n", tally.final,
                  tally.valid, tally.void_events, tally.losses, tally.overtaken);
    assert_int_equal(tally.disagreements, 0);
    assert_int_equal(tally.final_but_void, 0);
    /* the schedules must be worth something: owners that succeed, and owners that are deposed while they
     * write */
    assert_true(tally.final > 4 * LOGS);
    assert_true(tally.void_events > LOGS);
    assert_true(tally.losses > LOGS / 2);
    assert_true(tally.overtaken > 0);
}

static void without_the_contiguity_check_the_model_breaks(void **unused)
{
    struct tally tally = run_logs(true, LOGS);
    print_message("without the check: %ld void events called final\n", tally.final_but_void);
    assert_true(tally.final_but_void > 0);
    assert_int_equal(tally.disagreements, 0); /* readers do not depend on what owners believe */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replay_starts_where_the_table_says),
        cmocka_unit_test(contiguous_acknowledgements_are_final),
        cmocka_unit_test(after_a_loss_nothing_is_final),
        cmocka_unit_test(without_a_claim_nothing_is_final),
        cmocka_unit_test(an_idle_owner_sees_the_high_watermark),
        cmocka_unit_test(the_last_claim_decides_validity),
        cmocka_unit_test(a_claim_is_a_value),
        cmocka_unit_test(what_an_owner_calls_final_is_valid_for_all),
        cmocka_unit_test(without_the_contiguity_check_the_model_breaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
