/* SPDX-License-Identifier: Apache-2.0 */
/* The set's known points and area, and the picture read back by libpng. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <png.h>

#include "kernels/picture.h"
#include "result.h"
#include "support.h"

#define SIDE_MAX 512

struct image {
    unsigned width, height;
    unsigned char colours[SIDE_MAX * SIDE_MAX]; /* numbers, not colours of the palette */
};

struct source {
    const unsigned char *p;
    size_t left;
};

static void read_some(png_structp png, png_bytep data, size_t len)
{
    struct source *source = png_get_io_ptr(png);
    assert_true(len <= source->left);
    memcpy(data, source->p, len);
    source->p += len;
    source->left -= len;
}

static void read_png(struct source source, struct image *ret_image)
{
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    if (setjmp(png_jmpbuf(png)))
        fail_msg("libpng does not read the picture");
    png_set_read_fn(png, &source, read_some);
    png_read_info(png, info);
    assert_int_equal(png_get_color_type(png, info), PNG_COLOR_TYPE_PALETTE);
    assert_int_equal(png_get_bit_depth(png, info), 8);
    ret_image->width = png_get_image_width(png, info);
    ret_image->height = png_get_image_height(png, info);
    assert_true(ret_image->width * ret_image->height <= sizeof(ret_image->colours));
    for (unsigned y = 0; y < ret_image->height; y++)
        png_read_row(png, ret_image->colours + y * ret_image->width, NULL);
    png_read_end(png, NULL);
    assert_int_equal(source.left, 0);
    png_destroy_read_struct(&png, &info, NULL);
}

static struct run draw(const char *params, struct image *ret_image)
{
    struct run run = run_kind("mandelbrot", params, 3, NULL);
    assert_int_equal(run.end, KERNEL_DONE);
    read_png((struct source){(const unsigned char *)run.content.data, run.content.len}, ret_image);
    return run;
}

static struct image image; /* too large for a stack */

/* What becomes of a single point: the middle of a picture of one pixel. */
static void expect_point(double x, double y, int colour, unsigned steps)
{
    char params[200];
    snprintf(params, sizeof(params),
             "{\"width\":1,\"height\":1,\"center_x\":%g,\"center_y\":%g,\"scale\":0.001,\"max_iterations\":300}", x, y);
    struct run run = draw(params, &image);
    assert_int_equal(image.colours[0], colour);
    assert_int_equal((unsigned)member(&run, "inside"), colour == 0);
    assert_int_equal((unsigned)member(&run, "iterations"), steps);
    run_done(&run);
}

static void known_points(void **state)
{
    expect_point(0, 0, 0, 300);
    expect_point(-1, 0, 0, 300);  /* 0, -1, 0, -1, ... */
    expect_point(-2, 0, 0, 300);  /* 0, -2, 2, 2, ...: |z| = 2 is not beyond */
    expect_point(0, 1, 0, 300);   /* 0, i, i - 1, -i, i - 1, ... */
    expect_point(0.2, 0, 0, 300); /* to (1 - sqrt(1/5)) / 2 */
    expect_point(1, 0, 3, 3);     /* 0, 1, 2, 5 */
    expect_point(2, 0, 2, 2);     /* 0, 2, 6 */
    expect_point(3, 0, 1, 1);
    expect_point(0.26, 0, 30, 30); /* beside the cusp: slowly through */
}

/* Its area is 1.50659177 (Förstemann, 2012); a picture of 512 by 512 has pixels of 0.00006 in it. */
static void area(void **state)
{
    struct run run = draw("{\"width\":512,\"height\":512,\"center_x\":-0.5,\"center_y\":0,\"scale\":4,\"max_iterations\":4000}", &image);
    double pixels = member(&run, "inside"), found = pixels * 16 / (512.0 * 512.0);
    unsigned zeros = 0;
    for (size_t i = 0; i < 512 * 512; i++)
        zeros += image.colours[i] == 0;
    assert_true(zeros == pixels);
    assert_true(fabs(found - 1.50659177) < 0.01);
    for (size_t y = 0; y < 256; y++) /* as above so below */
        assert_memory_equal(image.colours + y * 512, image.colours + (511 - y) * 512, 512);
    run_done(&run);
}

static void any_split_gives_the_same(void **state)
{
    expect_any_split("mandelbrot", "{\"width\":61,\"height\":47,\"center_x\":-0.7436,\"center_y\":0.1318,\"scale\":0.005,\"max_iterations\":500}");
    expect_any_split("mandelbrot", "{\"width\":8192,\"height\":1,\"center_x\":0,\"center_y\":1,\"scale\":1e-3,\"max_iterations\":10}");
    expect_any_split("mandelbrot", "{\"width\":1,\"height\":8192,\"center_x\":0,\"center_y\":1,\"scale\":1e-3,\"max_iterations\":10}");
}

