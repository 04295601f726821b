/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The id of an operation, which is a command as something that can be looked at and given up over HTTP: base64url (RFC 4648
 * section 5, without padding) of "<service>\\n<command id>\\n<key>", so that whoever has produced a command directly can write it too.
 * Pure.
 */
#ifndef ROUNDTRIP_OPERATION_ID_H
#define ROUNDTRIP_OPERATION_ID_H

#include <stdbool.h>

#include "buf.h"
#include "envelope.h"

#define OPERATION_NAME_MAX (64 + ENVELOPE_ID_MAX + ENVELOPE_KEY_MAX + 2)
#define OPERATION_ID_MAX   ((OPERATION_NAME_MAX * 4 + 2) / 3)

struct operation_name {
    struct slice service, command_id, key;
    char text[OPERATION_NAME_MAX]; /* what the slices point into, when it was parsed */
};
bool operation_parse(struct slice id, struct operation_name *ret_name) __attribute__((warn_unused_result));
/** Appends the id. */
void operation_write(struct buf *out, struct slice service, struct slice command_id, struct slice key);

#endif
