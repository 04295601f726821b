/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the config*.c files: what the text of a setting means, without knowing where it came from. */
#ifndef ROUNDTRIP_CONFIG_VALUE_H
#define ROUNDTRIP_CONFIG_VALUE_H

#include "config.h"

#define CONFIG_NAME_MAX                                                                                      \
    96 /* bytes of a key's name, its variable's name and a kafka property's name, NUL included */
#define CONFIG_ALLOWED_MAX 160
#define CONFIG_FILE_MAX    (64 * 1024)
#define CONFIG_ENV_PREFIX  "ROUNDTRIP_"

/** The number `text` stands for (0 for strings). False when it is not of the key's type or not within its
 * bounds. */
bool config_value_parse(const struct config_key *key, const char *text, int64_t *ret_number)
    __attribute__((warn_unused_result));
/** What the key allows, as the end of a sentence: "a whole number from 0 to 65535". */
void config_value_allowed(const struct config_key *key, char ret_text[CONFIG_ALLOWED_MAX]);
/** "http-port" to "ROUNDTRIP_HTTP_PORT". False when it does not fit. */
bool config_env_name(const char *key_name, char ret_name[CONFIG_NAME_MAX])
    __attribute__((warn_unused_result));
/** "LINGER_MS" to "linger.ms". False when it does not fit. */
bool config_kafka_name(const char *env_rest, char ret_name[CONFIG_NAME_MAX])
    __attribute__((warn_unused_result));
/** How many single-character changes lie between two names (Levenshtein); SIZE_MAX for names that are too
 * long. */
size_t config_name_distance(const char *a, const char *b);
/** True when the value of a kafka.* property must not be shown. */
bool config_is_secret_property(const char *name);
/** The file's text without its last newline, owned by the caller. 0, or -errno (-EFBIG, -EINVAL: it holds a
 * NUL). */
int config_read_file(const char *path, char **ret_text) __attribute__((warn_unused_result));

#endif
