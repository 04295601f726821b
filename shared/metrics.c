/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms by key, and writing a page. */
#include "metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define US INT64_C(1000)
#define MS INT64_C(1000000)
#define S  INT64_C(1000000000)

const int64_t metrics_bounds_ns[METRICS_BOUNDS] = {100 * US, 250 * US, 500 * US, 1 * MS,   2500 * US, 5 * MS, 10 * MS,
                                                   25 * MS,  50 * MS,  100 * MS, 250 * MS, 500 * MS,  1 * S,  2500 * MS,
                                                   5 * S,    10 * S,   30 * S,   60 * S,   300 * S};
/* the same in seconds, as `le` says them */
static const char *const bounds_text[METRICS_BOUNDS] = {"0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01",
                                                        "0.025",  "0.05",    "0.1",    "0.25",  "0.5",    "1.0",   "2.5",
                                                        "5.0",    "10.0",    "30.0",   "60.0",  "300.0"};

/* ---- by key ---- */

struct metrics_histogram *metrics_of(struct metrics_table *table, uint32_t key)
{
    uint32_t at = key * UINT32_C(2654435761) >> 16;
    assert(key != 0);
    for (unsigned i = 0; i < METRICS_SERIES; i++) {
        struct metrics_series *series = &table->series[(at + i) % METRICS_SERIES];
        uint32_t found = atomic_load_explicit(&series->key, memory_order_relaxed);
        if (found == 0) { /* a key that another thread put there meanwhile is in `found` then */
            if (atomic_compare_exchange_strong_explicit(&series->key, &found, key, memory_order_relaxed, memory_order_relaxed))
                return &series->histogram;
        }
        if (found == key)
            return &series->histogram;
    }
    return &table->other;
}

/* ---- a page ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len > end_len && strcmp(text + len - end_len, end) == 0;
}

/* In the text format a counter's name has its suffix also where its type is said. */
static const char *suffix_of(const struct metrics_page *page, const struct metrics_family *family)
{
    return family->type == METRICS_COUNTER && !page->openmetrics ? "_total" : "";
}

void metrics_family(struct metrics_page *page, const struct metrics_family *family)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    const char *unit = ends_with(family->name, "_seconds") ? "seconds" : ends_with(family->name, "_bytes") ? "bytes" : NULL;
    const char *suffix = suffix_of(page, family);
    page->family = family;
    buf_printf(page->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", family->name, suffix, family->help, family->name, suffix,
               types[family->type]);
    if (unit && page->openmetrics)
        buf_printf(page->out, "# UNIT %s %s\n", family->name, unit);
}

static void write_value(struct buf *out, const char *value)
{
    buf_append_text(out, "\"");
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            buf_append(out, "\\", 1);
        if (*value == '\n')
            buf_append_text(out, "\\n");
        else
            buf_append(out, value, 1);
    }
    buf_append_text(out, "\"");
}

/* `le` NULL: no bucket. */
static void write_labels(struct metrics_page *page, const char *const *values, const char *le)
{
    const char *before = "{";
    for (size_t i = 0; page->family->labels[i]; i++) {
        if (!values || !values[i] || !*values[i])
            continue;
        buf_printf(page->out, "%s%s=", before, page->family->labels[i]);
        write_value(page->out, values[i]);
        before = ",";
    }
    if (le) {
        buf_printf(page->out, "%sle=\"%s\"", before, le);
        before = ",";
    }
    if (*before == ',')
        buf_append_text(page->out, "}");
}

static void write_number(struct buf *out, double value)
{
    bool whole = value > -9007199254740992.0 && value < 9007199254740992.0 && value == (double)(int64_t)value;
    if (whole)
        buf_printf(out, " %" PRId64 "\n", (int64_t)value);
    else
        buf_printf(out, " %.10g\n", value);
}

void metrics_sample(struct metrics_page *page, double value, const char *const *values)
{
    buf_printf(page->out, "%s%s", page->family->name, page->family->type == METRICS_COUNTER ? "_total" : "");
    write_labels(page, values, NULL);
    write_number(page->out, value);
}

void metrics_single(struct metrics_page *page, const struct metrics_family *family, double value)
{
    metrics_family(page, family);
    metrics_sample(page, value, NULL);
}

/* The count is the last bucket by definition, whatever is counted while this is written. */
void metrics_sample_histogram(struct metrics_page *page, const struct metrics_histogram *histogram, const char *const *values)
{
    uint64_t count = 0;
    uint64_t sum_ns = atomic_load_explicit(&histogram->sum_ns, memory_order_relaxed);
    for (size_t i = 0; i <= METRICS_BOUNDS; i++) {
        count += atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
        buf_printf(page->out, "%s_bucket", page->family->name);
        write_labels(page, values, i < METRICS_BOUNDS ? bounds_text[i] : "+Inf");
        buf_printf(page->out, " %" PRIu64 "\n", count);
    }
    buf_printf(page->out, "%s_count", page->family->name);
    write_labels(page, values, NULL);
    buf_printf(page->out, " %" PRIu64 "\n%s_sum", count, page->family->name);
    write_labels(page, values, NULL);
    buf_printf(page->out, " %.9f\n", (double)sum_ns / 1e9);
}

void metrics_end(struct metrics_page *page)
{
    if (page->openmetrics)
        buf_append_text(page->out, "# EOF\n");
}

/* ---- which format ---- */

static struct slice trim(struct slice s)
{
    while (s.len && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = slice_make(s.p + 1, s.len - 1);
    while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Takes the part before the next `by` off the front. */
static struct slice cut(struct slice *rest, char by)
{
    const char *end = rest->len ? memchr(rest->p, by, rest->len) : NULL;
    struct slice part = slice_make(rest->p, end ? (size_t)(end - rest->p) : rest->len);
    *rest = end ? slice_make(end + 1, rest->len - part.len - 1) : slice_make(rest->p + rest->len, 0);
    return trim(part);
}

static bool is_text(struct slice s, const char *text)
{
    return s.len == strlen(text) && strncasecmp(s.p, text, s.len) == 0;
}

/* One element of the list: how much it is liked, in thousandths; -1: it is about neither format. */
static int weight_of(struct slice element, bool *ret_openmetrics)
{
    struct slice type = cut(&element, ';');
    int weight = 1000;
    *ret_openmetrics = is_text(type, "application/openmetrics-text");
    if (!*ret_openmetrics && !is_text(type, "text/plain") && !is_text(type, "text/*") && !is_text(type, "*/*"))
        return -1;
    while (element.len) {
        struct slice value = cut(&element, ';'), name = cut(&value, '=');
        char number[8] = "";
        if (*ret_openmetrics && is_text(name, "version") && !is_text(value, "1.0.0") && !is_text(value, "\"1.0.0\""))
            return -1;
        if (!is_text(name, "q") || value.len >= sizeof(number))
            continue;
        memcpy(number, value.p, value.len);
        weight = (int)(strtod(number, NULL) * 1000 + 0.5);
    }
    return weight;
}

bool metrics_wants_openmetrics(struct slice accept)
{
    int best = 0, best_text = 0;
    while (accept.len) {
        bool openmetrics;
        int weight = weight_of(cut(&accept, ','), &openmetrics);
        if (openmetrics && weight > best)
            best = weight;
        else if (!openmetrics && weight > best_text)
            best_text = weight;
    }
    return best > 0 && best >= best_text;
}

const char *metrics_content_type(bool openmetrics)
{
    return openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8" : "text/plain; version=0.0.4; charset=utf-8";
}
