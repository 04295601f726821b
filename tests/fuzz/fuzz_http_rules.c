/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a request: it is refused with a problem, or becomes a command that the codec takes.
 *
 * The input is written like a request, so that a corpus can be read: "GET /items?limit=1", header lines, an
 * empty line, the body. Only line feeds end lines here: carriage returns and NULs get where libmicrohttpd may
 * let them through.
 */
#include <assert.h>
#include <stdlib.h>

#include "caching.h"
#include "command.h"
#include "list.h"
#include "routes.h"
#include "rules.h"
#include "timeline.h"

static struct slice take_until(struct slice *rest, char separator)
{
    const char *found = rest->len ? memchr(rest->p, separator, rest->len) : NULL;
    size_t len = found ? (size_t)(found - rest->p) : rest->len;
    struct slice taken = slice_make(rest->p, len);
    *rest = slice_make(rest->p + len + (found != NULL), rest->len - len - (found != NULL));
    return taken;
}

static void read_request(struct request *req, struct slice rest)
{
    struct slice line = take_until(&rest, '\n');
    req->header_bytes = line.len;
    req->method = request_method_of(take_until(&line, ' '));
    req->http11 = true;
    req->target = take_until(&line, '?');
    while (line.len) {
        struct slice value = take_until(&line, '&'), name = take_until(&value, '=');
        request_add_query(req, name, value);
    }
    while (rest.len && (line = take_until(&rest, '\n')).len) {
        req->header_bytes += line.len;
        struct slice value = line, name = take_until(&value, ':');
        request_add_header(req, name, value);
    }
    buf_append_slice(&req->body, rest);
}

static void check_refusal(const struct answer *answer)
{
    assert(answer->status >= 400 && answer->status <= 599);
    assert(answer_body(answer).len > 0 && answer_find(answer, "Content-Type"));
    for (size_t i = 0; i < answer->header_count; i++)
        assert(strpbrk(answer_header_value(answer, i), "\r\n") == NULL);
}

static void check_command(const struct draft *draft, const struct request *req, const struct route *route)
{
    static const struct command_origin origin = {"roundtrip-gateway/fuzz", "replies", 0};
    struct command cmd, again;
    struct headers headers;
    command_fill(draft, req, route, &origin, SLICE("0123456789abcdef00000000000000010000"), &cmd);
    headers_init(&headers);
    envelope_encode_command(&cmd, &headers);
    assert(!headers.overflow);
    struct record rec = {.topic = "t",
                         .key = cmd.key,
                         .value = cmd.body,
                         .headers = headers.list,
                         .header_count = headers.count};
    enum envelope_error error = envelope_decode_command(&rec, &again);
    assert(error == ENVELOPE_OK);
    assert(slice_equal(cmd.id, again.id) && slice_equal(cmd.key, again.key) &&
           slice_equal(cmd.body, again.body));
    assert(cmd.expiry_ms == again.expiry_ms);
}

/* False: refused, and the answer says why. */
static bool serve(struct request *req, struct draft *draft, struct answer *answer)
{
    static const struct rules_limits limits = {.header_bytes = 2048, .body_bytes = 2048};
    int64_t wait_ms, accept_ms, work_ms;
    bool preferred;
    unsigned allowed;
    if (!rules_check_message(req, &limits, answer) || !rules_split_path(req, answer))
        return false;
    assert(rules_body_length(req) >= -1 && rules_body_length(req) <= 2048);
    const struct route *route = routes_find(&routes_public, req, &allowed);
    if (!route || !route->build)
        return true;
    if ((routes_takes_body(route) && !rules_check_body_type(req, answer)) ||
        !rules_deadline_ms(req, 5000, 60000, &wait_ms, &preferred, answer))
        return false;
    assert(wait_ms >= 1 && wait_ms <= 60000);
    (void)rules_async(req, 60000, 900000, &accept_ms, &work_ms);
    assert(accept_ms >= 0 && accept_ms <= 60000 && work_ms >= 1 && work_ms <= 900000);
    (void)rules_waits(req);
    if (!command_prepare(draft, req, route, 1767225600000, 1767225600000 + wait_ms, answer))
        return false;
    check_command(draft, req, route);
    return true;
}

/* Any Cache-Control: who takes an older answer takes a younger one. */
static void check_staleness(const struct request *req)
{
    static const int64_t ages[] = {0, 1, 59, 3600, INT64_C(1) << 31, INT64_C(1) << 40};
    bool took = true;
    for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
        bool takes = caching_takes_stale(req, 10, ages[i]);
        assert(took || !takes);
        took = takes;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request req = {0};
    struct draft draft = {0};
    struct answer answer = {0};
    struct buf out = {0};
    char *copy = malloc(size ? size : 1); /* exactly as long as the text: reading past its end is seen */
    assert(copy);
    memcpy(copy, data, size);
    struct slice text = slice_make(copy, size),
                 pages[2] = {text, SLICE("{\"items\":[{\"id\":1}],\"more\":true}")};
    read_request(&req, text);
    if (!serve(&req, &draft, &answer))
        check_refusal(&answer);
    if (list_merge(pages, 2, 10, &out))
        assert(out.len > 0);
    buf_clear(&out);
    pages[1] = SLICE("{\"computations\":[{\"operation\":\"Y29tcHV0ZQpjCms\",\"time\":\"1970-01-01T00:00:00.001Z\"}],\"until\":null}");
    if (timeline_merge(pages, 2, 10, &out))
        assert(out.len > 0);
    (void)timeline_is_cursor(text);
    check_staleness(&req);
    (void)syntax_etag_listed(request_header(&req, "If-None-Match"), SLICE("\"1\""));
    buf_done(&out);
    answer_done(&answer);
    draft_done(&draft);
    request_done(&req);
    free(copy);
    return 0;
}
