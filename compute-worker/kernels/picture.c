/* SPDX-License-Identifier: Apache-2.0 */
/* libpng, writing into memory of ours and taking its own from there. The only file that includes its header. */
#include "kernels/picture.h"

#include <png.h>
#include <setjmp.h>
#include <stdint.h>

/** What libpng and zlib take for themselves (268 KB of it for a window of 32 KiB), and that in chunks of an arena. */
#define OWN_ROOM (768 * 1024)

struct file {
    struct arena *arena;
    char *p;
    size_t len, cap;
    picture_stop_fn *stop;
    const void *arg;
};

static void *allocate(png_structp png, png_alloc_size_t size)
{
    struct file *file = png_get_mem_ptr(png);
    return arena_alloc(file->arena, size);
}

/* Freed with the arena. */
static void release(png_structp png, void *p)
{
}

static void fail(png_structp png, const char *message)
{
    png_longjmp(png, 1);
}

static void ignore(png_structp png, const char *message)
{
}

static void append(png_structp png, png_bytep data, size_t len)
{
    struct file *file = png_get_io_ptr(png);
    if (len > file->cap - file->len)
        png_error(png, "beyond the largest size");
    memcpy(file->p + file->len, data, len);
    file->len += len;
}

static void flush(png_structp png)
{
}

/* Deflate stores what does not compress, 5 bytes for each 16 KiB or more; each of libpng's 8 KiB has 12 around it. */
size_t picture_size(size_t width, size_t height)
{
    size_t raw = (width + 1) * height;
    return raw + raw / 256 + 3 * PICTURE_COLOURS + 1024;
}

size_t picture_room(size_t width, size_t height)
{
    return arena_room(picture_size(width, height), 1) + OWN_ROOM + arena_room(width * 8, 4);
}

static void write_file(png_structp png, png_infop info, size_t width, size_t height, const unsigned char *const *rows,
                       const struct picture_colour *palette)
{
    const struct file *file = png_get_io_ptr(png);
    png_color colours[PICTURE_COLOURS];
    for (int i = 0; i < PICTURE_COLOURS; i++)
        colours[i] = (png_color){palette[i].red, palette[i].green, palette[i].blue};
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, 8, PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_PLTE(png, info, colours, PICTURE_COLOURS);
    png_set_filter(png, 0, PNG_FILTER_NONE); /* neighbouring numbers of colours say nothing about each other */
    png_write_info(png, info);
    for (size_t y = 0; y < height; y++) {
        if (file->stop && file->stop(file->arg))
            png_error(png, "stopped");
        png_write_row(png, rows[y]);
    }
    png_write_end(png, NULL);
}

bool picture_png(struct arena *arena, size_t width, size_t height, const unsigned char *const *rows,
                 const struct picture_colour palette[PICTURE_COLOURS], picture_stop_fn *stop, const void *arg, struct slice *ret_png)
{
    struct file file = {.arena = arena, .cap = picture_size(width, height), .stop = stop, .arg = arg};
    file.p = arena_alloc(arena, file.cap);
    if (!file.p)
        return false;
    png_structp png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, NULL, fail, ignore, &file, allocate, release);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info)
        return false;
    if (setjmp(png_jmpbuf(png)))
        return false;
    png_set_write_fn(png, &file, append, flush);
    write_file(png, info, width, height, rows, palette);
    png_destroy_write_struct(&png, &info);
    *ret_png = slice_make(file.p, file.len);
    return true;
}
