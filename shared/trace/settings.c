/* SPDX-License-Identifier: Apache-2.0 */
/* The OTEL_* variables. */
#include "trace/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "utf8.h"

/** An empty variable is one that is not set. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

/* The one of traces, else the one of all signals. */
static const char *otlp(const char *what)
{
    char name[64];
    snprintf(name, sizeof(name), "OTEL_EXPORTER_OTLP_TRACES_%s", what);
    const char *value = variable(name);
    if (value)
        return value;
    snprintf(name, sizeof(name), "OTEL_EXPORTER_OTLP_%s", what);
    return variable(name);
}

static bool number(const char *name, const char *text, int64_t fallback, int64_t min, int64_t *ret_value, struct buf *ret_error)
{
    *ret_value = fallback;
    if (!text)
        return true;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < min || value > INT32_MAX) {
        buf_printf(ret_error, "%s must be a number from %lld, not \"%s\"", name, (long long)min, text);
        return false;
    }
    *ret_value = value;
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* Values in lists are percent-encoded, as in W3C Baggage. */
static void decode(struct slice text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        int high = text.p[i] == '%' && i + 2 < text.len ? hex_digit(text.p[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text.p[i + 2]) : -1;
        char c = low >= 0 ? (char)(high * 16 + low) : text.p[i];
        buf_append(out, &c, 1);
        i += low >= 0 ? 2 : 0;
    }
}

