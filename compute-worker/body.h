/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of compute.start: which kind, with which parameters; and of compute.part: which of its parts.
 *
 * A long text among the parameters (`bulk` of its kind) is never made a JSON tree of, which would take up to 40 times its size: it
 * stays where it stands, in the command.
 */
#ifndef ROUNDTRIP_COMPUTE_BODY_H
#define ROUNDTRIP_COMPUTE_BODY_H

#include "kernels/kernels.h"

struct body {
    const struct kind *kind;
    struct input input;
    struct json_object *root; /* owns input.params */
};

/** Checks all that can be without computing. False: `ret_error` says what is wrong, and nothing is held. `text` outlives the body. */
bool body_parse(struct slice text, struct body *ret_body, struct buf *ret_error) __attribute__((warn_unused_result));
/** The same for compute.part, whose body has "parts" and "index" as well. */
bool body_parse_part(struct slice text, struct body *ret_body, size_t *ret_parts, size_t *ret_index, struct buf *ret_error)
    __attribute__((warn_unused_result));
void body_done(struct body *body);

#endif
