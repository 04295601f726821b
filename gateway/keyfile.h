/* SPDX-License-Identifier: Apache-2.0 */
/* Files with keys and certificates: read whole, bounded, and who else can read them. */
#ifndef ROUNDTRIP_GATEWAY_KEYFILE_H
#define ROUNDTRIP_GATEWAY_KEYFILE_H

#include <stdbool.h>

#include "buf.h"

#define KEYFILE_MAX ((size_t)1024 * 1024)

/** What is wrong and what to do, one sentence without the full stop. Never holds what stands in a file. */
struct keyfile_error {
    char text[512];
};
void keyfile_fail(struct keyfile_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct keyfile {
    struct buf text;
    bool readable; /* by others than its owner */
    bool writable;
};
/** Reads a file of at most KEYFILE_MAX bytes, not empty. `setting` names it in the error. keyfile_done() also when false. */
bool keyfile_read(const char *setting, const char *path, struct keyfile *ret_file, struct keyfile_error *ret_error)
    __attribute__((warn_unused_result));
/** Overwrites and frees. */
void keyfile_done(struct keyfile *file);

#endif