static struct slice trim(struct slice s)
{
    while (s.len && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = slice_make(s.p + 1, s.len - 1);
    while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* The next "name=value" of a list; what is none is passed over. */
static bool next_pair(struct slice *list, struct slice *ret_name, struct buf *ret_value)
{
    while (list->len) {
        const char *comma = memchr(list->p, ',', list->len);
        struct slice pair = slice_make(list->p, comma ? (size_t)(comma - list->p) : list->len);
        size_t used = pair.len + (comma != NULL);
        *list = slice_make(list->p + used, list->len - used);
        const char *equals = memchr(pair.p, '=', pair.len);
        if (!equals)
            continue;
        *ret_name = trim(slice_make(pair.p, (size_t)(equals - pair.p)));
        buf_clear(ret_value);
        decode(trim(slice_make(equals + 1, pair.len - (size_t)(equals + 1 - pair.p))), ret_value);
        if (ret_name->len && utf8_is_text(*ret_name) && utf8_is_text(buf_slice(ret_value)))
            return true;
    }
    return false;
}

void trace_settings_pair(struct buf *out, struct slice name, struct slice value)
{
    buf_append_text(out, out->len ? ",{\"key\":" : "{\"key\":");
    buf_append_json(out, name);
    buf_append_text(out, ",\"value\":{\"stringValue\":");
    buf_append_json(out, value);
    buf_append_text(out, "}}");
}

static void read_resource(const char *service, const char *instance, struct trace_settings *settings)
{
    struct slice list = slice_of(variable("OTEL_RESOURCE_ATTRIBUTES")), name;
    struct buf value = {0}, named = {0};
    buf_append_text(&named, variable("OTEL_SERVICE_NAME") ? variable("OTEL_SERVICE_NAME") : "");
    while (next_pair(&list, &name, &value)) {
        if (slice_is(name, "service.name")) {
            if (named.len == 0)
                buf_append_slice(&named, buf_slice(&value)); /* OTEL_SERVICE_NAME comes first */
        } else if (!slice_is(name, "service.instance.id") && !slice_is(name, "service.version")) {
            trace_settings_pair(&settings->attributes, name, buf_slice(&value));
        }
    }
    trace_settings_pair(&settings->attributes, SLICE("service.name"), named.len ? buf_slice(&named) : slice_of(service));
    trace_settings_pair(&settings->attributes, SLICE("service.instance.id"), slice_of(instance));
    trace_settings_pair(&settings->attributes, SLICE("service.version"), SLICE(ROUNDTRIP_VERSION));
    buf_done(&named);
    buf_done(&value);
}

static void read_endpoint(struct trace_settings *settings)
{
    const char *whole = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), *base = variable("OTEL_EXPORTER_OTLP_ENDPOINT");
    if (!base)
        base = "http://localhost:4318";
    buf_append_text(&settings->endpoint, whole ? whole : base);
    if (!whole) {
        if (base[strlen(base) - 1] != '/')
            buf_append_text(&settings->endpoint, "/");
        buf_append_text(&settings->endpoint, "v1/traces");
    }
    buf_append(&settings->endpoint, "", 1);
    struct slice list = slice_of(otlp("HEADERS")), name;
    struct buf value = {0};
    while (next_pair(&list, &name, &value)) {
        buf_append_slice(&settings->headers, name);
        buf_append_text(&settings->headers, ": ");
        buf_append_slice(&settings->headers, buf_slice(&value));
        buf_append(&settings->headers, "", 1);
    }
    buf_done(&value);
}

static bool read_sampler(struct trace_settings *settings, struct buf *ret_error)
{
    static const struct {
        const char *name;
        bool follows_parent, by_ratio;
        double ratio;
    } samplers[] = {
        {"parentbased_always_on", true, false, 1},    {"always_on", false, false, 1},
        {"parentbased_always_off", true, false, 0},   {"always_off", false, false, 0},
        {"parentbased_traceidratio", true, true, 1},  {"traceidratio", false, true, 1},
    };
    const char *name = variable("OTEL_TRACES_SAMPLER"), *argument = variable("OTEL_TRACES_SAMPLER_ARG");
    for (size_t i = 0; i < sizeof(samplers) / sizeof(samplers[0]); i++) {
        if (strcmp(name ? name : samplers[0].name, samplers[i].name) != 0)
            continue;
        settings->follows_parent = samplers[i].follows_parent;
        settings->ratio = samplers[i].ratio;
        if (!samplers[i].by_ratio || !argument)
            return true;
        char *end;
        settings->ratio = strtod(argument, &end);
        if (end != argument && !*end && settings->ratio >= 0 && settings->ratio <= 1)
            return true;
        buf_printf(ret_error, "OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1, not \"%s\"", argument);
        return false;
    }
    buf_printf(ret_error, "OTEL_TRACES_SAMPLER is \"%s\"; known are (parentbased_)always_on, _always_off and _traceidratio", name);
    return false;
}

static bool read_exporter(struct trace_settings *settings, struct buf *ret_error)
{
    const char *exporter = variable("OTEL_TRACES_EXPORTER"), *disabled = variable("OTEL_SDK_DISABLED"), *protocol = otlp("PROTOCOL");
    if (disabled && strcasecmp(disabled, "true") == 0)
        return true;
    if (exporter && strcmp(exporter, "otlp") != 0 && strcmp(exporter, "none") != 0) {
        buf_printf(ret_error, "OTEL_TRACES_EXPORTER is \"%s\"; known are otlp and none", exporter);
        return false;
    }
    settings->on = exporter ? strcmp(exporter, "otlp") == 0 : otlp("ENDPOINT") != NULL;
    if (!settings->on || !protocol || strncmp(protocol, "http/", 5) == 0)
        return true; /* a collector takes JSON where it takes protobuf */
    buf_printf(ret_error, "OTEL_EXPORTER_OTLP_PROTOCOL is \"%s\"; this exporter speaks http/json: use it with the collector's HTTP port, 4318", protocol);
    return false;
}

bool trace_settings_read(const char *service, const char *instance, struct trace_settings *ret_settings, struct buf *ret_error)
{
    int64_t queue_max = 2048, batch_max = 512;
    *ret_settings = (struct trace_settings){.on = false};
    if (!read_exporter(ret_settings, ret_error))
        return false;
    if (!ret_settings->on)
        return true;
    read_endpoint(ret_settings);
    read_resource(service, instance, ret_settings);
    bool good = read_sampler(ret_settings, ret_error) &&
                number("OTEL_EXPORTER_OTLP_TIMEOUT", otlp("TIMEOUT"), 10000, 1, &ret_settings->timeout_ms, ret_error) &&
                number("OTEL_BSP_SCHEDULE_DELAY", variable("OTEL_BSP_SCHEDULE_DELAY"), 5000, 1, &ret_settings->delay_ms, ret_error) &&
                number("OTEL_BSP_MAX_QUEUE_SIZE", variable("OTEL_BSP_MAX_QUEUE_SIZE"), 2048, 1, &queue_max, ret_error) &&
                number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", variable("OTEL_BSP_MAX_EXPORT_BATCH_SIZE"), 512, 1, &batch_max, ret_error);
    ret_settings->queue_max = (size_t)queue_max;
    ret_settings->batch_max = (size_t)(batch_max < queue_max ? batch_max : queue_max);
    return good;
}

void trace_settings_done(struct trace_settings *settings)
{
    buf_done(&settings->endpoint);
    buf_done(&settings->headers);
    buf_done(&settings->attributes);
}
