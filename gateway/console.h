/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operators' page, and what of the clients' API it uses: their listener is of another origin, and the key that it may want is
 * no operator's. An operator sees and cancels everybody's operations.
 */
#ifndef ROUNDTRIP_GATEWAY_CONSOLE_H
#define ROUNDTRIP_GATEWAY_CONSOLE_H

#include "routes.h"

#define CONSOLE_ROWS_MAX 8

/** Its rows, those of `routes_public` among them as they are there; their number. */
size_t console_routes(struct route ret_rows[CONSOLE_ROWS_MAX]);
/** Is it a part of the page itself? It tells nothing of this process, and a browser can send no token before it has it. */
bool console_is_page(const struct request *req);

#endif
