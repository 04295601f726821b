/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three workers and one log, by chance: assigned, deposed without being told, revoked, paused, their
 * deliveries late, lost or uncertain, their commands repeated and expired. The code under test is the
 * workers'; bus and pool are fakes.
 *
 * What is checked on each answer, against the valid events of the log in their order:
 *   - a write is answered only when its event is in the log, valid, and says the same
 *   - a read shows the state after some number of valid events, and not fewer than any client knew of when it
 * was asked and at the end: every command is answered, no command has two effects, every state follows from
 * the one before. The last test takes the contiguity check away and expects violations.
 *
 * `test_owners N` runs N schedules.
 */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>

#define OWNERS       3
#define STEPS        500
#define COMMANDS_MAX 160
#define LOG_MAX      4000
#define KEYS         3
#define TEXT         400 /* a state that was appended to again and again */

/* One record of the commands topic. */
struct asked {
    const char *type;
    char key[TEXT], id[TEXT], body[TEXT];
    long deadline; /* the step from which it is expired; 0: none */
    size_t known;  /* valid events any client knew of when it was asked */
    bool is_read, answered;
};

/* What a valid event says. */
struct fact {
    char key[TEXT], id[TEXT], state[TEXT];
    int64_t version;
    int status;
    bool exists, effect;
};

struct model {
    uint64_t seed;
    bool broken;
    long step;
    struct rig *rigs[OWNERS];
    bool assigned[OWNERS]; /* as the worker believes */
    size_t seen[OWNERS];   /* of its replies */
    int group_owner;
    int64_t committed;
    struct asked commands[COMMANDS_MAX];
    int64_t command_count;
    /* the log as every reader sees it */
    struct journal_reader reader;
    int64_t read;
    struct fact facts[LOG_MAX];
    size_t fact_count, known;
};

struct tally {
    long answers, reads, replayed, violations, void_events, restarts, repairs;
};

static struct model model;
static struct tally tally;
static int schedules = 60;

static uint64_t below(uint64_t bound)
{
    model.seed ^= model.seed << 13;
    model.seed ^= model.seed >> 7;
    model.seed ^= model.seed << 17;
    return (model.seed >> 16) % bound;
}

static void violation(const char *what, const char *id)
{
    tally.violations++;
    if (!model.broken)
        print_message("step %ld, command %s: %s\n", model.step, id, what);
}

static void copy_text(char *to, struct slice from)
{
    assert_true(from.len < TEXT);
    if (from.len)
        memcpy(to, from.p, from.len);
    to[from.len] = '\0';
}

/* ---- the log, read by somebody who only knows the rules ---- */

static const struct fact *last_fact(const char *key, size_t before)
{
    while (before-- > 0) {
        if (strcmp(model.facts[before].key, key) == 0)
            return &model.facts[before];
    }
    return NULL;
}

static void check_chain(struct fact *fact)
{
    static const struct fact never = {.version = 0};
    const struct fact *before = last_fact(fact->key, model.fact_count);
    before = before ? before : &never;
    fact->effect = fact->version != before->version;
    if (fact->effect && fact->version != before->version + 1)
        violation("a version was skipped or repeated", fact->id);
    if (!fact->effect && (fact->exists != before->exists || strcmp(fact->state, before->state) != 0))
        violation("an event without effect changed the state", fact->id);
    for (size_t i = 0; fact->effect && i < model.fact_count; i++) {
        if (model.facts[i].effect && strcmp(model.facts[i].id, fact->id) == 0)
            violation("a command has two effects", fact->id);
    }
}

