/* SPDX-License-Identifier: Apache-2.0 */
/* Commands by their time: those that are under way and those whose outcome is kept. */
#include "rig.h"

#include <stdio.h>
#include <time.h>

#include "worker/partition.h"

static struct rig *rig;

static int serve(void **unused)
{
    rig = rig_serving();
    return 0;
}

static int end(void **unused)
{
    rig_free(rig);
    fake_bus_reset();
    return 0;
}

static void expect_history(const char *expected)
{
    rig_ask(rig, (struct ask){.type = "thing.history", .id = "h"});
    struct slice body = rig_reply(rig, rig_replies(rig) - 1).body;
    if (!slice_is(body, expected))
        fail_msg("%.*s\nis not\n%s", SLICE_ARG(body), expected);
}

/* Outcomes have times in ms: a later one is to have another. */
static void later(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

static void newest_first(void **unused)
{
    expect_history("");
    rig_ask(rig, (struct ask){.type = "thing.create", .key = "1", .id = "a", .body = "{}", .auth = "alice"});
    rig_acknowledge_events(rig);
    later();
    rig_ask(rig, (struct ask){.type = "thing.put", .key = "2", .id = "b", .body = "{}"});
    rig_acknowledge_events(rig);
    later();
    rig_ask(rig, (struct ask){.type = "thing.delete", .key = "1", .id = "c", .auth = "bob"});
    rig_acknowledge_events(rig);
    expect_history("succeeded c 1 204 bob thing.deleted;failed b 2 404  thing.put;succeeded a 1 201 alice thing.created;");
}

/* Of one millisecond: by id. Their commands came long before, in this test. */
static void under_way_too(void **unused)
{
    rig_ask(rig, (struct ask){.type = "thing.create", .key = "3", .id = "z", .body = "{}"});
    rig_acknowledge_events(rig);
    later();
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "a", .body = "{}", .auth = "alice"});
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "b", .body = "{}"});
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "2", .id = "ab", .body = "{}"});
    rig_ask(rig, (struct ask){.type = "thing.get", .key = "1", .id = "r"}); /* reads are not of it */
    rig_ask(rig, (struct ask){.type = "thing.cancel", .key = "2", .id = "q", .subject = "ab"});
    expect_history("succeeded z 3 201  thing.created;pending b 1 0  thing.work;cancelling ab 2 0  thing.work;running a 1 0 alice thing.work;");
    rig_ask(rig, (struct ask){.type = "thing.create", .key = "1", .id = "z", .body = "{}"}); /* waits, and nothing will come of it */
    expect_history("succeeded z 3 201  thing.created;pending b 1 0  thing.work;cancelling ab 2 0  thing.work;running a 1 0 alice thing.work;");
    fake_run_task();
    rig_ask(rig, (struct ask){.type = "thing.history", .id = "h"}); /* waits until the event is final */
    rig_acknowledge_events(rig);
    expect_history("succeeded a 1 201 alice thing.worked;succeeded z 3 201  thing.created;running b 1 0  thing.work;"
                   "cancelling ab 2 0  thing.work;");
    fake_run_task();
    fake_run_task();
}

/* "Not now" and then done: one command. */
static void the_last_outcome_of_an_id_counts(void **unused)
{
    rig_ask(rig, (struct ask){.type = "thing.create", .key = "1", .id = "a", .body = "{}", .expiry = LONG_AGO});
    rig_acknowledge_events(rig);
    expect_history("failed a 1 504  thing.create;");
    later();
    rig_ask(rig, (struct ask){.type = "thing.create", .key = "1", .id = "a", .body = "{}"});
    rig_acknowledge_events(rig);
    expect_history("succeeded a 1 201  thing.created;");
}

/* What the log says of it is the same. */
static void another_owner_knows_the_same(void **unused)
{
    rig_ask(rig, (struct ask){.type = "thing.create", .key = "1", .id = "a", .body = "{}", .auth = "alice"});
    rig_acknowledge_events(rig);
    later();
    rig_ask(rig, (struct ask){.type = "thing.create", .key = "1", .id = "b", .body = "{}"});
    rig_acknowledge_events(rig);
    struct rig *other = rig_new(-1);
    rig_recover(other);
    rig_free(rig);
    rig = other;
    expect_history("failed b 1 400  thing.create;succeeded a 1 201 alice thing.created;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(newest_first, serve, end),
        cmocka_unit_test_setup_teardown(under_way_too, serve, end),
        cmocka_unit_test_setup_teardown(the_last_outcome_of_an_id_counts, serve, end),
        cmocka_unit_test_setup_teardown(another_owner_knows_the_same, serve, end),
    };
    return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
