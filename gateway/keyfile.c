/* SPDX-License-Identifier: Apache-2.0 */
/* Reading files with keys. */
#include "keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void keyfile_fail(struct keyfile_error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
}

/* 0 or -errno. */
static int read_all(int fd, struct buf *out)
{
    char block[4096];
    ssize_t n;
    int err = 0;
    if (!buf_reserve(out, KEYFILE_MAX + sizeof(block))) /* at once: growing would leave copies behind */
        return -ENOMEM;
    while (out->len <= KEYFILE_MAX && (n = read(fd, block, sizeof(block))) != 0) {
        if (n < 0) {
            err = -errno;
            break;
        }
        buf_append(out, block, (size_t)n);
    }
    explicit_bzero(block, sizeof(block));
    return err;
}

bool keyfile_read(const char *setting, const char *path, struct keyfile *ret_file, struct keyfile_error *ret_error)
{
    struct stat st = {0};
    *ret_file = (struct keyfile){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int err = fd < 0 || fstat(fd, &st) != 0 ? -errno : read_all(fd, &ret_file->text);
    if (fd >= 0)
        close(fd);
    if (err) {
        keyfile_fail(ret_error, "%s: %s cannot be read: %s", setting, path, strerror(-err));
        return false;
    }
    if (ret_file->text.len == 0 || ret_file->text.len > KEYFILE_MAX) {
        keyfile_fail(ret_error, "%s: %s is %s", setting, path, ret_file->text.len ? "larger than 1 MiB" : "empty");
        return false;
    }
    ret_file->readable = st.st_mode & (S_IRGRP | S_IROTH);
    ret_file->writable = st.st_mode & (S_IWGRP | S_IWOTH);
    return true;
}

void keyfile_done(struct keyfile *file)
{
    if (file->text.data)
        explicit_bzero(file->text.data, file->text.len);
    buf_done(&file->text);
}
