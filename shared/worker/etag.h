/* SPDX-License-Identifier: Apache-2.0 */
/* Entity tags of versions: "7", and If-Match lists against them (RFC 9110 sections 8.8.3 and 13.1.1). Pure. */
#ifndef ROUNDTRIP_WORKER_ETAG_H
#define ROUNDTRIP_WORKER_ETAG_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

#define ETAG_SIZE 24

/** Writes the quoted version and a NUL; its length. */
int etag_write(int64_t version, char ret_text[ETAG_SIZE]);
/**
 * Does If-Match hold for an entity that exists in `version`? `*` matches any; otherwise strong comparison with each
 * listed tag. A bare number, as direct producers write it, is taken as its quoted form.
 */
bool etag_if_match(struct slice if_match, bool exists, int64_t version);

#endif