static void read_log(void)
{
    for (; model.read < fake_log_end(); model.read++) {
        const struct record *rec = fake_log(model.read);
        struct slice claim = envelope_claim_of(rec);
        struct event event;
        if (claim.p) {
            journal_read_claim(&model.reader, claim);
            continue;
        }
        assert_int_equal(envelope_decode_event(rec, &event), ENVELOPE_OK);
        if (!journal_event_valid(&model.reader, event.claim)) {
            tally.void_events++;
            continue;
        }
        tally.repairs += !event.command_id.p;
        assert_true(model.fact_count < LOG_MAX);
        struct fact *fact = &model.facts[model.fact_count];
        *fact = (struct fact){.version = event.version, .status = event.status, .exists = event.exists};
        copy_text(fact->key, rec->key);
        copy_text(fact->id, event.command_id);
        copy_text(fact->state, event.state);
        check_chain(fact);
        model.fact_count++;
    }
}

/* ---- answers ---- */

static void learn(size_t known)
{
    if (known > model.known)
        model.known = known;
}

static void check_write(const struct asked *asked, const struct reply *reply)
{
    for (size_t i = 0; i < model.fact_count; i++) {
        const struct fact *fact = &model.facts[i];
        if (strcmp(fact->id, asked->id) == 0 && fact->status == reply->status) {
            learn(i + 1);
            return;
        }
    }
    violation("answered without a valid event", asked->id);
}

/* Does the answer show the entity after the first `count` valid events? */
static bool shows(const struct asked *asked, const struct reply *reply, size_t count)
{
    const struct fact *fact = last_fact(asked->key, count);
    char etag[ETAG_SIZE];
    if (!fact || !fact->exists)
        return reply->status == 404;
    etag_write(fact->version, etag);
    return reply->status == 200 && slice_is(reply->body, fact->state) && slice_is(reply->etag, etag);
}

static void check_read(const struct asked *asked, const struct reply *reply)
{
    tally.reads++;
    for (size_t count = asked->known; count <= model.fact_count; count++) {
        if (shows(asked, reply, count)) {
            learn(count);
            return;
        }
    }
    violation("a read shows a state that is older than what a client knew, or that never was", asked->id);
}

static void check_reply(const struct reply *reply)
{
    tally.answers++;
    tally.replayed += reply->replayed;
    struct asked *asked = NULL;
    for (int64_t i = 0; i < model.command_count; i++) {
        if (!slice_is(reply->command_id, model.commands[i].id))
            continue;
        model.commands[i].answered = true;
        asked = asked ? asked : &model.commands[i];
    }
    assert_non_null(asked);
    if (reply->status == 504 && asked->is_read)
        return;
    if (asked->is_read && reply->status == 202)
        return; /* a pooled write runs: that is all it says */
    if (asked->is_read)
        check_read(asked, reply);
    else
        check_write(asked, reply);
}

static void read_replies(void)
{
    read_log();
    for (int i = 0; i < OWNERS; i++) {
        const struct producer *producer = model.rigs[i]->worker.replies;
        for (; model.seen[i] < fake_sent_count(producer); model.seen[i]++) {
            struct reply reply;
            const struct record *rec = fake_sent(producer, model.seen[i]);
            assert_int_equal(envelope_decode_reply(rec, &reply), ENVELOPE_OK);
            check_reply(&reply);
        }
    }
}

/* ---- clients ---- */

static void ask_something(void)
{
    static const char *const types[] = {"thing.create", "thing.put", "thing.put", "thing.delete",
                                        "thing.get",    "thing.get", "thing.get", "thing.append"};
    if (model.command_count == COMMANDS_MAX)
        return;
    struct asked *asked = &model.commands[model.command_count];
    if (model.command_count > 0 && below(8) == 0) { /* somebody tries again */
        *asked = model.commands[below((uint64_t)model.command_count)];
        asked->answered = false;
    } else {
        *asked = (struct asked){.type = types[below(8)]};
        snprintf(asked->key, TEXT, "%d", (int)below(KEYS) + 1);
        snprintf(asked->id, TEXT, "id-%d", (int)model.command_count);
        snprintf(asked->body, TEXT, "b%d", (int)model.command_count);
    }
    asked->is_read = strcmp(asked->type, "thing.get") == 0;
    if (asked->is_read) /* a read that is tried again is a new one */
        snprintf(asked->id, TEXT, "id-%d", (int)model.command_count);
    asked->deadline = below(4) ? 0 : model.step + (long)below(60);
    asked->known = model.known;
    model.command_count++;
}

