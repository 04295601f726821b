/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A picture of the Mandelbrot set, as PNG: for each pixel, after how many steps of z = z^2 + c |z| is above 2.
 *
 * Peitgen and Richter, The Beauty of Fractals, Springer (1986): the escape time. Pixel (x, y) is the c in its middle, `scale` being the
 * width of the picture in the plane; its colour is 0 when it does not escape, else 1 + (steps - 1) % 255. A unit is a row; an
 * outcome has each row's counts and colours.
 */
#include "kernels/kernels.h"
#include "kernels/pack.h"
#include "kernels/picture.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define SIDE_MAX INT64_C(8192)
/** Those of 3840 x 2160: an image that does not compress at all, however narrow, is within RESULT_BYTES_MAX (result.h). */
#define PIXELS_MAX     INT64_C(8294400)
#define ITERATIONS_MAX INT64_C(100000)
#define WORK_MAX       INT64_C(20000000000) /* steps of all pixels together */
#define CENTRE_MAX     4.0
#define SCALE_MAX      16.0
#define SCALE_MIN      1e-12 /* with smaller ones neighbouring pixels are the same double */
/** Steps of one row between two looks at the clock: some ms. */
#define LOOK_STEPS 1000000

static const struct json_member params[] = {
    {"width", JSON_INT64, true, 1, SIDE_MAX},
    {"height", JSON_INT64, true, 1, SIDE_MAX},
    {"center_x", JSON_NUMBER, true, 0, 0},
    {"center_y", JSON_NUMBER, true, 0, 0},
    {"scale", JSON_NUMBER, true, 0, 0},
    {"max_iterations", JSON_INT64, true, 1, ITERATIONS_MAX},
};

struct view {
    size_t width, height;
    uint32_t max_iterations;
    double left, top, step;
};

static double number(const struct input *input, const char *name)
{
    return json_object_get_double(json_object_object_get(input->params, name));
}

static int64_t integer(const struct input *input, const char *name)
{
    return json_member_int64(input->params, name, 1);
}

