/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every interleaving of a few owners of one log, not some by chance.
 *
 * Each owner's records land in the log in the order it sent them, and it hears of each after it landed; its events are sent
 * when it has heard of its claim. Between these constraints all orders are walked through. At the end of each, what an owner called
 * final must be valid to everybody who reads the log.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "journal.h"

#define OWNERS_MAX  3
#define RECORDS_MAX 8 /* of one owner */
#define LOG_MAX     (OWNERS_MAX * RECORDS_MAX)

struct owner {
    const char *program; /* 'C': a claim, 'e': an event */
    int sent, landed, heard;
    int64_t offset[RECORDS_MAX];
    char claim[4]; /* the one its next event carries */
    struct journal_writer writer;
};

struct entry {
    int owner, number;
    bool is_claim, called_final;
    char claim[4];
};

struct world {
    struct owner owners[OWNERS_MAX];
    int owner_count;
    struct entry log[LOG_MAX];
    int log_count;
};

static long walked, finals, wrong;
static bool contiguity;

/* Everything up to the next claim may be sent; what follows a claim waits until that was heard of. */
static void send(struct owner *owner)
{
    while (owner->program[owner->sent]) {
        bool after_claim = owner->sent > 0 && owner->program[owner->sent - 1] == 'C';
        if (after_claim && owner->heard < owner->sent)
            return;
        if (owner->program[owner->sent] == 'C' && owner->heard < owner->sent)
            return; /* an owner claims again only when nothing of its is on its way */
        owner->sent++;
    }
}

static void land(struct world *world, int o)
{
    struct owner *owner = &world->owners[o];
    int number = owner->landed++;
    struct entry *entry = &world->log[world->log_count];
    *entry = (struct entry){.owner = o, .number = number, .is_claim = owner->program[number] == 'C'};
    if (entry->is_claim) {
        owner->claim[0] = (char)('X' + o);
        owner->claim[1] = (char)('0' + number);
    }
    memcpy(entry->claim, owner->claim, sizeof(entry->claim));
    owner->offset[number] = world->log_count++;
}

static void hear(struct world *world, int o)
{
    struct owner *owner = &world->owners[o];
    int number = owner->heard++;
    int64_t offset = owner->offset[number];
    if (owner->program[number] == 'C')
        journal_writer_hold(&owner->writer, offset);
    else if (journal_writer_acknowledged(&owner->writer, offset) == JOURNAL_FINAL || !contiguity)
        world->log[offset].called_final = true;
    send(owner);
}

static void judge(const struct world *world)
{
    struct journal_reader reader = {0};
    walked++;
    for (int i = 0; i < world->log_count; i++) {
        const struct entry *entry = &world->log[i];
        if (entry->is_claim)
            journal_read_claim(&reader, slice_of(entry->claim));
        else if (entry->called_final) {
            finals++;
            wrong += !journal_event_valid(&reader, slice_of(entry->claim));
        }
    }
}

static void walk(const struct world *world)
{
    bool end = true;
    for (int o = 0; o < world->owner_count; o++) {
        const struct owner *owner = &world->owners[o];
        if (owner->landed < owner->sent) {
            struct world next = *world;
            land(&next, o);
            walk(&next);
            end = false;
        }
        if (owner->heard < owner->landed) {
            struct world next = *world;
            hear(&next, o);
            walk(&next);
            end = false;
        }
    }
    if (end)
        judge(world);
}

static void walk_all(bool with_contiguity, int count, const char *const *programs)
{
    struct world world = {.owner_count = count};
    contiguity = with_contiguity;
    walked = finals = wrong = 0;
    for (int o = 0; o < count; o++) {
        world.owners[o].program = programs[o];
        send(&world.owners[o]);
    }
    walk(&world);
}

static const char *const two[] = {"Ceee", "Ceee"}, *const again[] = {"CeCe", "Cee"}, *const three[] = {"Ce", "Ce", "Cee"};
static const struct {
    int count;
    const char *const *programs;
    long interleavings;
} casts[] = {{2, two, 321750}, {2, again, 6006}, {3, three, 420420}};

static void what_is_called_final_is_valid_to_everybody(void **state)
{
    for (size_t i = 0; i < sizeof(casts) / sizeof(casts[0]); i++) {
        walk_all(true, casts[i].count, casts[i].programs);
        print_message("%ld interleavings, %ld events called final\n", walked, finals);
        assert_int_equal(wrong, 0);
        assert_int_equal(walked, casts[i].interleavings);
        assert_true(finals > walked / 2);
    }
}

static void without_contiguity_it_is_not(void **state)
{
    for (size_t i = 0; i < sizeof(casts) / sizeof(casts[0]); i++) {
        walk_all(false, casts[i].count, casts[i].programs);
        assert_true(wrong > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_called_final_is_valid_to_everybody),
        cmocka_unit_test(without_contiguity_it_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
