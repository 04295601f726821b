/* SPDX-License-Identifier: Apache-2.0 */
/* Settings: what wins over what, what each type takes, and what is said when it is wrong. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <setjmp.h>
#include <cmocka.h>

#include "log.h"
#include "settings.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct config_key keys[] = {
    {"host", CONFIG_STRING, "localhost", 0, 0, "where to listen"},
    {"http-port", CONFIG_INT, "8080", 0, 65535, "port to listen on"},
    {"free", CONFIG_INT, "0", 0, 0, "any number"},
    {"loud", CONFIG_BOOL, "false", 0, 0, "makes noise"},
    {"wait", CONFIG_DURATION, "5s", 1, 60000, "how long to wait"},
    {"room", CONFIG_BYTES, "64KiB", 0, 1 << 30, "how much to hold"},
    {"token", CONFIG_SECRET, "", 0, 0, "what to show at the door"},
    {NULL, CONFIG_STRING, NULL, 0, 0, NULL},
};
static const struct config_key required_keys[] = {
    {"name", CONFIG_STRING, NULL, 0, 0, "has no default"},
    {NULL, CONFIG_STRING, NULL, 0, 0, NULL},
};

/* One call of config_load() and what it said. */
struct outcome {
    enum config_verdict verdict;
    struct config *config;
    char out[8192], err[2048];
};

