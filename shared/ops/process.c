/* SPDX-License-Identifier: Apache-2.0 */
/* Reading /proc/self; see proc(5). */
#include "ops/process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bus/statistics.h"
#include "log.h"
#include "trace/trace.h"

static const struct metrics_family build = {
    "roundtrip_build_info", METRICS_GAUGE, "Always 1; its labels say what runs here.",
    {"service_name", "service_instance_id", "service_version", "librdkafka_version"}};
static const struct metrics_family cpu = {"process_cpu_seconds", METRICS_COUNTER, "CPU time used, user and system.", {NULL}};
static const struct metrics_family resident = {"process_resident_memory_bytes", METRICS_GAUGE, "Memory that is in RAM.", {NULL}};
static const struct metrics_family virtual_memory = {"process_virtual_memory_bytes", METRICS_GAUGE, "Address space in use.", {NULL}};
static const struct metrics_family open_fds = {"process_open_fds", METRICS_GAUGE, "Open file descriptors.", {NULL}};
static const struct metrics_family max_fds = {"process_max_fds", METRICS_GAUGE, "How many it may open.", {NULL}};
static const struct metrics_family threads = {"process_threads", METRICS_GAUGE, "Threads, librdkafka's too.", {NULL}};
static const struct metrics_family started = {"process_start_time_seconds", METRICS_GAUGE, "When it was started, since the epoch.", {NULL}};
static const struct metrics_family lines = {"roundtrip_log_lines", METRICS_COUNTER, "Lines written to the log.", {"level"}};
static const struct metrics_family left_out = {
    "roundtrip_log_lines_left_out", METRICS_COUNTER, "Lines not written because one place of the program said too many at a time.", {NULL}};

static const struct metrics_family spans = {"roundtrip_trace_spans", METRICS_COUNTER, "Spans of traces, by what became of them.", {"result"}};

void process_read(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(text, 1, size - 1, file) : 0;
    text[n] = '\0';
    if (file)
        fclose(file);
}

/* The i-th field of /proc/self/stat; the first two, of which one may have spaces, are 1 and 2. */
static double stat_field(const char *stat, int i)
{
    const char *at = strrchr(stat, ')');
    for (int field = 2; at && field < i; field++)
        at = strchr(at + 1, ' ');
    return at ? strtod(at + 1, NULL) : 0;
}

static double boot_seconds(void)
{
    char line[256];
    double seconds = 0;
    FILE *file = fopen("/proc/stat", "re");
    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, "btime ", 6) == 0)
            seconds = strtod(line + 6, NULL);
    }
    if (file)
        fclose(file);
    return seconds;
}

static int count_descriptors(void)
{
    int count = -1; /* the one that reads them */
    DIR *dir = opendir("/proc/self/fd");
    for (const struct dirent *entry; dir && (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return count > 0 ? count : 0;
}

static void write_memory(struct metrics_page *page)
{
    char statm[128], *rest;
    process_read("/proc/self/statm", statm, sizeof(statm));
    double page_size = (double)sysconf(_SC_PAGESIZE), all = strtod(statm, &rest);
    metrics_single(page, &virtual_memory, all * page_size);
    metrics_single(page, &resident, strtod(rest, NULL) * page_size);
}

static void write_log(struct metrics_page *page)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    metrics_family(page, &lines);
    for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++)
        metrics_sample(page, (double)log_written((enum log_level)level), METRICS_VALUES(levels[level]));
    metrics_single(page, &left_out, (double)log_left_out());
}

static void write_spans(struct metrics_page *page)
{
    const struct trace_counts counts = trace_counts();
    metrics_family(page, &spans);
    metrics_sample(page, (double)counts.exported, METRICS_VALUES("exported"));
    metrics_sample(page, (double)counts.dropped, METRICS_VALUES("dropped"));
    metrics_sample(page, (double)counts.failed, METRICS_VALUES("failed"));
}

void process_metrics_write(struct metrics_page *page, const struct process_identity *identity)
{
    char stat[1024];
    struct rusage usage = {.ru_utime = {0, 0}};
    struct rlimit limit = {.rlim_cur = 0};
    getrusage(RUSAGE_SELF, &usage);
    getrlimit(RLIMIT_NOFILE, &limit);
    process_read("/proc/self/stat", stat, sizeof(stat));
    metrics_family(page, &build);
    metrics_sample(page, 1, METRICS_VALUES(identity->service, identity->instance, ROUNDTRIP_VERSION, bus_library_version()));
    metrics_single(page, &cpu, (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                                   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    write_memory(page);
    metrics_single(page, &open_fds, count_descriptors());
    metrics_single(page, &max_fds, (double)limit.rlim_cur);
    metrics_single(page, &threads, stat_field(stat, 20));
    metrics_single(page, &started, boot_seconds() + stat_field(stat, 22) / (double)sysconf(_SC_CLK_TCK));
    write_log(page);
    write_spans(page);
}
