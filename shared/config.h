/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of a program from one table: flags win over the environment, which wins over the default.
 *
 * A key `http-port` is `--http-port 8080` or `--http-port=8080`, and ROUNDTRIP_HTTP_PORT in the environment.
 * Any librdkafka property is `--kafka.NAME VALUE`, or ROUNDTRIP_KAFKA_NAME with dots as underscores
 * (ROUNDTRIP_KAFKA_LINGER_MS). A SECRET's value that starts with `@` (`@path`), and any kafka.* value written
 * `@/path`, is read from that file, its last newline left out. An empty environment variable is one that is
 * not set; of a flag given twice the last counts.
 * --help prints the table, --check validates and prints the settings in force (secrets masked), --version the
 * version.
 */
#ifndef ROUNDTRIP_CONFIG_H
#define ROUNDTRIP_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum config_type {
    CONFIG_STRING,
    CONFIG_SECRET,   /* a string, masked when printed; "@/path" reads a file */
    CONFIG_INT,      /* min..max */
    CONFIG_BOOL,     /* true/false, yes/no, on/off, 1/0; a flag alone is true */
    CONFIG_DURATION, /* "250ms", "5s", "10m", "24h"; a bare number is ms; stored in ms; min..max in ms */
    CONFIG_BYTES,    /* "65536", "64KiB", "1MiB"; stored in bytes; min..max in bytes */
    CONFIG_LEVEL,    /* "error", "warn", "info", "debug"; stored as enum log_level */
};

struct config_key {
    const char *name;
    enum config_type type;
    const char *fallback; /* the default, as text; NULL: required */
    int64_t min, max;     /* numbers only; both 0: no bound */
    const char *help;
};

/** A property passed through to librdkafka, without the "kafka." prefix. */
struct config_property {
    const char *name, *value;
};

struct config;

enum config_verdict {
    CONFIG_RUN,   /* go on */
    CONFIG_EXIT,  /* --help, --version or --check was asked and answered: exit 0 */
    CONFIG_WRONG, /* said on `err` what is wrong and how to mend it: exit 2 */
};

/** What a program is, for --help. The tables come one after another, each ended by a row whose name is NULL. */
struct config_program {
    const char *name, *summary;
    const struct config_key *const *tables; /* ended by NULL */
};

/**
 * Reads flags and environment (`environ`-shaped). `*ret_config` is set for CONFIG_RUN only; it borrows `program`, so free it
 * with config_free() before that ends.
 */
enum config_verdict config_load(const struct config_program *program, int argc, char **argv,
                                char **environment, FILE *out, FILE *err, struct config **ret_config)
    __attribute__((warn_unused_result));
void config_free(struct config *config);

/** As given to config_load(). */
const char *config_program_name(const struct config *config);
/** A key that is in no table is a bug of ours: assert. Strings live as long as the config. */
const char *config_string(const struct config *config, const char *name);
/** Numbers, durations (ms), sizes (bytes) and levels (enum log_level). */
int64_t config_int(const struct config *config, const char *name);
bool config_bool(const struct config *config, const char *name);
/** The kafka.* properties given, in order. */
const struct config_property *config_kafka(const struct config *config, size_t *ret_count);

#endif