static void load_from(const struct config_key *const *tables, const char *const *args,
                      const char *const *environment, struct outcome *ret)
{
    static struct config_program program = {"prog", "does things.", NULL}; /* the config borrows it */
    program.tables = tables;
    char *argv[16] = {(char *)(uintptr_t) "prog"}; /* as main() has them; nobody writes to them */
    int argc = 1;
    for (; args[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)args[argc - 1];
    memset(ret, 0, sizeof(*ret));
    FILE *out = fmemopen(ret->out, sizeof(ret->out), "w"), *err = fmemopen(ret->err, sizeof(ret->err), "w");
    assert_non_null(out);
    assert_non_null(err);
    ret->verdict = config_load(&program, argc, argv, (char **)(uintptr_t)environment, out, err, &ret->config);
    fclose(out);
    fclose(err);
}

static void load(const char *const *args, const char *const *environment, struct outcome *ret)
{
    static const struct config_key *const tables[] = {keys, settings_common, NULL};
    load_from(tables, args, environment, ret);
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define ENV(...)  ARGS(__VA_ARGS__)
#define NOTHING   ((const char *const[]){NULL})

static void assert_run(const struct outcome *o)
{
    assert_string_equal(o->err, "");
    assert_int_equal(o->verdict, CONFIG_RUN);
    assert_non_null(o->config);
}

static void assert_wrong(const char *const *args, const char *const *environment, const char *sentence)
{
    struct outcome o;
    load(args, environment, &o);
    assert_int_equal(o.verdict, CONFIG_WRONG);
    assert_null(o.config);
    if (!strstr(o.err, sentence))
        fail_msg("said \"%s\", not \"%s\"", o.err, sentence);
    assert_string_equal(o.out, "");
}

static void without_anything_the_defaults_hold(void **state)
{
    struct outcome o;
    size_t count = 7;
    load(NOTHING, NULL, &o);
    assert_run(&o);
    assert_string_equal(config_string(o.config, "host"), "localhost");
    assert_int_equal(config_int(o.config, "http-port"), 8080);
    assert_false(config_bool(o.config, "loud"));
    assert_int_equal(config_int(o.config, "wait"), 5000);
    assert_int_equal(config_int(o.config, "room"), 65536);
    assert_string_equal(config_string(o.config, "token"), "");
    assert_int_equal(config_int(o.config, "log-level"), LOG_LEVEL_INFO);
    config_kafka(o.config, &count);
    assert_int_equal(count, 0);
    config_free(o.config);
}

static void flags_win_over_variables_over_defaults(void **state)
{
    struct outcome o;
    load(ARGS("--http-port", "1", "--host=a=b", "--http-port=2", "--wait", "0010"),
         ENV("ROUNDTRIP_HTTP_PORT=3", "ROUNDTRIP_FREE=-4", "ROUNDTRIP_WAIT=wrong",
             "ROUNDTRIP_HOST=", "HTTP_PORT=5", "ROUNDTRIP_HTTP_PORTS=6"),
         &o);
    assert_run(&o);
    assert_int_equal(config_int(o.config, "http-port"), 2);
    assert_int_equal(config_int(o.config, "free"), -4);
    assert_int_equal(config_int(o.config, "wait"), 10);
    assert_string_equal(config_string(o.config, "host"), "a=b");
    config_free(o.config);
    load(NOTHING, ENV("ROUNDTRIP_HOST="), &o);
    assert_run(&o);
    assert_string_equal(config_string(o.config, "host"), "localhost");
    config_free(o.config);
    load(ARGS("--host="), ENV("ROUNDTRIP_HOST=x"), &o);
    assert_run(&o);
    assert_string_equal(config_string(o.config, "host"), "");
    config_free(o.config);
}

static void each_type_takes_its_spellings(void **state)
{
    static const struct {
        const char *flag;
        const char *key;
        int64_t value;
    } cases[] = {
        {"--free=-9223372036854775808", "free", INT64_MIN},
        {"--free=9223372036854775807", "free", INT64_MAX},
        {"--http-port=0", "http-port", 0},
        {"--http-port=65535", "http-port", 65535},
        {"--wait=250ms", "wait", 250},
        {"--wait=250", "wait", 250},
        {"--wait=1m", "wait", 60000},
        {"--room=10", "room", 10},
        {"--room=3MiB", "room", 3 << 20},
        {"--room=1GiB", "room", 1 << 30},
        {"--loud", "loud", 1},
        {"--loud=yes", "loud", 1},
        {"--loud=on", "loud", 1},
        {"--loud=1", "loud", 1},
        {"--loud=true", "loud", 1},
        {"--loud=no", "loud", 0},
        {"--loud=off", "loud", 0},
        {"--loud=0", "loud", 0},
        {"--log-level=debug", "log-level", LOG_LEVEL_DEBUG},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct outcome o;
        load(ARGS(cases[i].flag), NULL, &o);
        assert_run(&o);
        assert_true(config_int(o.config, cases[i].key) == cases[i].value);
        config_free(o.config);
    }
}

static void a_switch_takes_the_word_behind_it_only_if_there_is_one(void **state)
{
    struct outcome o;
    load(ARGS("--loud", "--host", "x"), NULL, &o);
    assert_run(&o);
    assert_true(config_bool(o.config, "loud"));
    assert_string_equal(config_string(o.config, "host"), "x");
    config_free(o.config);
    load(ARGS("--loud", "no"), ENV("ROUNDTRIP_LOUD=yes"), &o);
    assert_run(&o);
    assert_false(config_bool(o.config, "loud"));
    config_free(o.config);
}

static void a_wrong_value_is_named_with_its_source_and_what_is_allowed(void **state)
{
    assert_wrong(ARGS("--http-port", "65536"), NULL,
                 "prog: http-port cannot be \"65536\" (flag --http-port); it must be a whole number, from 0 "
                 "to 65535\n");
    assert_wrong(NOTHING, ENV("ROUNDTRIP_HTTP_PORT=x"),
                 "http-port cannot be \"x\" (variable ROUNDTRIP_HTTP_PORT); it must be a whole number");
    assert_wrong(ARGS("--http-port=-1"), NULL, "http-port cannot be \"-1\"");
    assert_wrong(ARGS("--http-port="), NULL, "http-port cannot be \"\"");
    assert_wrong(ARGS("--http-port= 1"), NULL, "http-port cannot be \" 1\"");
    assert_wrong(ARGS("--http-port=+1"), NULL, "http-port cannot be \"+1\"");
    assert_wrong(ARGS("--http-port=1s"), NULL, "http-port cannot be \"1s\"");
    assert_wrong(ARGS("--free=9223372036854775808"), NULL, "free cannot be");
    assert_wrong(ARGS("--wait=1.5s"), NULL,
                 "wait cannot be \"1.5s\" (flag --wait); it must be a time such as");
    assert_wrong(ARGS("--wait=2m"), NULL, "from 1ms to 1m");
    assert_wrong(ARGS("--wait=-1s"), NULL, "wait cannot be");
    assert_wrong(ARGS("--wait=-"), NULL, "wait cannot be");
    assert_wrong(ARGS("--wait=9223372036854775807h"), NULL, "wait cannot be");
    assert_wrong(ARGS("--room=1KB"), NULL, "room cannot be \"1KB\" (flag --room); it must be a size such as");
    assert_wrong(ARGS("--room=18014398509481984KiB"), NULL, "room cannot be"); /* 2^64: must not wrap to 0 */
    assert_wrong(ARGS("--loud=maybe"), NULL,
                 "loud cannot be \"maybe\" (flag --loud); it must be true or false");
    assert_wrong(ARGS("--log-level=trace"), NULL, "it must be error, warn, info or debug");
}

static void every_mistake_is_said_at_once(void **state)
{
    assert_wrong(ARGS("--http-port=x", "--wait=y"), NULL, "http-port cannot be \"x\"");
    assert_wrong(ARGS("--http-port=x", "--wait=y"), NULL, "wait cannot be \"y\"");
    assert_wrong(ARGS("--http-port=x"), NULL, "prog --help lists the settings\n");
}

static void unknown_flags_are_refused_with_the_nearest_name(void **state)
{
    assert_wrong(ARGS("--http-prot", "1"), NULL, "there is no flag --http-prot; did you mean --http-port?");
    assert_wrong(ARGS("--hepl"), NULL, "did you mean --help?");
    assert_wrong(ARGS("--completely-different=1"), NULL, "there is no flag --completely-different\n");
    assert_wrong(ARGS("file"), NULL, "unexpected argument \"file\"");
    assert_wrong(ARGS("--"), NULL, "unexpected argument \"--\"");
    assert_wrong(ARGS("-p"), NULL, "unexpected argument \"-p\"");
    assert_wrong(ARGS("--kafka.", "x"), NULL, "there is no flag --kafka.");
    assert_wrong(ARGS("--host"), NULL, "--host needs a value");
    assert_wrong(ARGS("--host", "--loud"), NULL, "--host needs a value");
    assert_wrong(ARGS("--kafka.linger.ms"), NULL, "--kafka.linger.ms needs a value");
}

static void a_key_without_default_must_be_given(void **state)
{
    static const struct config_key *const tables[] = {required_keys, NULL};
    struct outcome o;
    load_from(tables, NOTHING, NULL, &o);
    assert_int_equal(o.verdict, CONFIG_WRONG);
    assert_non_null(strstr(o.err, "prog: name is not set; give --name VALUE or ROUNDTRIP_NAME\n"));
    load_from(tables, NOTHING, ENV("ROUNDTRIP_NAME=x"), &o);
    assert_run(&o);
    assert_string_equal(config_string(o.config, "name"), "x");
    config_free(o.config);
}

static void kafka_properties_pass_through(void **state)
{
    struct outcome o;
    size_t count;
    load(ARGS("--kafka.linger.ms", "5", "--kafka.security.protocol=ssl", "--kafka", "k:9092",
              "--kafka.linger.ms=6"),
         ENV("ROUNDTRIP_KAFKA_LINGER_MS=4", "ROUNDTRIP_KAFKA_FETCH_WAIT_MAX_MS=1",
             "ROUNDTRIP_KAFKA=other:9092", "ROUNDTRIP_KAFKA_CLIENT_RACK="),
         &o);
    assert_run(&o);
    assert_string_equal(config_string(o.config, "kafka"), "k:9092");
    const struct config_property *list = config_kafka(o.config, &count);
    assert_int_equal(count, 3);
    assert_string_equal(list[0].name, "linger.ms");
    assert_string_equal(list[0].value, "6");
    assert_string_equal(list[1].name, "fetch.wait.max.ms");
    assert_string_equal(list[1].value, "1");
    assert_string_equal(list[2].name, "security.protocol");
    assert_string_equal(list[2].value, "ssl");
    struct bus_settings bus = settings_bus(o.config);
    assert_string_equal(bus.bootstrap, "k:9092");
    assert_string_equal(bus.client_id, "prog");
    assert_int_equal(bus.property_count, 3);
    config_free(o.config);
}

static void the_instance_id_names_the_client(void **state)
{
    struct outcome o;
    load(ARGS("--instance-id", "worker-3"), NULL, &o);
    assert_run(&o);
    assert_string_equal(settings_bus(o.config).client_id, "worker-3");
    config_free(o.config);
}

static void secrets_are_read_from_files(void **state)
{
    char path[] = "/tmp/roundtrip-test-XXXXXX", token[64], property[64];
    struct outcome o;
    size_t count;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "hush\nhush\n", 10), 10);
    close(fd);
    snprintf(token, sizeof(token), "--token=@%s", path);
    snprintf(property, sizeof(property), "--kafka.sasl.password=@%s", path);
    load(ARGS(token, property, "--host=@/not/read", "--kafka.client.rack=@home"), NULL, &o);
    assert_run(&o);
    assert_string_equal(config_string(o.config, "token"), "hush\nhush");
    assert_string_equal(config_string(o.config, "host"), "@/not/read");
    const struct config_property *list = config_kafka(o.config, &count);
    assert_string_equal(list[0].value, "hush\nhush");
    assert_string_equal(list[1].value, "@home");
    config_free(o.config);
    unlink(path);
    assert_wrong(ARGS(token), NULL, "token: cannot read /tmp/roundtrip-test-");
    assert_wrong(ARGS(property), NULL, "kafka.sasl.password: cannot read /tmp/roundtrip-test-");
}

