/* SPDX-License-Identifier: Apache-2.0 */
/* Signals that ask to stop, and the ready file. */
#include "lifecycle.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void a_signal_asks_to_stop(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < 2; i++) {
        struct lifecycle life;
        assert_int_equal(lifecycle_open(&life, NULL), 0);
        lifecycle_check(&life);
        assert_false(lifecycle_stopping(&life));
        assert_false(lifecycle_stop_within(&life, 0));
        raise(signals[i]);
        assert_false(lifecycle_stopping(&life));
        assert_true(lifecycle_stop_within(&life, 0));
        assert_true(lifecycle_stopping(&life));
        assert_false(lifecycle_hurried(&life));
        raise(SIGTERM);
        lifecycle_check(&life);
        assert_true(lifecycle_hurried(&life));
        lifecycle_close(&life);
    }
}

static void the_ready_file_comes_and_goes(void **state)
{
    char folder[] = "/tmp/roundtrip-test-XXXXXX", path[64], line[32] = "";
    struct lifecycle life;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/ready", folder);
    FILE *stale = fopen(path, "w");
    assert_non_null(stale);
    fclose(stale);
    assert_int_equal(lifecycle_open(&life, path), 0);
    assert_int_equal(access(path, F_OK), -1); /* that of an earlier process */
    assert_int_equal(lifecycle_ready(&life, "http://127.0.0.1:8080\n"), 0);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    fclose(file);
    assert_string_equal(line, "http://127.0.0.1:8080\n");
    lifecycle_close(&life);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(rmdir(folder), 0); /* no draft was left behind */
}

static void a_ready_file_that_cannot_be_written_is_an_error(void **state)
{
    struct lifecycle life;
    assert_int_equal(lifecycle_open(&life, "/nonexistent/ready"), 0);
    assert_int_equal(lifecycle_ready(&life, "ready\n"), -ENOENT);
    lifecycle_close(&life);
    assert_int_equal(lifecycle_open(&life, ""), 0);
    assert_int_equal(lifecycle_ready(&life, "ready\n"), 0);
    lifecycle_close(&life);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_asks_to_stop),
        cmocka_unit_test(the_ready_file_comes_and_goes),
        cmocka_unit_test(a_ready_file_that_cannot_be_written_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
