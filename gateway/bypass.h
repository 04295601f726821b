/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that libmicrohttpd cannot give: to a connection it has not taken, or while a request's body is still coming. */
#ifndef ROUNDTRIP_GATEWAY_BYPASS_H
#define ROUNDTRIP_GATEWAY_BYPASS_H

#include "answer.h"

/**
 * Writes the answer to a socket on which nothing else is being written, with Connection: close, and says that nothing more
 * comes (SHUT_WR); the caller closes. What cannot be written at once is not worth waiting for.
 */
void bypass_send(int fd, const struct answer *answer);

#endif
