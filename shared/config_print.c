/* SPDX-License-Identifier: Apache-2.0 */
/* What --help and --check say. */
#include "config_internal.h"

#include "config_value.h"

#define MASK "***"

static const char *placeholder(enum config_type type)
{
    static const char *const words[] = {
        [CONFIG_STRING] = "TEXT", [CONFIG_SECRET] = "SECRET", [CONFIG_INT] = "NUMBER",
        [CONFIG_BOOL] = "BOOL",   [CONFIG_DURATION] = "TIME", [CONFIG_BYTES] = "SIZE",
        [CONFIG_LEVEL] = "LEVEL",
    };
    return words[type];
}

static void print_key(const struct config_key *key, FILE *out)
{
    char variable[CONFIG_NAME_MAX], allowed[CONFIG_ALLOWED_MAX];
    if (!config_env_name(key->name, variable))
        return;
    fprintf(out, "  --%s %s\n      %s\n      ", key->name, placeholder(key->type), key->help);
    if (key->type != CONFIG_STRING) {
        config_value_allowed(key, allowed);
        fprintf(out, "Allowed: %s. ", allowed);
    }
    if (!key->fallback)
        fprintf(out, "Required.");
    else if (key->type == CONFIG_SECRET && key->fallback[0])
        fprintf(out, "Default: " MASK ".");
    else
        fprintf(out, "Default: %s.", key->fallback[0] ? key->fallback : "empty");
    fprintf(out, " Variable: %s\n", variable);
}

void config_print_help(const struct config_program *program, FILE *out)
{
    fprintf(out,
            "%s: %s\n\nUsage: %s [--KEY VALUE]...\n"
            "A flag wins over its environment variable, which wins over the default.\n\n",
            program->name, program->summary, program->name);
    for (const struct config_key *const *table = program->tables; *table; table++) {
        for (const struct config_key *key = *table; key->name; key++)
            print_key(key, out);
    }
    fputs("  --kafka.NAME VALUE\n"
          "      Sets librdkafka's property NAME, such as --kafka.security.protocol ssl, over our own "
          "choice. @/path reads the\n"
          "      value from a file. Variable: " CONFIG_ENV_PREFIX "KAFKA_NAME, with _ for each dot:\n"
          "      " CONFIG_ENV_PREFIX "KAFKA_SECURITY_PROTOCOL=ssl\n"
          "  --check\n"
          "      Checks the settings, prints those in force (secrets masked), and ends.\n"
          "  --help, -h\n"
          "      Prints this and ends.\n"
          "  --version\n"
          "      Prints the version and ends.\n",
          out);
}

/* A value stays on its line. */
static void print_line(FILE *out, const char *prefix, const char *name, const char *value)
{
    fprintf(out, "%s%s=", prefix, name);
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\x%02x", c);
        else
            fputc(c, out);
    }
    fputc('\n', out);
}

void config_print_settings(const struct config *config, FILE *out)
{
    for (size_t i = 0; i < config->count; i++) {
        const struct config_setting *setting = &config->settings[i];
        bool masked = setting->key->type == CONFIG_SECRET && setting->text[0];
        print_line(out, "", setting->key->name, masked ? MASK : setting->text);
    }
    for (size_t i = 0; i < config->kafka_count; i++) {
        const struct config_property *property = &config->kafka[i];
        bool masked = config_is_secret_property(property->name);
        print_line(out, "kafka.", property->name, masked ? MASK : property->value);
    }
}
