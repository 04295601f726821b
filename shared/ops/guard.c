/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens, literal addresses and origins. */
#include "ops/guard.h"

#include <arpa/inet.h>
#include <stdio.h>

static bool same_secret(struct slice given, const char *token)
{
    size_t len = strlen(token);
    unsigned char differs = given.len != len;
    for (size_t i = 0; i < len && given.len == len; i++) /* in a time that does not tell where */
        differs |= (unsigned char)(given.p[i] ^ token[i]);
    return differs == 0;
}

static bool has_token(struct slice authorization, const char *token)
{
    const char bearer[] = "Bearer ";
    const size_t skip = sizeof(bearer) - 1;
    return authorization.len > skip && authorization.p[skip - 1] == ' ' &&
           strncasecmp(authorization.p, bearer, skip - 1) == 0 && /* a scheme's case does not matter (RFC 9110 section 11.1) */
           same_secret(slice_make(authorization.p + skip, authorization.len - skip), token);
}

/* "127.0.0.1:8081", "[::1]", "localhost": not a name that somebody else's DNS could lead here. */
static bool is_literal_host(struct slice host)
{
    char name[64];
    unsigned char address[sizeof(struct in6_addr)];
    bool brackets = host.len > 0 && host.p[0] == '[';
    const char *end = host.len ? memchr(host.p, brackets ? ']' : ':', host.len) : NULL;
    size_t skip = brackets ? 1 : 0, len = (end ? (size_t)(end - host.p) : host.len) - skip;
    if (host.len <= skip || len == 0 || len >= sizeof(name))
        return false;
    snprintf(name, sizeof(name), "%.*s", (int)len, host.p + skip);
    return strcmp(name, "localhost") == 0 || inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

/* A page of ours is at "http://<Host>"; any other must not make its reader's browser act here. */
static bool is_foreign_page(struct slice origin, struct slice host)
{
    const char http[] = "http://";
    const size_t skip = sizeof(http) - 1;
    if (!origin.p)
        return false;
    return origin.len < skip || memcmp(origin.p, http, skip) != 0 ||
           !slice_equal(slice_make(origin.p + skip, origin.len - skip), host);
}

enum guard_verdict guard_check(const char *token, struct slice host, struct slice origin, struct slice authorization)
{
    if (*token)
        return has_token(authorization, token) ? GUARD_PASSES : GUARD_WANTS_TOKEN;
    return is_literal_host(host) && !is_foreign_page(origin, host) ? GUARD_PASSES : GUARD_WANTS_LOCAL;
}

bool guard_is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0;
}