static void check_prints_what_is_in_force_and_no_secret(void **state)
{
    struct outcome o;
    load(ARGS("--check", "--token=hush", "--http-port", "1", "--kafka.sasl.password=hush",
              "--kafka.ssl.key.pem=hush\nhush", "--kafka.sasl.oauthbearer.client.secret=hush",
              "--kafka.linger.ms=5"),
         ENV("ROUNDTRIP_HOST=two\nlines"), &o);
    assert_int_equal(o.verdict, CONFIG_EXIT);
    assert_null(o.config);
    assert_string_equal(o.err, "");
    assert_string_equal(
        o.out, "host=two\\x0alines\nhttp-port=1\nfree=0\nloud=false\nwait=5s\nroom=64KiB\ntoken=***\n"
               "kafka=127.0.0.1:9092\ninstance-id=\nlog-level=info\nlog-format=logfmt\nlog-repeats=100\nready-file=\n"
               "kafka.sasl.password=***\nkafka.ssl.key.pem=***\n"
               "kafka.sasl.oauthbearer.client.secret=***\nkafka.linger.ms=5\n");
    assert_wrong(ARGS("--check", "--http-port=x"), NULL, "http-port cannot be \"x\"");
}

static void help_lists_every_key(void **state)
{
    struct outcome o;
    load(ARGS("--http-port=wrong", "--help"), NULL, &o);
    assert_int_equal(o.verdict, CONFIG_EXIT);
    assert_non_null(strstr(o.out, "prog: does things."));
    for (const struct config_key *key = keys; key->name; key++) {
        assert_non_null(strstr(o.out, key->name));
        assert_non_null(strstr(o.out, key->help));
    }
    assert_non_null(strstr(o.out, "ROUNDTRIP_HTTP_PORT"));
    assert_non_null(strstr(o.out, "Default: 8080."));
    assert_non_null(strstr(o.out, "--ready-file"));
    assert_non_null(strstr(o.out, "--kafka.NAME"));
    load(ARGS("-h"), NULL, &o);
    assert_int_equal(o.verdict, CONFIG_EXIT);
    load(ARGS("--version"), NULL, &o);
    assert_int_equal(o.verdict, CONFIG_EXIT);
    assert_string_equal(o.out, "prog " ROUNDTRIP_VERSION "\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_anything_the_defaults_hold),
        cmocka_unit_test(flags_win_over_variables_over_defaults),
        cmocka_unit_test(each_type_takes_its_spellings),
        cmocka_unit_test(a_switch_takes_the_word_behind_it_only_if_there_is_one),
        cmocka_unit_test(a_wrong_value_is_named_with_its_source_and_what_is_allowed),
        cmocka_unit_test(every_mistake_is_said_at_once),
        cmocka_unit_test(unknown_flags_are_refused_with_the_nearest_name),
        cmocka_unit_test(a_key_without_default_must_be_given),
        cmocka_unit_test(kafka_properties_pass_through),
        cmocka_unit_test(the_instance_id_names_the_client),
        cmocka_unit_test(secrets_are_read_from_files),
        cmocka_unit_test(check_prints_what_is_in_force_and_no_secret),
        cmocka_unit_test(help_lists_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
