/* SPDX-License-Identifier: Apache-2.0 */
/* Which lines are written, and what all of them carry. */
#include "log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "log_format.h"

#define LINE_MAX_BYTES 4096
#define REPEATS        100 /* log_set_repeats() */
#define PLACES_MAX     64  /* that have lines to tell of at one time; others tell with their next one */
#define GENERATION_BIT 8

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* Fixed after the start. */
static const char *log_service = "-", *log_instance = "";
static enum log_style log_style = LOG_STYLE_LOGFMT;
static int log_repeats = REPEATS;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* guarded by lock */
static struct log_levels levels = {.level = LOG_LEVEL_INFO};
static bool everything; /* log_toggle_debug() */

static _Atomic int highest = LOG_LEVEL_INFO; /* of all levels */
static _Atomic uint64_t generation = 1;      /* of `levels` */
static _Atomic uint64_t written[LOG_LEVEL_DEBUG + 1], all_left_out;
static _Atomic(struct log_site *) places[PLACES_MAX]; /* that have left lines out */
static _Atomic int64_t told_second;

#define TRACE_ID_AT  3 /* 00-<32 hex>-<16 hex>-01 */
#define TRACE_ID_LEN 32
static _Thread_local struct {
    size_t id_len, trace_len;
    char id[LOG_ID_SIZE], trace[TRACE_ID_LEN];
} about;

/* ---- settings ---- */

void log_init(const char *service, enum log_level level)
{
    const struct log_levels set = {.level = level};
    log_service = service;
    log_set_levels(&set);
}

void log_set_style(enum log_style style, const char *instance)
{
    log_style = style;
    log_instance = instance;
}

void log_set_repeats(int lines)
{
    log_repeats = lines;
}

bool log_level_parse(const char *text, enum log_level *ret_level)
{
    for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

/* With `lock` held: sites look up their level anew. */
static void levels_changed(void)
{
    int most = everything ? LOG_LEVEL_DEBUG : (int)levels.level;
    for (size_t i = 0; i < levels.count; i++)
        most = (int)levels.modules[i].level > most ? (int)levels.modules[i].level : most;
    atomic_fetch_add(&generation, 1);
    atomic_store(&highest, most);
}

void log_get_levels(struct log_levels *ret_levels)
{
    pthread_mutex_lock(&lock);
    *ret_levels = levels;
    pthread_mutex_unlock(&lock);
}

void log_set_levels(const struct log_levels *set)
{
    pthread_mutex_lock(&lock);
    levels = *set;
    everything = false;
    levels_changed();
    pthread_mutex_unlock(&lock);
}

void log_toggle_debug(void)
{
    pthread_mutex_lock(&lock);
    everything = !everything;
    levels_changed();
    pthread_mutex_unlock(&lock);
}

/* ---- which ---- */

/* With `lock` held: the longest name that is the module's or its folder's decides. */
static int level_of_module(const char *module)
{
    size_t best = 0;
    int level = (int)levels.level;
    for (size_t i = 0; i < levels.count; i++) {
        size_t len = strlen(levels.modules[i].name);
        if (len <= best || strncmp(module, levels.modules[i].name, len) != 0 || (module[len] != '\0' && module[len] != '/'))
            continue;
        best = len;
        level = (int)levels.modules[i].level;
    }
    return everything ? LOG_LEVEL_DEBUG : level;
}

static bool site_enabled(struct log_site *site, enum log_level level)
{
    uint64_t now = atomic_load_explicit(&generation, memory_order_relaxed);
    uint64_t cached = atomic_load_explicit(&site->cached, memory_order_relaxed);
    if (cached >> GENERATION_BIT != now) {
        char module[LOG_MODULE_SIZE];
        log_module_of(site->file, module);
        pthread_mutex_lock(&lock);
        now = atomic_load(&generation);
        cached = now << GENERATION_BIT | (uint64_t)(level_of_module(module) + 1);
        pthread_mutex_unlock(&lock);
        atomic_store_explicit(&site->cached, cached, memory_order_relaxed);
    }
    return (int)level < (int)(cached & ((1U << GENERATION_BIT) - 1));
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&highest, memory_order_relaxed);
}

static void remember(struct log_site *site)
{
    for (size_t i = 0; i < PLACES_MAX; i++) {
        struct log_site *none = NULL;
        if (atomic_load(&places[i]) == site || atomic_compare_exchange_strong(&places[i], &none, site))
            return;
    }
}

