/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What there is to say of many numbers: how many, least, greatest, mean, variance, quantiles.
 *
 * Mean and variance by Welford and by Chan, Golub and LeVeque (moments.h), quantiles by a t-digest (digest.h). A unit is UNIT numbers in the order they came; an outcome has a summary of each, because sums of doubles
 * depend on their order.
 */
#include "kernels/kernels.h"

#include <inttypes.h>
#include <math.h>

#include "kernels/digest.h"
#include "kernels/moments.h"
#include "kernels/numbers.h"
#include "kernels/pack.h"

/** Numbers: two milliseconds of work. */
#define UNIT 16384
/** Numbers that are read between two looks at the clock: a millisecond. */
#define READ_CHUNK      4096
#define QUANTILES_MAX   100
#define COLUMN_MAX      10000
#define SUMMARY_SIZE    (6 * PACK_WORD + DIGEST_MAX * 2 * PACK_WORD)

static const struct json_member params[] = {
    {"numbers", JSON_ARRAY, false, 0, 0},
    {"csv", JSON_STRING, false, 0, 0},
    {"column", JSON_INT64, false, 1, COLUMN_MAX},
    {"column_name", JSON_STRING, false, 1, 256},
    {"header", JSON_BOOL, false, 0, 0},
    {"delimiter", JSON_STRING, false, 1, 1},
    {"quantiles", JSON_ARRAY, false, 0, 0},
};
static const char *const bulk[] = {"numbers", "csv", NULL};
static const double usual_quantiles[] = {0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99};

struct numbers {
    const double *values;
    uint64_t count, missing;
};

/* ---- checking ---- */

static bool refuse(struct json_error *ret_error, const char *text)
{
    snprintf(ret_error->text, sizeof(ret_error->text), "%s", text);
    return false;
}

static bool check_quantiles(struct json_object *list, struct json_error *ret_error)
{
    size_t count = list ? json_object_array_length(list) : 0;
    bool good = count <= QUANTILES_MAX;
    for (size_t i = 0; i < count && good; i++) {
        struct json_object *q = json_object_array_get_idx(list, i);
        good = (json_object_is_type(q, json_type_int) || json_object_is_type(q, json_type_double)) &&
               json_object_get_double(q) >= 0 && json_object_get_double(q) <= 1;
    }
    return good || refuse(ret_error, "member \"quantiles\" must be an array of at most 100 numbers from 0 to 1");
}

static bool check_delimiter(struct slice delimiter)
{
    return !delimiter.p || !strchr("\"\r\n+-.0123456789eE", delimiter.p[0]);
}

static bool statistics_check(const struct input *input, struct json_error *ret_error)
{
    bool csv = input->bulk_name && strcmp(input->bulk_name, "csv") == 0, numbers = input->bulk_name && !csv;
    bool for_csv = false;
    for (size_t i = 2; i < 6; i++)
        for_csv |= json_object_object_get_ex(input->params, params[i].name, NULL);
    if (json_object_object_get_ex(input->params, "numbers", NULL) || json_object_object_get_ex(input->params, "csv", NULL))
        return refuse(ret_error, "the names of members must be written without escapes");
    if (input->bulk_again)
        return refuse(ret_error, "members \"numbers\" and \"csv\" exclude each other");
    if (!csv && !numbers)
        return refuse(ret_error, "one of the members \"numbers\", an array of numbers, and \"csv\", a string, must be there");
    if (numbers && input->bulk.p[0] != '[')
        return refuse(ret_error, "member \"numbers\" must be an array");
    if (csv && input->bulk.p[0] != '"')
        return refuse(ret_error, "member \"csv\" must be a string");
    if (numbers && for_csv)
        return refuse(ret_error, "members \"column\", \"column_name\", \"header\" and \"delimiter\" are for \"csv\" only");
    if (json_object_object_get_ex(input->params, "column", NULL) && json_object_object_get_ex(input->params, "column_name", NULL))
        return refuse(ret_error, "members \"column\" and \"column_name\" exclude each other");
    if (!check_delimiter(json_member_string(input->params, "delimiter")))
        return refuse(ret_error, "member \"delimiter\" must be a character that is in no number, such as , or ;");
    return check_quantiles(json_object_object_get(input->params, "quantiles"), ret_error);
}

/* ---- reading ---- */

/* Each number takes two characters at least, with what separates it from the next. */
static size_t most_values(const struct input *input)
{
    return input->bulk.len / 2 + 1;
}

