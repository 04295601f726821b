/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts as W3C writes them, who is sampled, what the OTEL_* variables come to, and spans as a collector reads them. */
#include "trace/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <json_object.h>
#include <json_tokener.h>

#include "trace/span.h"

#define TRACE_ID "0af7651916cd43dd8448eb211c80319c"
#define GOOD     "00-" TRACE_ID "-b7ad6b7169203331-01"

static struct trace_context context;

static bool parses(struct slice text)
{
    return trace_parse(text, &context);
}

static void contexts(void **unused)
{
    assert_true(parses(SLICE(GOOD)));
    assert_string_equal(context.trace, TRACE_ID);
    assert_string_equal(context.span, "b7ad6b7169203331");
    assert_true(context.sampled);
    assert_true(parses(SLICE("00-" TRACE_ID "-b7ad6b7169203331-02")));
    assert_false(context.sampled);
    assert_true(parses(SLICE("01-" TRACE_ID "-b7ad6b7169203331-0f-more")));
    assert_true(context.sampled);
    assert_false(parses(SLICE(GOOD "-more")));
    assert_false(parses(SLICE("ff-" TRACE_ID "-b7ad6b7169203331-01")));
    assert_false(parses(SLICE("00-00000000000000000000000000000000-b7ad6b7169203331-01")));
    assert_false(parses(SLICE("00-" TRACE_ID "-0000000000000000-01")));
    assert_false(parses(SLICE("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01")));
    assert_false(parses(SLICE("00-" TRACE_ID "-b7ad6b7169203331")));
    assert_false(parses(SLICE("")));
    assert_false(parses(SLICE_NONE));
    assert_int_equal(context.trace[0], 0);
}

static void a_context_is_written_as_it_is_read(void **unused)
{
    char text[TRACE_PARENT_SIZE];
    struct trace_context child;
    assert_true(parses(SLICE(GOOD)));
    trace_write(&context, text);
    assert_string_equal(text, GOOD);
    trace_child(&context, &child);
    assert_string_equal(child.trace, TRACE_ID);
    assert_string_not_equal(child.span, context.span);
    trace_write(&child, text);
    assert_true(parses(slice_of(text)));
}