static bool at_once(const void *arg)
{
    return true;
}

/* Pixels like noise, which do not compress: the largest there are, within what is kept of a result. */
static void the_largest_picture_fits(void **state)
{
    assert_true(picture_size(3840, 2160) <= RESULT_BYTES_MAX);
    assert_true(picture_size(1012, 8192) <= RESULT_BYTES_MAX);
    struct budget budget;
    struct arena arena;
    budget_init(&budget, picture_room(64, 8192) + arena_room(64 * 8192, 1) + arena_room(8192 * sizeof(void *), 1), SIZE_MAX / 2);
    assert_true(arena_open(&arena, &budget, 0));
    unsigned char *noise = arena_alloc(&arena, 64 * 8192);
    const unsigned char **rows = arena_array(&arena, 8192, sizeof(*rows));
    struct picture_colour palette[PICTURE_COLOURS] = {{0, 0, 0}};
    struct slice png;
    for (uint32_t i = 0, x = 1; i < 64 * 8192; i++, x = x * 1664525 + 1013904223)
        noise[i] = (unsigned char)(x >> 24);
    for (size_t y = 0; y < 8192; y++)
        rows[y] = noise + 64 * y;
    assert_true(picture_png(&arena, 64, 8192, rows, palette, NULL, NULL, &png));
    assert_true(png.len > 64 * 8192 && png.len <= picture_size(64, 8192));
    arena_close(&arena);
    budget_init(&budget, picture_size(64, 8192) + 200000, SIZE_MAX / 2); /* too little for libpng's own */
    assert_true(arena_open(&arena, &budget, 0));
    static const unsigned char *blank[8192];
    static const unsigned char row[64];
    for (size_t y = 0; y < 8192; y++)
        blank[y] = row;
    assert_false(picture_png(&arena, 64, 8192, blank, palette, NULL, NULL, &png));
    assert_int_equal(arena.refusal, ARENA_JOB_FULL);
    arena_close(&arena);
    budget_init(&budget, picture_room(64, 8192), SIZE_MAX / 2);
    assert_true(arena_open(&arena, &budget, 0));
    assert_false(picture_png(&arena, 64, 8192, blank, palette, at_once, NULL, &png));
    assert_int_equal(arena.refusal, ARENA_GRANTED);
    arena_close(&arena);
}

static void bounds(void **state)
{
#define VIEW ",\"center_x\":0,\"center_y\":0,\"scale\":1,"
    expect_refusal("mandelbrot", "{\"width\":8193,\"height\":1" VIEW "\"max_iterations\":1}", "\"width\" must be an integer from 1 to 8192");
    expect_refusal("mandelbrot", "{\"width\":3840,\"height\":2161" VIEW "\"max_iterations\":1}", "at most 8294400");
    expect_refusal("mandelbrot", "{\"width\":1024,\"height\":512" VIEW "\"max_iterations\":40000}", "at most 20000000000");
    expect_refusal("mandelbrot", "{\"width\":1,\"height\":1" VIEW "\"max_iterations\":100001}", "max_iterations");
    expect_refusal("mandelbrot", "{\"width\":1,\"height\":1,\"center_x\":4.1,\"center_y\":0,\"scale\":1,\"max_iterations\":1}", "from -4 to 4");
    expect_refusal("mandelbrot", "{\"width\":1,\"height\":1,\"center_x\":0,\"center_y\":0,\"scale\":0,\"max_iterations\":1}", "from 1e-12 to 16");
    expect_refusal("mandelbrot", "{\"width\":1,\"height\":1,\"center_x\":\"0\",\"center_y\":0,\"scale\":1,\"max_iterations\":1}", "a number");
}

/* The most work that is taken, none of which escapes. */
static void stops(void **state)
{
    expect_stop("mandelbrot", "{\"width\":447,\"height\":447,\"center_x\":0,\"center_y\":0,\"scale\":0.1,\"max_iterations\":100000}", 20);
    expect_stop("mandelbrot", "{\"width\":8192,\"height\":20,\"center_x\":0,\"center_y\":0,\"scale\":0.1,\"max_iterations\":100000}", 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_points), cmocka_unit_test(area),   cmocka_unit_test(any_split_gives_the_same),
        cmocka_unit_test(the_largest_picture_fits), cmocka_unit_test(bounds), cmocka_unit_test(stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