/* ---- workers ---- */

static struct partition *part(int i)
{
    return &model.rigs[i]->partitions[0];
}

static void take(int i)
{
    int64_t offset;
    if (!model.assigned[i] ||
        !fake_next_command(model.rigs[i]->worker.consumer, model.command_count, &offset))
        return;
    const struct asked *asked = &model.commands[offset];
    bool late = asked->deadline && model.step >= asked->deadline;
    rig_ask_at(model.rigs[i],
               (struct ask){.type = asked->type,
                            .key = asked->key,
                            .id = asked->id,
                            .body = asked->body,
                            .expiry = !asked->deadline ? NULL
                                      : late           ? LONG_AGO
                                                       : FAR_OFF},
               offset);
}

static void land(int i)
{
    if (fake_unlanded(model.rigs[i]->worker.events))
        fake_land(model.rigs[i]->worker.events);
}

/* The broken worker takes every acknowledged offset for the next one. */
static void skip_contiguity(int i, int64_t offset)
{
    struct journal_writer *writer = &part(i)->writer;
    if (model.broken && writer->held)
        writer->next_offset = offset;
}

static void hear(int i)
{
    struct producer *events = model.rigs[i]->worker.events;
    int64_t at = fake_landed_at(events);
    if (at < 0)
        return;
    switch (below(40)) {
    case 0:
        fake_acknowledge_blindly(events);
        break;
    case 1:
        fake_fail_written(events);
        break;
    default:
        skip_contiguity(i, at);
        fake_acknowledge(events);
        break;
    }
}

/* Gapless: when one is lost, all behind it are. */
static void lose_all(int i)
{
    struct producer *events = model.rigs[i]->worker.events;
    while (fake_waiting(events))
        fake_fail(events);
}

static void turn(int i, bool due)
{
    if (!model.assigned[i])
        return;
    enum partition_phase before = part(i)->phase;
    if (due && !model.broken)
        part(i)->idle_check_ns = 0;
    rig_turn(model.rigs[i], due && (!model.broken || before == PARTITION_WAITING) ? INT64_MAX / 2 : 0);
    tally.restarts += before == PARTITION_WAITING && part(i)->phase == PARTITION_CLAIMING;
    if (part(i)->phase == PARTITION_SERVING && due)
        partition_apply(part(i));
}

static void commit(int i)
{
    if (i == model.group_owner && part(i)->phase == PARTITION_SERVING && part(i)->floor_dirty) {
        part(i)->floor_dirty = false;
        model.committed = part(i)->offsets.floor;
    }
}

static void hear_of_replies(int i)
{
    struct producer *replies = model.rigs[i]->worker.replies;
    if (fake_waiting(replies)) {
        if (below(20))
            fake_acknowledge(replies);
        else
            fake_fail(replies);
    }
}

static void revoke(int i)
{
    if (model.assigned[i])
        recover_revoked(part(i));
    model.assigned[i] = false;
}

/* The group chooses another owner; the old one learns of it some time. */
static void rebalance(void)
{
    int next = (int)below(OWNERS);
    if (next == model.group_owner)
        return;
    model.group_owner = next;
    revoke(next);
    model.assigned[next] = true;
    recover_assigned(part(next), model.committed);
}