static enum kernel_end read_json(struct task *task, double *values, struct numbers *numbers)
{
    struct numbers_json in = {.text = task->input->bulk};
    for (;;) {
        if (in.index % READ_CHUNK == 0 && task_stopping(task))
            return KERNEL_STOPPED;
        switch (numbers_json_next(&in, &values[numbers->count])) {
        case NUMBERS_VALUE:
            numbers->count++;
            break;
        case NUMBERS_MISSING:
            numbers->missing++;
            break;
        case NUMBERS_END:
            return KERNEL_DONE;
        case NUMBERS_WRONG:
            return task_refuse(task, "member \"numbers\" must hold numbers from -1e100 to 1e100, or null; element %zu is none", in.index);
        }
    }
}

static enum kernel_end read_rows(struct task *task, struct numbers_csv *in, double *values, struct numbers *numbers)
{
    for (uint64_t row = 0;; row++) {
        if (row % READ_CHUNK == 0 && task_stopping(task))
            return KERNEL_STOPPED;
        switch (numbers_csv_next(in, &values[numbers->count])) {
        case NUMBERS_VALUE:
            numbers->count++;
            break;
        case NUMBERS_MISSING:
            numbers->missing++;
            break;
        case NUMBERS_END:
            return KERNEL_DONE;
        case NUMBERS_WRONG:
            return task_refuse(task, "member \"csv\", line %" PRIu64 ", column %zu: %s", in->line, in->column, in->why);
        }
    }
}

static enum kernel_end read_csv(struct task *task, double *values, struct numbers *numbers)
{
    struct json_object *options = task->input->params;
    struct slice name = json_member_string(options, "column_name"), delimiter = json_member_string(options, "delimiter");
    char *text = arena_alloc(task->arena, task->input->bulk.len);
    if (!text)
        return KERNEL_NO_MEMORY;
    struct numbers_csv in = {.text = slice_make(text, numbers_unescape(task->input->bulk, text)),
                             .delimiter = delimiter.p ? delimiter.p[0] : ',',
                             .column = (size_t)json_member_int64(options, "column", 1),
                             .line = 1};
    if ((name.p || json_object_get_boolean(json_object_object_get(options, "header"))) && !numbers_csv_header(&in, name))
        return task_refuse(task, "member \"csv\", line %" PRIu64 ": %s", in.line, in.why);
    return read_rows(task, &in, values, numbers);
}

static enum kernel_end statistics_prepare(struct task *task)
{
    struct numbers *numbers = arena_alloc(task->arena, sizeof(*numbers));
    double *values = arena_array(task->arena, most_values(task->input) + 1, sizeof(*values));
    struct arena_mark mark = arena_mark(task->arena);
    if (!numbers || !values)
        return KERNEL_NO_MEMORY;
    numbers->values = values;
    bool csv = strcmp(task->input->bulk_name, "csv") == 0;
    enum kernel_end end = csv ? read_csv(task, values, numbers) : read_json(task, values, numbers);
    if (end == KERNEL_DONE && numbers->count == 0)
        end = task_refuse(task, "there must be one number at least");
    if (end != KERNEL_DONE)
        return end;
    arena_release(task->arena, mark);
    task->units = (numbers->count - 1) / UNIT + 1;
    task->data = numbers;
    return KERNEL_DONE;
}

/* ---- summaries ---- */

static void pack_summary(struct packer *out, const struct moments *m, const struct centroid *list, size_t count)
{
    pack_f64(out, m->count);
    pack_f64(out, m->mean);
    pack_f64(out, m->squares);
    pack_f64(out, m->min);
    pack_f64(out, m->max);
    pack_u64(out, count);
    for (size_t i = 0; i < count; i++) {
        pack_f64(out, list[i].mean);
        pack_f64(out, list[i].weight);
    }
}

static void pack_unit(struct packer *out, const double *values, size_t count, struct centroid *list, struct centroid *scratch)
{
    struct moments m = moments_of(values, count);
    for (size_t i = 0; i < count; i++)
        list[i] = (struct centroid){values[i], 1};
    digest_sort(list, count, scratch);
    pack_summary(out, &m, list, digest_compress(list, count));
}

static enum kernel_end statistics_compute(struct task *task, struct part part, struct slice *ret_outcome)
{
    const struct numbers *numbers = task->data;
    struct packer out = {.p = arena_array(task->arena, part.count, SUMMARY_SIZE), .cap = part.count * SUMMARY_SIZE};
    struct arena_mark mark = arena_mark(task->arena);
    struct centroid *list = arena_array(task->arena, 2 * UNIT, sizeof(*list));
    if (!out.p || !list)
        return KERNEL_NO_MEMORY;
    for (uint64_t unit = part.first; unit < part.first + part.count; unit++) {
        uint64_t left = numbers->count - unit * UNIT;
        if (task_stopping(task))
            return KERNEL_STOPPED;
        pack_unit(&out, numbers->values + unit * UNIT, left < UNIT ? left : UNIT, list, list + UNIT);
        task_advance(task, 1);
    }
    arena_release(task->arena, mark);
    *ret_outcome = slice_make(out.p, out.len);
    return KERNEL_DONE;
}