static bool refuse(struct json_error *ret_error, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool refuse(struct json_error *ret_error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(ret_error->text, sizeof(ret_error->text), format, args);
    va_end(args);
    return false;
}

static bool mandelbrot_check(const struct input *input, struct json_error *ret_error)
{
    int64_t pixels = integer(input, "width") * integer(input, "height");
    double scale = number(input, "scale");
    if (pixels > PIXELS_MAX)
        return refuse(ret_error, "members \"width\" times \"height\" must be at most %" PRId64, PIXELS_MAX);
    if (pixels * integer(input, "max_iterations") > WORK_MAX)
        return refuse(ret_error, "members \"width\" times \"height\" times \"max_iterations\" must be at most %" PRId64, WORK_MAX);
    if (!(fabs(number(input, "center_x")) <= CENTRE_MAX) || !(fabs(number(input, "center_y")) <= CENTRE_MAX))
        return refuse(ret_error, "members \"center_x\" and \"center_y\" must be from %g to %g", -CENTRE_MAX, CENTRE_MAX);
    if (!(scale >= SCALE_MIN && scale <= SCALE_MAX))
        return refuse(ret_error, "member \"scale\" must be from %g to %g", SCALE_MIN, SCALE_MAX);
    return true;
}

static enum kernel_end mandelbrot_prepare(struct task *task)
{
    const struct input *input = task->input;
    struct view *view = arena_alloc(task->arena, sizeof(*view));
    if (!view)
        return KERNEL_NO_MEMORY;
    *view = (struct view){.width = (size_t)integer(input, "width"),
                          .height = (size_t)integer(input, "height"),
                          .max_iterations = (uint32_t)integer(input, "max_iterations"),
                          .step = number(input, "scale") / (double)integer(input, "width")};
    view->left = number(input, "center_x") - view->step * (double)view->width / 2;
    view->top = number(input, "center_y") + view->step * (double)view->height / 2;
    task->units = view->height;
    task->data = view;
    return KERNEL_DONE;
}

/* ---- rows ---- */

/* Pixels side by side, in two of the compiler's vectors at a time: steps wait for each other, pixels do not. */
#define LANES 8
/** Steps between two looks whether any pixel is still inside. */
#define STEPS  8
#define UNROLL _Pragma("GCC unroll 2")
typedef double two __attribute__((vector_size(16)));
typedef int64_t two_counts __attribute__((vector_size(16)));
typedef double four __attribute__((vector_size(32)));
typedef int64_t four_counts __attribute__((vector_size(32)));

/*
 * After how many steps each point escapes; `max` and one more when it does not. Escaped stays so: beyond 2 it only grows, up to infinity
 * and NaN. No step is rounded otherwise on another machine, since none is contracted.
 */
#define ESCAPE(vector, counts, width)                                                                  \
    for (size_t first = 0; first < LANES; first += 2 * (width)) {                                      \
        vector cx[2], zx[2] = {{0}, {0}}, zy[2] = {{0}, {0}}, cy = (vector){0} + y;                    \
        counts steps[2] = {{0}, {0}}, inside[2] = {~(counts){0}, ~(counts){0}}, any = inside[0];       \
        memcpy(cx, x + first, sizeof(cx));                                                             \
        for (int64_t left = max + 1; left > 0 && is_any(any); left -= STEPS) {                         \
            for (int64_t i = left < STEPS ? left : STEPS; i > 0; i--) {                                \
                UNROLL for (int v = 0; v < 2; v++) {                                                   \
                    vector xx = zx[v] * zx[v], yy = zy[v] * zy[v], xy = zx[v] * zy[v];                 \
                    inside[v] &= (counts)(xx + yy <= 4.0);                                             \
                    steps[v] -= inside[v];                                                             \
                    zx[v] = xx - yy + cx[v];                                                           \
                    zy[v] = xy + xy + cy;                                                              \
                }                                                                                      \
            }                                                                                          \
            any = inside[0] | inside[1];                                                               \
        }                                                                                              \
        memcpy(ret_steps + first, steps, sizeof(steps));                                               \
    }

KERNEL_HOT static void escape_two(const double x[LANES], double y, int64_t max, int64_t ret_steps[LANES])
{
#define is_any(a) ((a)[0] | (a)[1])
    ESCAPE(two, two_counts, 2)
#undef is_any
}

#ifdef __x86_64__
__attribute__((target("avx2"))) KERNEL_HOT static void escape_four(const double x[LANES], double y, int64_t max, int64_t ret_steps[LANES])
{
#define is_any(a) ((a)[0] | (a)[1] | (a)[2] | (a)[3])
    ESCAPE(four, four_counts, 4)
#undef is_any
}
#define has_four() __builtin_cpu_supports("avx2")
#else
#define escape_four escape_two
#define has_four()  false
#endif

static void escape(const double x[LANES], double y, int64_t max, int64_t ret_steps[LANES])
{
    if (has_four())
        escape_four(x, y, max, ret_steps);
    else
        escape_two(x, y, max, ret_steps);
}

struct row {
    uint64_t inside, steps; /* pixels that do not escape; steps of all */
    unsigned char *colours;
};

/* `steps` is the first n with |z_n| > 2, or max + 1. */
static void put_pixel(const struct view *view, struct row *row, size_t x, int64_t steps)
{
    bool inside = steps > view->max_iterations;
    row->inside += inside;
    row->steps += inside ? view->max_iterations : (uint64_t)steps;
    row->colours[x] = inside ? 0 : (unsigned char)(1 + (steps - 1) % 255);
}

static enum kernel_end compute_row(const struct task *task, const struct view *view, size_t y, struct row *row)
{
    double at = view->top - ((double)y + 0.5) * view->step;
    int64_t since = LOOK_STEPS;
    for (size_t x = 0; x < view->width; x += LANES) {
        double points[LANES];
        int64_t steps[LANES];
        if (since >= LOOK_STEPS && task_stopping(task))
            return KERNEL_STOPPED;
        since = since >= LOOK_STEPS ? 0 : since;
        for (size_t i = 0; i < LANES; i++)
            points[i] = view->left + ((double)(x + i) + 0.5) * view->step;
        escape(points, at, view->max_iterations, steps);
        for (size_t i = 0; i < LANES && x + i < view->width; i++) {
            put_pixel(view, row, x + i, steps[i]);
            since += steps[i];
        }
    }
    return KERNEL_DONE;
}

static enum kernel_end mandelbrot_compute(struct task *task, struct part part, struct slice *ret_outcome)
{
    const struct view *view = task->data;
    size_t row_size = 2 * PACK_WORD + view->width;
    struct packer out = {.p = arena_array(task->arena, part.count, row_size), .cap = part.count * row_size};
    struct arena_mark mark = arena_mark(task->arena);
    unsigned char *colours = arena_alloc(task->arena, view->width);
    if (!out.p || !colours)
        return KERNEL_NO_MEMORY;
    for (uint64_t y = part.first; y < part.first + part.count; y++) {
        struct row row = {.colours = colours};
        if (compute_row(task, view, y, &row) != KERNEL_DONE)
            return KERNEL_STOPPED;
        pack_u64(&out, row.inside);
        pack_u64(&out, row.steps);
        pack_bytes(&out, colours, view->width);
        task_advance(task, 1);
    }
    arena_release(task->arena, mark);
    *ret_outcome = slice_make(out.p, out.len);
    return KERNEL_DONE;
}

/* ---- the picture ---- */

/* From dark blue over white and orange to dark again, so that neighbouring numbers look alike: each channel a sine. */
static void make_palette(struct picture_colour palette[PICTURE_COLOURS])
{
    palette[0] = (struct picture_colour){0, 0, 0};
    for (int i = 1; i < PICTURE_COLOURS; i++) {
        double turn = 6.283185307179586 * (i - 1) / (PICTURE_COLOURS - 1);
        palette[i] = (struct picture_colour){(unsigned char)lround(127.5 - 127.5 * cos(turn)), (unsigned char)lround(127.5 - 127.5 * cos(turn + 0.5)),
                                         (unsigned char)lround(160 - 95 * cos(turn + 1.2))};
    }
}

/* The rows of all outcomes one below the other; false when they are not as many as there must be. */
static bool unpack_rows(const struct view *view, const struct slice *outcomes, size_t count, const unsigned char **rows, struct row *total)
{
    size_t y = 0;
    for (size_t i = 0; i < count; i++) {
        struct unpacker in = {.rest = outcomes[i]};
        while (!in.bad && in.rest.len > 0) {
            uint64_t inside = unpack_u64(&in), steps = unpack_u64(&in);
            const char *colours = unpack_bytes(&in, view->width);
            if (!colours || y == view->height)
                return false;
            rows[y++] = (const unsigned char *)colours;
            total->inside += inside;
            total->steps += steps;
        }
    }
    return y == view->height;
}

static bool is_stopping(const void *task)
{
    return task_stopping(task);
}

static enum kernel_end mandelbrot_merge(struct task *task, const struct slice *outcomes, size_t count, struct buf *ret_result)
{
    const struct view *view = task->data;
    const unsigned char **rows = arena_array(task->arena, view->height, sizeof(*rows));
    struct picture_colour palette[PICTURE_COLOURS];
    struct row total = {0};
    struct slice png;
    if (!rows)
        return KERNEL_NO_MEMORY;
    if (!unpack_rows(view, outcomes, count, rows, &total))
        return task_refuse(task, "the outcomes of the parts do not make a whole");
    make_palette(palette);
    if (!picture_png(task->arena, view->width, view->height, rows, palette, is_stopping, task, &png))
        return is_stopping(task) ? KERNEL_STOPPED : KERNEL_NO_MEMORY;
    buf_printf(ret_result, "{\"width\":%zu,\"height\":%zu,\"inside\":%" PRIu64 ",\"iterations\":%" PRIu64, view->width, view->height,
               total.inside, total.steps);
    buf_append_text(ret_result, "}");
    task->content = png;
    task->media_type = "image/png";
    return KERNEL_DONE;
}

static uint64_t mandelbrot_cost(const struct input *input)
{
    uint64_t pixels = (uint64_t)(integer(input, "width") * integer(input, "height"));
    return 500000 + pixels * ((uint64_t)integer(input, "max_iterations") + 50); /* if none escapes */
}

static size_t mandelbrot_outcomes(const struct input *input)
{
    return (size_t)((integer(input, "width") + 2 * PACK_WORD) * integer(input, "height"));
}

static size_t mandelbrot_memory(const struct input *input)
{
    size_t width = (size_t)integer(input, "width"), height = (size_t)integer(input, "height");
    return arena_room((width + 2 * PACK_WORD) * height, 1) + arena_room(TASK_PARTS_MAX * (sizeof(struct slice) + 2 * 64), 2) +
           arena_room(width, 1) + arena_room(height * sizeof(void *), 1) + picture_room(width, height);
}

const struct kind kind_mandelbrot = {
    .name = "mandelbrot",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .check = mandelbrot_check,
    .cost = mandelbrot_cost,
    .memory = mandelbrot_memory,
    .outcomes = mandelbrot_outcomes,
    .prepare = mandelbrot_prepare,
    .compute = mandelbrot_compute,
    .merge = mandelbrot_merge,
};
