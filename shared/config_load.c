/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading settings: environment first, then flags over them, then defaults for what is left. Values are
 * looked at last, when it is known which of them count, and every mistake is said, not only the first.
 */
#include "config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"
#include "config_value.h"

#define KAFKA_FLAG "kafka."
#define KAFKA_ENV  CONFIG_ENV_PREFIX "KAFKA_"

/* One run of config_load(). */
struct load {
    struct config *config;
    FILE *err;
    bool wrong;
};

static void complain(struct load *load, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void complain(struct load *load, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(load->err, "%s: ", load->config->program->name);
    vfprintf(load->err, format, args);
    fputc('\n', load->err);
    va_end(args);
    load->wrong = true;
}

/* ---- taking values: the later one wins ---- */

static void set_text(struct load *load, const char **text, const char *value)
{
    char *copy = strdup(value);
    if (!copy) {
        complain(load, "out of memory");
        return;
    }
    free((void *)*text);
    *text = copy;
}

static void set_key(struct load *load, struct config_setting *setting, enum config_source source,
                    const char *value)
{
    set_text(load, &setting->text, value);
    setting->source = source;
}

static void set_property(struct load *load, const char *name, const char *value)
{
    struct config_property *property = config_property_slot(load->config, name);
    if (property)
        set_text(load, &property->value, value);
    else
        complain(load, "out of memory");
}

/* ---- the environment ---- */

static void read_key_variable(struct load *load, struct config_setting *setting, char **environment)
{
    char name[CONFIG_NAME_MAX];
    if (!config_env_name(setting->key->name, name))
        return;
    size_t len = strlen(name);
    for (; *environment; environment++) {
        if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=' && (*environment)[len + 1])
            set_key(load, setting, CONFIG_FROM_VARIABLE, *environment + len + 1);
    }
}

/* ROUNDTRIP_KAFKA_LINGER_MS=5, unless a key of the table has that name. */
static void read_kafka_variable(struct load *load, const char *variable)
{
    char source[CONFIG_NAME_MAX], name[CONFIG_NAME_MAX], own[CONFIG_NAME_MAX];
    const char *equals = strchr(variable, '=');
    if (strncmp(variable, KAFKA_ENV, strlen(KAFKA_ENV)) != 0 || !equals || !equals[1])
        return;
    size_t len = (size_t)(equals - variable);
    if (len >= sizeof(source)) {
        complain(load, "%.*s: the name is too long for a property", (int)len, variable);
        return;
    }
    memcpy(source, variable, len);
    source[len] = '\0';
    for (size_t i = 0; i < load->config->count; i++) {
        if (config_env_name(load->config->settings[i].key->name, own) && strcmp(own, source) == 0)
            return;
    }
    if (len > strlen(KAFKA_ENV) && config_kafka_name(source + strlen(KAFKA_ENV), name))
        set_property(load, name, equals + 1);
}

static void read_environment(struct load *load, char **environment)
{
    if (!environment)
        return;
    for (size_t i = 0; i < load->config->count; i++)
        read_key_variable(load, &load->config->settings[i], environment);
    for (; *environment; environment++)
        read_kafka_variable(load, *environment);
}

/* ---- flags ---- */

/* A flag taken apart. */
struct flag {
    char source[CONFIG_NAME_MAX + 2]; /* "--http-port" */
    const char *name, *value;         /* name is within source; value NULL: none given */
};

/* --name=value, or --name value where the next argument is no flag. Arguments used, 0 when it is no flag of
 * ours. */
static int take_flag(struct load *load, char **args, struct flag *ret_flag)
{
    if (strncmp(args[0], "--", 2) != 0 || strcmp(args[0], "--") == 0) {
        complain(load, "unexpected argument \"%s\"; settings are given as --KEY VALUE", args[0]);
        return 0;
    }
    size_t len = strcspn(args[0], "=");
    if (len >= sizeof(ret_flag->source)) {
        complain(load, "there is no flag %.*s", (int)len, args[0]);
        return 0;
    }
    memcpy(ret_flag->source, args[0], len);
    ret_flag->source[len] = '\0';
    ret_flag->name = ret_flag->source + 2;
    ret_flag->value = args[0][len] == '=' ? args[0] + len + 1 : NULL;
    if (ret_flag->value || !args[1] || strncmp(args[1], "--", 2) == 0)
        return 1;
    ret_flag->value = args[1];
    return 2;
}

static void complain_unknown(struct load *load, const struct flag *flag)
{
    static const char *const others[] = {"help", "check", "version"};
    const char *nearest = NULL;
    size_t best = strlen(flag->name) / 3 + 2; /* further away it is no slip of the finger */
    for (size_t i = 0; i < load->config->count + 3; i++) {
        const char *name = i < 3 ? others[i] : load->config->settings[i - 3].key->name;
        size_t distance = config_name_distance(flag->name, name);
        if (distance < best) {
            best = distance;
            nearest = name;
        }
    }
    if (nearest)
        complain(load, "there is no flag %s; did you mean --%s?", flag->source, nearest);
    else
        complain(load, "there is no flag %s", flag->source);
}

static void apply_flag(struct load *load, const struct flag *flag)
{
    size_t prefix = strlen(KAFKA_FLAG);
    struct config_setting *setting = config_find(load->config, flag->name);
    bool property = strncmp(flag->name, KAFKA_FLAG, prefix) == 0 && flag->name[prefix];
    const char *value = flag->value;
    if (!setting && !property) {
        complain_unknown(load, flag);
        return;
    }
    if (!value && setting && setting->key->type == CONFIG_BOOL)
        value = "true";
    if (!value)
        complain(load, "%s needs a value: %s VALUE, or %s=VALUE where it starts with --", flag->source,
                 flag->source, flag->source);
    else if (setting)
        set_key(load, setting, CONFIG_FROM_FLAG, value);
    else
        set_property(load, flag->name + prefix, value);
}

static void read_flags(struct load *load, int argc, char **argv)
{
    for (int i = 1, used; i < argc; i += used) {
        struct flag flag;
        used = 1;
        if (strcmp(argv[i], "--check") == 0)
            continue;
        used = take_flag(load, argv + i, &flag);
        if (used == 0)
            used = 1;
        else
            apply_flag(load, &flag);
    }
}

/* ---- looking at what was given ---- */

/* Puts what the file holds in the place of its name. `name` is the setting's, for the message. */
static void load_file(struct load *load, const char *name, const char **text)
{
    char *content;
    const char *path = *text + 1; /* behind the @ */
    int err = config_read_file(path, &content);
    if (err) {
        complain(load, "%s: cannot read %s: %s; name a readable text file of at most 64 KiB", name, path,
                 strerror(-err));
        return;
    }
    free((void *)*text);
    *text = content;
}

/* "flag --http-port", "variable ROUNDTRIP_HTTP_PORT". */
static void name_source(const struct config_setting *setting, char *ret_text, size_t size)
{
    char variable[CONFIG_NAME_MAX];
    if (setting->source == CONFIG_FROM_FLAG)
        snprintf(ret_text, size, "flag --%s", setting->key->name);
    else if (setting->source == CONFIG_FROM_VARIABLE && config_env_name(setting->key->name, variable))
        snprintf(ret_text, size, "variable %s", variable);
    else
        snprintf(ret_text, size, "default");
}

static void settle_key(struct load *load, struct config_setting *setting)
{
    const struct config_key *key = setting->key;
    char source[CONFIG_NAME_MAX + 16], allowed[CONFIG_ALLOWED_MAX], variable[CONFIG_NAME_MAX];
    if (!setting->text && key->fallback)
        set_key(load, setting, CONFIG_FROM_DEFAULT, key->fallback);
    if (!setting->text) {
        if (!key->fallback && config_env_name(key->name, variable))
            complain(load, "%s is not set; give --%s VALUE or %s", key->name, key->name, variable);
        return;
    }
    if (key->type == CONFIG_SECRET && setting->text[0] == '@')
        load_file(load, key->name, &setting->text);
    if (!config_value_parse(key, setting->text, &setting->number)) {
        name_source(setting, source, sizeof(source));
        config_value_allowed(key, allowed);
        complain(load, "%s cannot be \"%s\" (%s); it must be %s", key->name, setting->text, source, allowed);
    }
}

static void settle_property(struct load *load, struct config_property *property)
{
    char name[CONFIG_NAME_MAX + 8];
    if (!property->value || strncmp(property->value, "@/", 2) != 0)
        return;
    snprintf(name, sizeof(name), KAFKA_FLAG "%s", property->name);
    load_file(load, name, &property->value);
}

/* ---- the whole ---- */

static bool has_flag(int argc, char **argv, const char *flag)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], flag) == 0)
            return true;
    }
    return false;
}