/* ---- the result ---- */

/* All summaries of one outcome, into `all` and behind `list[*count]`; false when it is none, or has more than `max`. */
static bool unpack_outcome(struct slice outcome, size_t max, struct moments *all, struct centroid *list, size_t *count)
{
    struct unpacker in = {.rest = outcome};
    while (!in.bad && in.rest.len > 0) {
        struct moments m;
        m.count = unpack_f64(&in);
        m.mean = unpack_f64(&in);
        m.squares = unpack_f64(&in);
        m.min = unpack_f64(&in);
        m.max = unpack_f64(&in);
        uint64_t more = unpack_u64(&in);
        in.bad |= !(m.count >= 1) || !isfinite(m.count + m.mean + m.squares + m.min + m.max) || more > max - *count;
        for (uint64_t i = 0; i < more && !in.bad; i++) {
            struct centroid *c = &list[(*count)++];
            c->mean = unpack_f64(&in);
            c->weight = unpack_f64(&in);
            in.bad |= !isfinite(c->mean) || !(c->weight >= 1) || !isfinite(c->weight);
        }
        if (!in.bad)
            moments_add(all, &m);
    }
    return unpack_ended(&in);
}

static void write_quantiles(struct json_object *wanted, const struct centroid *list, size_t count, const struct moments *all,
                            struct buf *out)
{
    size_t usual = sizeof(usual_quantiles) / sizeof(usual_quantiles[0]);
    size_t number = wanted ? json_object_array_length(wanted) : usual;
    buf_append_text(out, ",\"quantiles\":[");
    for (size_t i = 0; i < number; i++) {
        double q = wanted ? json_object_get_double(json_object_array_get_idx(wanted, i)) : usual_quantiles[i];
        buf_printf(out, "%s{\"q\":%.15g,\"value\":%.17g}", i ? "," : "", q, digest_quantile(list, count, all->min, all->max, q));
    }
    buf_append_text(out, "]");
}

static void write_moments(const struct moments *all, uint64_t missing, struct buf *out)
{
    buf_printf(out, "{\"count\":%.0f,\"missing\":%" PRIu64 ",\"min\":%.17g,\"max\":%.17g,\"mean\":%.17g", all->count, missing, all->min,
               all->max, all->mean);
    if (all->count > 1) {
        double variance = all->squares / (all->count - 1);
        buf_printf(out, ",\"variance\":%.17g,\"standard_deviation\":%.17g", variance, sqrt(variance));
    } else {
        buf_append_text(out, ",\"variance\":null,\"standard_deviation\":null");
    }
}

static enum kernel_end statistics_merge(struct task *task, const struct slice *outcomes, size_t count, struct buf *ret_result)
{
    const struct numbers *numbers = task->data;
    size_t max = task->units * DIGEST_MAX, centroids = 0;
    struct centroid *list = arena_array(task->arena, 2 * max, sizeof(*list));
    struct moments all = {0};
    if (!list)
        return KERNEL_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        if (!unpack_outcome(outcomes[i], max, &all, list, &centroids))
            return task_refuse(task, "the outcome of part %zu cannot be read", i);
    }
    if (all.count != (double)numbers->count || centroids == 0)
        return task_refuse(task, "the outcomes of the parts do not make a whole");
    digest_sort(list, centroids, list + max);
    write_moments(&all, numbers->missing, ret_result);
    write_quantiles(json_object_object_get(task->input->params, "quantiles"), list, digest_compress(list, centroids), &all, ret_result);
    buf_append_text(ret_result, "}");
    return KERNEL_DONE;
}

/* ---- estimates ---- */

static uint64_t statistics_cost(const struct input *input)
{
    return 200000 + (uint64_t)input->bulk.len * 100;
}

static size_t statistics_memory(const struct input *input)
{
    size_t values = most_values(input), units = values / UNIT + 1;
    return arena_room((values + 1) * sizeof(double), 1) + arena_room(input->bulk.len, 1) + arena_room(units * SUMMARY_SIZE, 1) +
           arena_room(TASK_PARTS_MAX * (sizeof(struct slice) + 2 * 64), 2) + arena_room(2 * UNIT * sizeof(struct centroid), 1) +
           arena_room(2 * units * DIGEST_MAX * sizeof(struct centroid), 1);
}

const struct kind kind_statistics = {
    .name = "statistics",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .bulk = bulk,
    .check = statistics_check,
    .cost = statistics_cost,
    .memory = statistics_memory,
    .prepare = statistics_prepare,
    .compute = statistics_compute,
    .merge = statistics_merge,
};