static void step(void)
{
    int i = below(3) ? model.group_owner : (int)below(OWNERS);
    switch (below(24)) {
    case 0:
    case 1:
    case 2:
        ask_something();
        break;
    case 3:
        if (below(8) == 0)
            rebalance();
        break;
    case 4:
        if (i != model.group_owner && below(2))
            revoke(i);
        break;
    case 5:
        if (below(20) == 0)
            lose_all(i);
        break;
    case 6:
        commit(i);
        break;
    case 7:
        if (fake_tasks())
            fake_run_task();
        break;
    case 8:
    case 9:
        turn(i, below(2));
        break;
    case 10:
    case 11:
        hear_of_replies(i);
        break;
    case 12:
    case 13:
    case 14:
    case 15:
        take(i);
        break;
    case 16:
    case 17:
    case 18:
    case 19:
        land(i);
        break;
    default:
        hear(i);
        break;
    }
    read_replies();
}

/* In the end one owner is left and everything arrives. */
static void settle(void)
{
    for (int i = 0; i < OWNERS; i++) {
        if (i != model.group_owner)
            revoke(i);
        while (fake_unlanded(model.rigs[i]->worker.events))
            land(i);
    }
    int i = model.group_owner;
    for (int round = 0; round < 4 * COMMANDS_MAX; round++) {
        model.step++;
        turn(i, part(i)->phase == PARTITION_WAITING);
        take(i);
        while (fake_unlanded(model.rigs[i]->worker.events))
            land(i);
        while (fake_waiting(model.rigs[i]->worker.events)) {
            skip_contiguity(i, fake_landed_at(model.rigs[i]->worker.events));
            fake_acknowledge(model.rigs[i]->worker.events);
        }
        while (fake_waiting(model.rigs[i]->worker.replies))
            fake_acknowledge(model.rigs[i]->worker.replies);
        while (fake_tasks())
            fake_run_task();
        read_replies();
    }
    for (int64_t c = 0; c < model.command_count; c++) {
        if (!model.commands[c].answered)
            violation("never answered", model.commands[c].id);
    }
    if (part(i)->offsets.floor != model.command_count)
        violation("the floor did not reach the end", "-");
}

static void run_schedule(int number, bool broken)
{
    memset(&model, 0, sizeof(model));
    model.seed = UINT64_C(0x9e3779b97f4a7c15) * (uint64_t)(number + 1);
    model.broken = broken;
    model.committed = -1;
    for (int i = 0; i < OWNERS; i++) {
        model.rigs[i] = rig_new(-1);
        model.assigned[i] = true; /* at first everybody believes it is the owner */
    }
    for (model.step = 0; model.step < STEPS; model.step++)
        step();
    settle();
    for (int i = 0; i < OWNERS; i++)
        rig_free(model.rigs[i]);
    assert_int_equal(fake_messages_alive(), 0);
    fake_bus_reset();
}

static void run(bool broken)
{
    tally = (struct tally){0};
    for (int i = 0; i < schedules; i++) {
        long before = tally.violations;
        run_schedule(i, broken);
        if (!broken && tally.violations != before)
            print_message("in schedule %d\n", i);
    }
    print_message("%ld answers (%ld of them reads, %ld replayed), %ld void events, %ld restarts, %ld "
                  "repairs, %ld violations\n",
                  tally.answers, tally.reads, tally.replayed, tally.void_events, tally.restarts,
                  tally.repairs, tally.violations);
}

static void whatever_happens_answers_agree_with_the_log(void **unused)
{
    run(false);
    assert_int_equal(tally.violations, 0);
    /* the schedules must be worth something */
    assert_true(tally.answers > schedules * 20);
    assert_true(tally.reads > schedules * 5);
    assert_true(tally.replayed > schedules);
    assert_true(tally.void_events > schedules);
    assert_true(tally.restarts > schedules);
    assert_true(tally.repairs > 0);
}

static void without_the_contiguity_check_they_do_not(void **unused)
{
    run(true);
    assert_true(tally.violations > 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_answers_agree_with_the_log),
        cmocka_unit_test(without_the_contiguity_check_they_do_not),
    };
    if (argc > 1)
        schedules = atoi(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
