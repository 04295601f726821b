/* SPDX-License-Identifier: Apache-2.0 */
/* Signals that ask to stop, the ready file, and what the service manager hears. */
#include "lifecycle.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <stdarg.h>
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

/* A service manager's end, at `path`; '@' for the abstract namespace, as NOTIFY_SOCKET has it. */
static int manager(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    memcpy(address.sun_path, path, len);
    if (*path == '@')
        address.sun_path[0] = '\0';
    assert_int_equal(bind(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)), 0);
    setenv("NOTIFY_SOCKET", path, 1);
    return fd;
}

static void assert_told(int fd, const char *expect)
{
    char text[64] = "";
    ssize_t n = recv(fd, text, sizeof(text) - 1, 0);
    assert_int_equal(n, expect ? (ssize_t)strlen(expect) : -1);
    if (expect)
        assert_string_equal(text, expect);
}

static void a_life_is_told(int fd)
{
    struct lifecycle life;
    assert_int_equal(lifecycle_open(&life, NULL), 0);
    assert_told(fd, NULL);
    assert_int_equal(lifecycle_ready(&life, "ready\n"), 0);
    assert_told(fd, "READY=1");
    raise(SIGTERM);
    lifecycle_check(&life);
    assert_told(fd, "STOPPING=1");
    raise(SIGTERM);
    lifecycle_check(&life);
    assert_told(fd, NULL);
    lifecycle_close(&life);
}

static void the_service_manager_hears_of_it(void **state)
{
    char folder[] = "/tmp/roundtrip-test-XXXXXX", path[64], hidden[64];
    struct lifecycle life;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/notify", folder);
    int fd = manager(path);
    a_life_is_told(fd);
    close(fd);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(lifecycle_open(&life, NULL), 0);
    assert_int_equal(lifecycle_ready(&life, "ready\n"), 0); /* a manager that is gone */
    lifecycle_close(&life);
    assert_int_equal(rmdir(folder), 0);
    snprintf(hidden, sizeof(hidden), "@roundtrip-test-%d", (int)getpid());
    fd = manager(hidden);
    a_life_is_told(fd);
    close(fd);
    unsetenv("NOTIFY_SOCKET");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_asks_to_stop),
        cmocka_unit_test(the_ready_file_comes_and_goes),
        cmocka_unit_test(a_ready_file_that_cannot_be_written_is_an_error),
        cmocka_unit_test(the_service_manager_hears_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