static int forget(void **unused)
{
    static const char *const names[] = {"OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_TRACES_EXPORTER",
                                        "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "OTEL_EXPORTER_OTLP_ENDPOINT",
                                        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TIMEOUT",
                                        "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_MAX_QUEUE_SIZE",
                                        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unsetenv(names[i]);
    return 0;
}

/* How many of 1000 new traces are sampled; a caller's decision first, '0' or '1', or none. */
static int sampled(const char *sampler, const char *argument, const char *parent)
{
    int count = 0;
    struct trace_context parent_context;
    setenv("OTEL_TRACES_EXPORTER", "otlp", 1);
    setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9", 1);
    setenv("OTEL_TRACES_SAMPLER", sampler, 1);
    setenv("OTEL_TRACES_SAMPLER_ARG", argument, 1);
    assert_int_equal(trace_open("test", "1"), 0);
    for (int i = 0; i < 1000; i++) {
        trace_enter(slice_of(parent), &context, &parent_context);
        count += context.sampled;
    }
    trace_close();
    return count;
}

static void who_is_sampled(void **unused)
{
    const char *no = "00-" TRACE_ID "-b7ad6b7169203331-00";
    assert_int_equal(sampled("always_on", "", NULL), 1000);
    assert_int_equal(sampled("always_off", "", GOOD), 0);
    assert_int_equal(sampled("parentbased_always_off", "", GOOD), 1000);
    assert_int_equal(sampled("parentbased_always_on", "", no), 0);
    assert_int_equal(sampled("always_on", "", no), 1000);
    assert_in_range(sampled("traceidratio", "0.25", NULL), 180, 320);
    assert_int_equal(sampled("traceidratio", "0", NULL), 0);
    assert_int_equal(sampled("parentbased_traceidratio", "0", GOOD), 1000);
}

static bool read_settings(struct trace_settings *settings)
{
    struct buf error = {0};
    bool good = trace_settings_read("service", "i", settings, &error);
    assert_true(good == (error.len == 0));
    buf_done(&error);
    return good;
}

static void off_unless_asked_for(void **unused)
{
    struct trace_settings settings;
    assert_true(read_settings(&settings));
    assert_false(settings.on);
    setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318", 1);
    setenv("OTEL_SDK_DISABLED", "true", 1);
    assert_true(read_settings(&settings));
    assert_false(settings.on);
    setenv("OTEL_SDK_DISABLED", "false", 1);
    setenv("OTEL_TRACES_EXPORTER", "none", 1);
    assert_true(read_settings(&settings));
    assert_false(settings.on);
    assert_int_equal(trace_open("test", "1"), 0);
    assert_false(trace_on());
    assert_null(trace_begin(&(struct trace_context){.sampled = true}, NULL, TRACE_SERVER, SLICE("x"), 1));
    trace_close();
}

static void endpoints(void **unused)
{
    static const struct {
        const char *base, *whole, *expected;
    } cases[] = {
        {NULL, NULL, "http://localhost:4318/v1/traces"},
        {"http://c:1", NULL, "http://c:1/v1/traces"},
        {"http://c:1/otlp/", NULL, "http://c:1/otlp/v1/traces"},
        {"http://c:1", "http://d:2/as-it-is", "http://d:2/as-it-is"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trace_settings settings;
        forget(NULL);
        setenv("OTEL_TRACES_EXPORTER", "otlp", 1);
        if (cases[i].base)
            setenv("OTEL_EXPORTER_OTLP_ENDPOINT", cases[i].base, 1);
        if (cases[i].whole)
            setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", cases[i].whole, 1);
        assert_true(read_settings(&settings));
        assert_string_equal(settings.endpoint.data, cases[i].expected);
        trace_settings_done(&settings);
    }
}

static void wrong_settings_are_named(void **unused)
{
    static const char *const wrong[][2] = {
        {"OTEL_TRACES_SAMPLER", "often"},          {"OTEL_TRACES_EXPORTER", "zipkin"},    {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"},
        {"OTEL_EXPORTER_OTLP_TIMEOUT", "-1"},      {"OTEL_BSP_MAX_QUEUE_SIZE", "0"},      {"OTEL_BSP_SCHEDULE_DELAY", "1s"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct trace_settings settings;
        struct buf error = {0};
        forget(NULL);
        setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c", 1);
        setenv(wrong[i][0], wrong[i][1], 1);
        assert_false(trace_settings_read("s", "i", &settings, &error));
        buf_append(&error, "", 1);
        assert_non_null(strstr(error.data, wrong[i][0]));
        assert_non_null(strstr(error.data, wrong[i][1]));
        trace_settings_done(&settings);
        buf_done(&error);
    }
}

static struct json_object *at(struct json_object *in, const char *name)
{
    struct json_object *value = NULL;
    assert_true(json_object_object_get_ex(in, name, &value));
    return value;
}

static void spans_as_the_collector_reads_them(void **unused)
{
    struct trace_span span = {.kind = TRACE_CONSUMER, .start_ns = 5, .end_ns = 7, .failed = "it \"failed\""};
    struct trace_span *spans[] = {&span, &span};
    struct buf out = {0};
    assert_true(trace_parse(SLICE(GOOD), &span.context));
    span.parent = span.link = span.context;
    buf_append_json(&span.name, SLICE("a \"name\""));
    trace_text(&span, "text", SLICE("v\n"));
    trace_text(&span, "not.utf8", SLICE("\xff"));
    trace_text(&span, "absent", SLICE_NONE);
    trace_int(&span, "number", -3);
    trace_settings_pair(&out, SLICE("k"), SLICE("v"));
    struct buf resource = out;
    out = (struct buf){0};
    span_batch(spans, 2, buf_slice(&resource), INT64_C(1700000000000000000), &out);
    buf_append(&out, "", 1);
    struct json_object *root = json_tokener_parse(out.data);
    assert_non_null(root);
    struct json_object *scopes = at(json_object_array_get_idx(at(root, "resourceSpans"), 0), "scopeSpans");
    struct json_object *list = at(json_object_array_get_idx(scopes, 0), "spans"), *one = json_object_array_get_idx(list, 1);
    assert_int_equal(json_object_array_length(list), 2);
    assert_string_equal(json_object_get_string(at(one, "startTimeUnixNano")), "1700000000000000005");
    assert_string_equal(json_object_get_string(at(one, "name")), "a \"name\"");
    assert_string_equal(json_object_get_string(at(one, "parentSpanId")), "b7ad6b7169203331");
    assert_int_equal(json_object_array_length(at(one, "attributes")), 2);
    json_object_put(root);
    buf_done(&resource);
    buf_done(&out);
    buf_done(&span.name);
    buf_done(&span.attributes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contexts),
        cmocka_unit_test(a_context_is_written_as_it_is_read),
        cmocka_unit_test_setup(who_is_sampled, forget),
        cmocka_unit_test_setup(off_unless_asked_for, forget),
        cmocka_unit_test_setup(endpoints, forget),
        cmocka_unit_test_setup(wrong_settings_are_named, forget),
        cmocka_unit_test_setup(spans_as_the_collector_reads_them, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
