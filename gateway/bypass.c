/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 by hand, for one short answer. */
#include "bypass.h"

#include <sys/socket.h>

#include "problem.h"

void bypass_send(int fd, const struct answer *answer)
{
    struct buf text = {0};
    struct slice body = answer_body(answer);
    buf_printf(&text, "HTTP/1.1 %d %s\r\nConnection: close\r\n", answer->status, problem_title(answer->status));
    if (answer->status != 204) /* RFC 9110 section 8.6 */
        buf_printf(&text, "Content-Length: %zu\r\n", body.len);
    for (size_t i = 0; i < answer->header_count; i++)
        buf_printf(&text, "%s: %s\r\n", answer->headers[i].name, answer_header_value(answer, i));
    buf_append_text(&text, "\r\n");
    buf_append_slice(&text, body);
    if (buf_ok(&text)) {
        ssize_t n = send(fd, text.data, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)n;
    }
    shutdown(fd, SHUT_WR);
    buf_done(&text);
}