enum config_verdict config_load(const struct config_program *program, int argc, char **argv,
                                char **environment, FILE *out, FILE *err, struct config **ret_config)
{
    if (has_flag(argc, argv, "--help") || has_flag(argc, argv, "-h")) {
        config_print_help(program, out);
        return CONFIG_EXIT;
    }
    if (has_flag(argc, argv, "--version")) {
        fprintf(out, "%s %s\n", program->name, ROUNDTRIP_VERSION);
        return CONFIG_EXIT;
    }
    struct load load = {.config = config_new(program), .err = err};
    if (!load.config) {
        fprintf(err, "%s: out of memory\n", program->name);
        return CONFIG_WRONG;
    }
    read_environment(&load, environment);
    read_flags(&load, argc, argv);
    for (size_t i = 0; i < load.config->count; i++)
        settle_key(&load, &load.config->settings[i]);
    for (size_t i = 0; i < load.config->kafka_count; i++)
        settle_property(&load, &load.config->kafka[i]);
    enum config_verdict verdict = CONFIG_RUN;
    if (load.wrong) {
        fprintf(err, "%s --help lists the settings\n", program->name);
        verdict = CONFIG_WRONG;
    } else if (has_flag(argc, argv, "--check")) {
        config_print_settings(load.config, out);
        verdict = CONFIG_EXIT;
    }
    if (verdict == CONFIG_RUN)
        *ret_config = load.config;
    else
        config_free(load.config);
    return verdict;
}
