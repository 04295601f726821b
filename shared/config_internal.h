/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the config*.c files: the settings in memory, for loading and for printing. */
#ifndef ROUNDTRIP_CONFIG_INTERNAL_H
#define ROUNDTRIP_CONFIG_INTERNAL_H

#include "config.h"

enum config_source { CONFIG_FROM_DEFAULT, CONFIG_FROM_VARIABLE, CONFIG_FROM_FLAG };

struct config_setting {
    const struct config_key *key;
    const char *text; /* owned; NULL until it has a value */
    int64_t number;
    enum config_source source;
};

struct config {
    const struct config_program *program;
    struct config_setting *settings;
    size_t count;
    struct config_property *kafka; /* its strings are owned */
    size_t kafka_count;
};

/** A row for each key of the program, none with a value yet; NULL when memory is out. Free with
 * config_free(). */
struct config *config_new(const struct config_program *program) __attribute__((warn_unused_result));
/** The row of that name, or NULL. */
struct config_setting *config_find(const struct config *config, const char *name);
/** The property of that name, a new one with value NULL when there was none; NULL when memory is out. */
struct config_property *config_property_slot(struct config *config, const char *name)
    __attribute__((warn_unused_result));

void config_print_help(const struct config_program *program, FILE *out);
/** One `key=value` line for each setting in force, secrets masked. */
void config_print_settings(const struct config *config, FILE *out);

#endif
