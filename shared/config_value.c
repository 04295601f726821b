/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the text of settings: numbers with units, switches, levels, names, files. */
#include "config_value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

struct unit {
    const char *suffix;
    int64_t factor;
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};
static const struct unit duration_units[] = {{"", 1},      {"ms", 1},      {"s", 1000},
                                             {"m", 60000}, {"h", 3600000}, {NULL, 0}};
static const struct unit byte_units[] = {
    {"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};

/* "-12ms": a whole number and one of the units, nothing else. */
static bool parse_number(const char *text, const struct unit *units, int64_t *ret_number)
{
    char *end;
    if (text[0] != '-' && (text[0] < '0' || text[0] > '9'))
        return false; /* strtoll would take spaces and a plus */
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno || end == text || end[-1] < '0' || end[-1] > '9')
        return false;
    for (; units->suffix; units++) {
        if (strcmp(end, units->suffix) == 0)
            return !__builtin_mul_overflow((int64_t)number, units->factor, ret_number);
    }
    return false;
}

static bool parse_bool(const char *text, int64_t *ret_number)
{
    static const char *const words[][2] = {{"false", "true"}, {"no", "yes"}, {"off", "on"}, {"0", "1"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        for (int value = 0; value < 2; value++) {
            if (strcmp(text, words[i][value]) == 0) {
                *ret_number = value;
                return true;
            }
        }
    }
    return false;
}

static bool parse_level(const char *text, int64_t *ret_number)
{
    enum log_level level;
    if (!log_level_parse(text, &level))
        return false;
    *ret_number = (int64_t)level;
    return true;
}

static bool is_bounded(const struct config_key *key)
{
    return key->min != 0 || key->max != 0;
}

static bool parse_bounded(const struct config_key *key, const char *text, const struct unit *units,
                          int64_t *ret_number)
{
    int64_t number;
    if (!parse_number(text, units, &number))
        return false;
    if (is_bounded(key) && (number < key->min || number > key->max))
        return false;
    *ret_number = number;
    return true;
}

bool config_value_parse(const struct config_key *key, const char *text, int64_t *ret_number)
{
    switch (key->type) {
    case CONFIG_INT:
        return parse_bounded(key, text, no_units, ret_number);
    case CONFIG_DURATION:
        return parse_bounded(key, text, duration_units, ret_number);
    case CONFIG_BYTES:
        return parse_bounded(key, text, byte_units, ret_number);
    case CONFIG_BOOL:
        return parse_bool(text, ret_number);
    case CONFIG_LEVEL:
        return parse_level(text, ret_number);
    case CONFIG_STRING:
    case CONFIG_SECRET:
        *ret_number = 0;
        return true;
    }
    return false;
}

/* The number in the biggest unit that leaves no rest. */
static void describe_number(int64_t number, const struct unit *units, char *ret_text, size_t size)
{
    const struct unit *best = units;
    for (; units->suffix; units++) {
        if (number != 0 && number % units->factor == 0)
            best = units;
    }
    snprintf(ret_text, size, "%" PRId64 "%s", number / best->factor, best->suffix);
}

static void describe_bounds(const struct config_key *key, const char *what, const struct unit *units,
                            char *ret_text)
{
    char min[32], max[32];
    if (!is_bounded(key)) {
        snprintf(ret_text, CONFIG_ALLOWED_MAX, "%s", what);
        return;
    }
    describe_number(key->min, units, min, sizeof(min));
    describe_number(key->max, units, max, sizeof(max));
    snprintf(ret_text, CONFIG_ALLOWED_MAX, "%s, from %s to %s", what, min, max);
}

void config_value_allowed(const struct config_key *key, char ret_text[CONFIG_ALLOWED_MAX])
{
    switch (key->type) {
    case CONFIG_INT:
        describe_bounds(key, "a whole number", no_units, ret_text);
        return;
    case CONFIG_DURATION:
        describe_bounds(key, "a time such as 250ms, 5s, 10m or 24h (a bare number is ms)", duration_units,
                        ret_text);
        return;
    case CONFIG_BYTES:
        describe_bounds(key, "a size such as 65536, 64KiB or 1MiB", byte_units, ret_text);
        return;
    case CONFIG_BOOL:
        snprintf(ret_text, CONFIG_ALLOWED_MAX, "true or false");
        return;
    case CONFIG_LEVEL:
        snprintf(ret_text, CONFIG_ALLOWED_MAX, "error, warn, info or debug");
        return;
    case CONFIG_STRING:
        snprintf(ret_text, CONFIG_ALLOWED_MAX, "text");
        return;
    case CONFIG_SECRET:
        snprintf(ret_text, CONFIG_ALLOWED_MAX, "text, or @path to read it from a file");
        return;
    }
}

static char to_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c == '-' ? '_' : c;
}

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c == '_' ? '.' : c;
}

/* Writes prefix and the mapped characters of `rest`. */
static bool map_name(const char *prefix, const char *rest, char (*map)(char), char ret_name[CONFIG_NAME_MAX])
{
    size_t at = strlen(prefix), len = strlen(rest);
    if (len >= CONFIG_NAME_MAX - at)
        return false;
    memcpy(ret_name, prefix, at);
    for (size_t i = 0; i < len; i++)
        ret_name[at + i] = map(rest[i]);
    ret_name[at + len] = '\0';
    return true;
}

bool config_env_name(const char *key_name, char ret_name[CONFIG_NAME_MAX])
{
    return map_name(CONFIG_ENV_PREFIX, key_name, to_upper, ret_name);
}

bool config_kafka_name(const char *env_rest, char ret_name[CONFIG_NAME_MAX])
{
    return map_name("", env_rest, to_lower, ret_name);
}

size_t config_name_distance(const char *a, const char *b)
{
    size_t row[CONFIG_NAME_MAX];
    size_t a_len = strlen(a), b_len = strlen(b);
    if (a_len >= CONFIG_NAME_MAX || b_len >= CONFIG_NAME_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b_len];
}

bool config_is_secret_property(const char *name)
{
    static const char *const marks[] = {"pass", "secret", "key", "oauthbearer.config"};
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (strstr(name, marks[i]))
            return true;
    }
    return false;
}

static int read_all(FILE *file, char *text, size_t *ret_len)
{
    *ret_len = fread(text, 1, CONFIG_FILE_MAX + 1, file);
    if (ferror(file))
        return -EIO;
    if (*ret_len > CONFIG_FILE_MAX)
        return -EFBIG;
    return memchr(text, '\0', *ret_len) ? -EINVAL : 0;
}

int config_read_file(const char *path, char **ret_text)
{
    size_t len;
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    char *text = malloc(CONFIG_FILE_MAX + 2);
    int err = text ? read_all(file, text, &len) : -ENOMEM;
    fclose(file);
    if (err) {
        free(text);
        return err;
    }
    if (len > 0 && text[len - 1] == '\n')
        len--;
    if (len > 0 && text[len - 1] == '\r')
        len--;
    text[len] = '\0';
    *ret_text = text;
    return 0;
}
