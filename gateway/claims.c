/* SPDX-License-Identifier: Apache-2.0 */
/* Checking the claims of a token. */
#include "claims.h"

#include "json.h"
#include "utf8.h"

static struct slice text_of(struct json_object *value)
{
    if (!json_object_is_type(value, json_type_string))
        return SLICE_NONE;
    return slice_make(json_object_get_string(value), (size_t)json_object_get_string_len(value));
}

static struct json_object *member(struct json_object *claims, const char *name)
{
    struct json_object *value;
    return json_object_object_get_ex(claims, name, &value) ? value : NULL;
}

#define FOREVER_S INT64_C(253402300800) /* the year 10000; what is beyond need not fit */

/* A NumericDate may have a fraction (RFC 7519 section 2). */
static bool is_number(struct json_object *value)
{
    return json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double);
}

static const char *check_time(struct json_object *claims, int64_t now_s, int64_t *ret_until_s)
{
    struct json_object *expires = member(claims, "exp"), *begins;
    if (!is_number(expires))
        return "The token does not say until when it is valid (exp): ask for one that does.";
    double until_s = json_object_get_double(expires) + CLAIMS_LEEWAY_S;
    *ret_until_s = until_s < (double)FOREVER_S ? (int64_t)(until_s > 0 ? until_s : 0) : FOREVER_S;
    if (until_s <= (double)now_s)
        return "The token has expired: ask for a new one.";
    if (!json_object_object_get_ex(claims, "nbf", &begins))
        return NULL;
    if (!is_number(begins) || json_object_get_double(begins) - CLAIMS_LEEWAY_S > (double)now_s)
        return "The token is not valid yet (nbf).";
    return NULL;
}

/* One name, or a list of them. */
static bool names(struct json_object *audience, const char *name)
{
    if (!json_object_is_type(audience, json_type_array))
        return slice_is(text_of(audience), name);
    for (size_t i = 0; i < json_object_array_length(audience); i++) {
        if (slice_is(text_of(json_object_array_get_idx(audience, i)), name))
            return true;
    }
    return false;
}

static const char *check_parties(struct json_object *claims, const struct claims_rules *rules)
{
    if (rules->issuer[0] && !slice_is(text_of(member(claims, "iss")), rules->issuer))
        return "The token is of another issuer than this gateway takes (iss).";
    if (rules->audience[0] && !names(member(claims, "aud"), rules->audience))
        return "The token is meant for another audience (aud).";
    if (!rules->audience[0] && json_object_object_get_ex(claims, "aud", NULL))
        return "The token is meant for an audience (aud), and this gateway has no jwt-audience set: a token without one, or that "
               "setting, is needed.";
    return NULL;
}

static const char *read_subject(struct json_object *claims, struct principal *ret_principal)
{
    const struct slice prefix = SLICE(CLAIMS_PRINCIPAL_PREFIX);
    struct slice subject = text_of(member(claims, "sub"));
    if (subject.len < 1 || prefix.len + subject.len > sizeof(ret_principal->text) || !utf8_is_text(subject))
        return "The token's subject (sub) must be there, in at most 124 bytes without control characters.";
    ret_principal->type = "unknown"; /* a user's or a service's: the token does not say */
    ret_principal->len = prefix.len + subject.len;
    memcpy(ret_principal->text, prefix.p, prefix.len);
    memcpy(ret_principal->text + prefix.len, subject.p, subject.len);
    return NULL;
}
_Static_assert(ENVELOPE_AUTH_ID_MAX - (sizeof(CLAIMS_PRINCIPAL_PREFIX) - 1) == 124, "it stands in the sentence above");

bool claims_check(struct slice json, const struct claims_rules *rules, int64_t now_s, struct principal *ret_principal,
                  int64_t *ret_until_s, const char **ret_why)
{
    struct json_error error;
    struct json_object *claims = json_parse_strict(json, &error);
    *ret_why = "The token's claims are not a JSON object.";
    if (json_object_is_type(claims, json_type_object)) {
        *ret_why = check_time(claims, now_s, ret_until_s);
        if (!*ret_why)
            *ret_why = check_parties(claims, rules);
        if (!*ret_why)
            *ret_why = read_subject(claims, ret_principal);
    }
    json_object_put(claims);
    return !*ret_why;
}
