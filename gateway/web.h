/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of gateway/web, which are compiled in: what describes this API, and pages for browsers.
 *
 * To add one: the file, its name in CMakeLists.txt and, where it is the first of a page, two rows in a table of routes.
 */
#ifndef ROUNDTRIP_GATEWAY_WEB_H
#define ROUNDTRIP_GATEWAY_WEB_H

#include "routes.h"

struct web_file {
    const char *name; /* without its folder */
    const char *etag; /* with its quotes; of its content */
    const unsigned char *data;
    size_t size;
};
extern const struct web_file web_files[];
extern const size_t web_file_count;

/** NULL: there is none of that name. */
const struct web_file *web_find(struct slice name);

/**
 * Answers "/x.json" with that file, "/x" with x.html and "/x/FILE" with FILE, if that begins with x, or with
 * "page.", which all have in common: a listener only shows what is of its pages. A local_fn; the context is not looked at. The body is borrowed from the program.
 */
local_fn web_serve;

#endif