/* Is it one too many? Counts it then. Threads that begin a second together may let a few more through. */
static bool too_many(struct log_site *site, enum log_level level, int64_t second)
{
    if (log_repeats == 0 || level == LOG_LEVEL_DEBUG)
        return false;
    if (atomic_exchange_explicit(&site->second, second, memory_order_relaxed) != second)
        atomic_store_explicit(&site->lines, 0, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&site->lines, 1, memory_order_relaxed) < log_repeats)
        return false;
    atomic_fetch_add(&all_left_out, 1);
    if (atomic_fetch_add(&site->left_out, 1) == 0)
        remember(site);
    return true;
}

/* ---- writing ---- */

void log_about(struct slice id, struct slice traceparent)
{
    about.id_len = id.len < sizeof(about.id) ? id.len : sizeof(about.id);
    if (about.id_len)
        memcpy(about.id, id.p, about.id_len);
    about.trace_len = traceparent.len >= TRACE_ID_AT + TRACE_ID_LEN ? TRACE_ID_LEN : 0;
    if (about.trace_len)
        memcpy(about.trace, traceparent.p + TRACE_ID_AT, TRACE_ID_LEN);
}

void log_about_nothing(void)
{
    about.id_len = about.trace_len = 0;
}

uint64_t log_written(enum log_level level)
{
    return atomic_load_explicit(&written[level], memory_order_relaxed);
}

uint64_t log_left_out(void)
{
    return atomic_load_explicit(&all_left_out, memory_order_relaxed);
}

static void begin(struct log_text *text, char *line, const struct log_site *site, enum log_level level, const char *msg,
                  const char *format)
{
    char now[CLOCK_RFC3339_SIZE], module[LOG_MODULE_SIZE];
    clock_format_rfc3339(clock_wall_ms(), now);
    log_module_of(site->file, module);
    log_text_begin(text, log_style, line, LINE_MAX_BYTES);
    log_text_pair(text, "ts", slice_of(now), false);
    log_text_pair(text, "level", slice_of(level_names[level]), false);
    log_text_pair(text, "service", slice_of(log_service), false);
    if (*log_instance && !log_format_has(format, "instance"))
        log_text_pair(text, "instance", slice_of(log_instance), false);
    log_text_pair(text, "module", slice_of(module), false);
    log_text_pair(text, "msg", slice_of(msg), true);
}

static void end(struct log_text *text, enum log_level level)
{
    ssize_t n = write(STDERR_FILENO, text->data, log_text_end(text));
    (void)n; /* nowhere left to say so */
    atomic_fetch_add_explicit(&written[level], 1, memory_order_relaxed);
}

/* Places that have fallen silent: what they left out is told by the next line of any other. */
static void tell_left_out(int64_t second)
{
    if (atomic_exchange(&told_second, second) == second)
        return;
    for (size_t i = 0; i < PLACES_MAX; i++) {
        char line[LINE_MAX_BYTES];
        struct log_text text;
        struct log_site *site = atomic_load(&places[i]);
        if (!site || atomic_load(&site->second) == second)
            continue;
        atomic_store(&places[i], NULL);
        uint64_t count = atomic_exchange(&site->left_out, 0);
        if (count == 0)
            continue;
        begin(&text, line, site, LOG_LEVEL_WARN, "lines were left out: one place said too many at a time (setting log-repeats)", "");
        log_text_number(&text, "left_out", count);
        end(&text, LOG_LEVEL_WARN);
    }
}

void log_line(struct log_site *site, enum log_level level, const char *msg, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    struct log_text text;
    int64_t second = clock_mono_ns() / INT64_C(1000000000);
    if (!site_enabled(site, level) || too_many(site, level, second))
        return;
    begin(&text, line, site, level, msg, format);
    va_list args;
    va_start(args, format);
    log_text_pairs(&text, format, args);
    va_end(args);
    if (about.id_len && !log_format_has(format, "id"))
        log_text_pair(&text, "id", slice_make(about.id, about.id_len), false);
    if (about.trace_len && !log_format_has(format, "trace_id"))
        log_text_pair(&text, "trace_id", slice_make(about.trace, about.trace_len), false);
    uint64_t left_out = atomic_load_explicit(&site->left_out, memory_order_relaxed) ? atomic_exchange(&site->left_out, 0) : 0;
    if (left_out)
        log_text_number(&text, "left_out", left_out);
    end(&text, level);
    tell_left_out(second);
}
