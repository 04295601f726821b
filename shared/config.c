/* SPDX-License-Identifier: Apache-2.0 */
/* The settings in memory, and reading them by name. */
#include "config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"

static size_t count_keys(const struct config_program *program)
{
    size_t count = 0;
    for (const struct config_key *const *table = program->tables; *table; table++) {
        for (const struct config_key *key = *table; key->name; key++)
            count++;
    }
    return count;
}

struct config_setting *config_find(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->count; i++) {
        if (strcmp(config->settings[i].key->name, name) == 0)
            return &config->settings[i];
    }
    return NULL;
}

struct config *config_new(const struct config_program *program)
{
    struct config *config = calloc(1, sizeof(*config));
    if (!config)
        return NULL;
    config->program = program;
    config->settings = calloc(count_keys(program) + 1, sizeof(*config->settings));
    if (!config->settings) {
        free(config);
        return NULL;
    }
    for (const struct config_key *const *table = program->tables; *table; table++) {
        for (const struct config_key *key = *table; key->name; key++) {
            assert(!config_find(config, key->name));
            config->settings[config->count++].key = key;
        }
    }
    return config;
}

static void property_done(struct config_property *property)
{
    free((void *)property->name);
    free((void *)property->value);
}

void config_free(struct config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->count; i++)
        free((void *)config->settings[i].text);
    for (size_t i = 0; i < config->kafka_count; i++)
        property_done(&config->kafka[i]);
    free(config->settings);
    free(config->kafka);
    free(config);
}

struct config_property *config_property_slot(struct config *config, const char *name)
{
    for (size_t i = 0; i < config->kafka_count; i++) {
        if (strcmp(config->kafka[i].name, name) == 0)
            return &config->kafka[i];
    }
    struct config_property *list = realloc(config->kafka, (config->kafka_count + 1) * sizeof(*list));
    if (!list)
        return NULL;
    config->kafka = list;
    struct config_property *slot = &list[config->kafka_count];
    *slot = (struct config_property){.name = strdup(name)};
    if (!slot->name)
        return NULL;
    config->kafka_count++;
    return slot;
}

static const struct config_setting *must_find(const struct config *config, const char *name)
{
    const struct config_setting *setting = config_find(config, name);
    assert(setting && "a key that is in no table");
    return setting;
}

const char *config_program_name(const struct config *config)
{
    return config->program->name;
}

const char *config_string(const struct config *config, const char *name)
{
    return must_find(config, name)->text;
}

int64_t config_int(const struct config *config, const char *name)
{
    return must_find(config, name)->number;
}

bool config_bool(const struct config *config, const char *name)
{
    return must_find(config, name)->number != 0;
}

const struct config_property *config_kafka(const struct config *config, size_t *ret_count)
{
    *ret_count = config->kafka_count;
    return config->kafka;
}
