/* SPDX-License-Identifier: Apache-2.0 */
/* Lines as they are written: styles, escaping, levels of modules, repeats, what they are about. */
#include "log.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include <json-c/json_tokener.h>

#include "log_format.h"

static int saved_stderr, ends[2];
static char text[65536];

/* What was written to stderr since begin(). */
static const char *written(void)
{
    ssize_t n = read(ends[0], text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static int begin(void **unused)
{
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0 || (saved_stderr = dup(STDERR_FILENO)) < 0 || dup2(ends[1], STDERR_FILENO) < 0)
        return -1;
    log_init("test", LOG_LEVEL_INFO);
    log_set_style(LOG_STYLE_LOGFMT, "");
    log_set_repeats(0);
    log_about_nothing();
    return 0;
}

static int end(void **unused)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static int count_lines(const char *all, const char *with)
{
    int count = 0;
    for (; (all = strstr(all, with)); all++)
        count++;
    return count;
}

static void logfmt(void **unused)
{
    log_info("a thing happened", "n=%d big=%" PRId64 " size=%zu name=%s part=%.*s sentence=\"it is %s\"", -3, INT64_C(1) << 40, (size_t)7,
             "x", 2, "abc", "so");
    const char *line = written();
    assert_non_null(strstr(line, " level=info service=test module=shared/test_log msg=\"a thing happened\" n=-3 big=1099511627776 size=7 "
                                 "name=x part=ab sentence=\"it is so\"\n"));
    assert_int_equal(strncmp(line, "ts=20", 5), 0);
}

/* Nothing that a client sends ends its value, the line, or begins a pair. */
static void values_are_escaped(void **unused)
{
    log_info("m", "id=%s why=\"%s\" empty=%s", "a level=error", "he said \"x\" level=error\n\x01\xff", "");
    assert_non_null(strstr(written(), " id=\"a level=error\" why=\"he said \\\"x\\\" level=error\\u000a\\u0001\xef\xbf\xbd\" empty=\"\"\n"));
}

static struct json_object *json_line(void)
{
    struct json_object *line = json_tokener_parse(written());
    assert_non_null(line);
    return line;
}

static const char *member(struct json_object *line, const char *name, enum json_type type)
{
    struct json_object *value;
    assert_true(json_object_object_get_ex(line, name, &value));
    assert_int_equal(json_object_get_type(value), type);
    return json_object_get_string(value);
}

static void json(void **unused)
{
    log_set_style(LOG_STYLE_JSON, "worker-1");
    log_warn("m \"q\"", "n=%d text=%s digits=%s both=%d/%d why=\"%s\"", 5, "a\tb", "7", 1, 2, "\xff\"\\");
    struct json_object *line = json_line();
    assert_string_equal(member(line, "level", json_type_string), "warn");
    assert_string_equal(member(line, "instance", json_type_string), "worker-1");
    assert_string_equal(member(line, "msg", json_type_string), "m \"q\"");
    assert_string_equal(member(line, "n", json_type_int), "5");
    assert_string_equal(member(line, "text", json_type_string), "a\tb");
    assert_string_equal(member(line, "digits", json_type_string), "7"); /* as the format has it, not as it happens to look */
    assert_string_equal(member(line, "both", json_type_string), "1/2");
    assert_string_equal(member(line, "why", json_type_string), "\xef\xbf\xbd\"\\");
    json_object_put(line);
}

static void long_lines_lose_whole_pairs(void **unused)
{
    char *huge = malloc(9000);
    memset(huge, '"', 8999);
    huge[8999] = '\0';
    log_set_style(LOG_STYLE_JSON, "");
    log_info("m", "a=%s b=%s c=%s", huge, huge, huge);
    struct json_object *line = json_line(); /* well formed all the same */
    assert_string_equal(member(line, "msg", json_type_string), "m");
    assert_true(strlen(text) < 4096);
    json_object_put(line);
    free(huge);
}

static void levels_of_modules(void **unused)
{
    struct log_levels levels = {.level = LOG_LEVEL_WARN, .count = 1, .modules = {{"shared/test_log", LOG_LEVEL_DEBUG}}};
    log_set_levels(&levels);
    for (int i = 0; i < 2; i++) {
        log_debug("seen", "n=%d", i);
        assert_int_equal(count_lines(written(), "seen"), 1 - i);
        snprintf(levels.modules[0].name, sizeof(levels.modules[0].name), i ? "shared" : "shared/test");
        log_set_levels(&levels); /* a name that only begins like it is another module's */
    }
    snprintf(levels.modules[0].name, sizeof(levels.modules[0].name), "shared"); /* its folder */
    log_set_levels(&levels);
    log_debug("seen", "n=%d", 3);
    levels = (struct log_levels){.level = LOG_LEVEL_DEBUG, .count = 2, .modules = {{"shared", LOG_LEVEL_DEBUG}, {"shared/test_log", LOG_LEVEL_ERROR}}};
    log_set_levels(&levels);
    log_warn("not seen", "n=%d", 4); /* the longer name decides */
    log_error("seen", "n=%d", 5);
    assert_int_equal(count_lines(written(), "msg=\"seen\""), 2);
}

static void debug_for_a_while(void **unused)
{
    struct log_levels levels;
    log_toggle_debug();
    log_debug("seen", "n=%d", 1);
    log_toggle_debug();
    log_debug("not seen", "n=%d", 1);
    log_get_levels(&levels);
    assert_int_equal(levels.level, LOG_LEVEL_INFO);
    assert_int_equal(count_lines(written(), "msg="), 1);
}

static void repeats_are_counted(void **unused)
{
    uint64_t before = log_left_out();
    log_set_repeats(3);
    for (int i = 0; i < 10; i++)
        log_warn("again", "n=%d", i); /* unless a second ends just now, 3 of them */
    int lines = count_lines(written(), "again");
    assert_in_range(lines, 3, 6);
    assert_int_equal(log_left_out() - before, 10 - lines);
    sleep(1);
    log_info("another place", "n=%d", 1);
    char expected[32];
    snprintf(expected, sizeof(expected), "left_out=%d", 10 - lines);
    const char *told = written();
    assert_int_equal(count_lines(told, expected), 1);
    assert_int_equal(count_lines(told, "msg="), 2);
}

static void lines_say_what_they_are_about(void **unused)
{
    log_about(SLICE("id-1"), SLICE("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    log_info("m", "n=%d", 1);
    log_info("m", "id=%s n=%d", "another", 2);
    log_about_nothing();
    log_info("m", "n=%d", 3);
    const char *all = written();
    assert_non_null(strstr(all, "n=1 id=id-1 trace_id=0af7651916cd43dd8448eb211c80319c\n"));
    assert_non_null(strstr(all, "id=another n=2 trace_id=0af7651916cd43dd8448eb211c80319c\n"));
    assert_non_null(strstr(all, "n=3\n"));
}

static void names_of_modules(void **unused)
{
    char name[LOG_MODULE_SIZE];
    log_module_of("/src/shared/worker/faults.c", name);
    assert_string_equal(name, "worker/faults");
    log_module_of("gateway/flow.c", name);
    assert_string_equal(name, "gateway/flow");
    log_module_of("main.c", name);
    assert_string_equal(name, "main");
    assert_true(log_format_has("a=%d id=%s", "id"));
    assert_false(log_format_has("a=%d grid=%s id2=%s", "id"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(logfmt, begin, end),
        cmocka_unit_test_setup_teardown(values_are_escaped, begin, end),
        cmocka_unit_test_setup_teardown(json, begin, end),
        cmocka_unit_test_setup_teardown(long_lines_lose_whole_pairs, begin, end),
        cmocka_unit_test_setup_teardown(levels_of_modules, begin, end),
        cmocka_unit_test_setup_teardown(debug_for_a_while, begin, end),
        cmocka_unit_test_setup_teardown(repeats_are_counted, begin, end),
        cmocka_unit_test_setup_teardown(lines_say_what_they_are_about, begin, end),
        cmocka_unit_test(names_of_modules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
