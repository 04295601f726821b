/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roundtrip-sim: runs schedules, each from one seed, on every core; see README.md.
 *
 * Exit status: 0 no violation (with --break: one was found), 1 the opposite, 2 wrong usage.
 */
#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "broken.h"
#include "broker.h"
#include "checks.h"
#include "clients.h"
#include "faults.h"

#define SETTLE_NS (40 * SIM_S)

struct options {
    uint64_t seed;
    long schedules;
    int jobs;
    const char *rule; /* "": none */
    bool verbose;
};

/* What one schedule came to; written whole to a pipe. */
struct result {
    uint64_t seed, trace;
    long violations, faults, turns, requests;
    struct tally tally;
};

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    return remove(path);
}

static void stop_all(void)
{
    for (int i = 0; i < SIM_PROCESSES; i++) {
        world.processes[i].supervised = false;
        world.processes[i].stopping = true;
        process_wake(&world.processes[i]);
    }
    sim_run_until(world.now + 10 * SIM_S);
    for (int i = 0; i < SIM_PROCESSES; i++) {
        if (world.processes[i].up)
            sim_violation("%s does not end", world.processes[i].label);
        process_kill(&world.processes[i]);
    }
}

static struct result run_schedule(uint64_t seed, const char *dir)
{
    struct profile profile = profile_draw(seed);
    mkdir(dir, 0700);
    sim_begin(seed, &profile);
    broker_begin();
    checks_begin();
    clients_begin();
    faults_begin();
    sim_run_until(profile.run_ns);
    faults_heal();
    sim_run_until(profile.run_ns + SETTLE_NS);
    stop_all();
    checks_finish();
    struct result result = {.seed = seed,
                            .trace = world.trace,
                            .violations = world.violations,
                            .faults = world.faults,
                            .turns = world.turns,
                            .requests = clients_request_count(),
                            .tally = tally};
    checks_end();
    broker_end();
    sim_end();
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return result;
}

/* ---- several processes ---- */

static void work(const struct options *options, const char *base, int job, int fd)
{
    char dir[96];
    world.dir = dir;
    for (long i = job; i < options->schedules; i += options->jobs) {
        snprintf(dir, sizeof(dir), "%s/%ld", base, i);
        struct result result = run_schedule(options->seed + (uint64_t)i, dir);
        if (write(fd, &result, sizeof(result)) != (ssize_t)sizeof(result))
            break;
    }
    exit(0);
}

static void add(struct result *sum, const struct result *one)
{
    sum->trace ^= one->trace * (one->seed | 1); /* the order of ending must not matter */
    sum->violations += one->violations;
    sum->faults += one->faults;
    sum->turns += one->turns;
    sum->requests += one->requests;
    long *to = (long *)&sum->tally;
    const long *from = (const long *)&one->tally;
    for (size_t i = 0; i < sizeof(sum->tally) / sizeof(long); i++)
        to[i] += from[i];
}

static double seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void show(const struct result *sum, long schedules, double took)
{
    const struct tally *t = &sum->tally;
    printf("%ld schedules in %.1f s: %ld faults, %ld requests, %ld answers (%ld reads, %ld replayed, %ld expired), %ld events "
           "(%ld void, %ld claims, %ld repairs, %ld tombstones, %ld failed attempts, %ld results in parts), %ld inquiries, %ld violations; trace %016llx\n",
           schedules, took, sum->faults, sum->requests, t->answers, t->reads, t->replayed, t->expired, t->events,
           t->void_events, t->claims, t->repairs, t->removals, t->attempts, t->results, t->inquiries, sum->violations, (unsigned long long)sum->trace);
}

static void tell(const struct result *one, const struct options *options)
{
    printf("seed %llu: %ld violations; to see it: roundtrip-sim --seed %llu --schedules 1 --verbose%s%s\n",
           (unsigned long long)one->seed, one->violations, (unsigned long long)one->seed, options->rule[0] ? " --break " : "",
           options->rule);
}

/* Reads results until all have come, or one has a violation. */
static long gather(const struct options *options, int fd, struct result *ret_sum)
{
    struct result one;
    long done = 0;
    double began = seconds(), shown = began;
    while (read(fd, &one, sizeof(one)) == (ssize_t)sizeof(one)) {
        done++;
        add(ret_sum, &one);
        if (one.violations > 0) {
            tell(&one, options);
            break;
        }
        if (seconds() - shown > 10) {
            shown = seconds();
            fprintf(stderr, "%ld of %ld schedules, %.0f s\n", done, options->schedules, shown - began);
        }
    }
    show(ret_sum, done, seconds() - began);
    return done;
}

static int run(const struct options *options)
{
    int fds[2];
    pid_t children[64];
    struct result sum = {0};
    char base[64]; /* in memory where that can be: the copies are synced when they are closed */
    snprintf(base, sizeof(base), "%s/roundtrip-sim-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(base) || pipe(fds) != 0) {
        perror("roundtrip-sim: cannot start");
        return 2;
    }
    for (int job = 0; job < options->jobs; job++) {
        children[job] = fork();
        if (children[job] == 0) {
            close(fds[0]);
            work(options, base, job, fds[1]);
        }
    }
    close(fds[1]);
    long done = gather(options, fds[0], &sum);
    bool crashed = false;
    for (int job = 0; job < options->jobs; job++) {
        int status;
        if (done < options->schedules)
            kill(children[job], SIGTERM);
        waitpid(children[job], &status, 0);
        crashed |= sum.violations == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0);
    }
    nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (crashed)
        fprintf(stderr, "roundtrip-sim: a process of ours ended before its time; run with --jobs 1\n");
    bool caught = sum.violations > 0;
    return crashed || caught != (options->rule[0] != '\0') ? 1 : 0;
}

static void usage(FILE *to)
{
    fputs("Usage: roundtrip-sim [--seed N] [--schedules N] [--jobs N] [--break RULE] [--verbose]\n"
          "\n"
          "  --seed N       of the first schedule (1); the next has N+1\n"
          "  --schedules N  how many (1000; with --break 20000 at most)\n"
          "  --jobs N       processes (all cores)\n"
          "  --break RULE   take a rule away and expect a violation: early-answer, no-contiguity, no-dedupe, early-read,\n"
          "                 silent-expiry, no-repair, early-finish, late-committed\n"
          "  --verbose      say what happens and all logs; for one schedule\n",
          to);
}

static int parse(int argc, char **argv, struct options *ret_options)
{
    static const struct option names[] = {{"seed", required_argument, NULL, 's'},  {"schedules", required_argument, NULL, 'n'},
                                          {"jobs", required_argument, NULL, 'j'},  {"break", required_argument, NULL, 'b'},
                                          {"verbose", no_argument, NULL, 'v'},     {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    *ret_options = (struct options){.seed = 1, .jobs = (int)sysconf(_SC_NPROCESSORS_ONLN), .rule = ""};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 's':
            ret_options->seed = strtoull(optarg, NULL, 10);
            break;
        case 'n':
            ret_options->schedules = atol(optarg);
            break;
        case 'j':
            ret_options->jobs = atoi(optarg);
            break;
        case 'b':
            ret_options->rule = optarg;
            break;
        case 'v':
            ret_options->verbose = true;
            break;
        case 'h':
            usage(stdout);
            exit(0);
        default:
            return -EINVAL;
        }
    }
    if (ret_options->schedules == 0) /* the rarest rule to be missed wants some thousands */
        ret_options->schedules = ret_options->rule[0] ? 20000 : 1000;
    world.late_committed = strcmp(ret_options->rule, "late-committed") == 0;
    bool known = world.late_committed || broken_set(ret_options->rule);
    if (world.late_committed)
        known = broken_set("");
    return known && ret_options->jobs > 0 && ret_options->jobs <= 64 && ret_options->schedules > 0 && optind == argc ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
    struct options options;
    clearenv(); /* settings of the real thing must not reach the simulated one */
    if (parse(argc, argv, &options) != 0) {
        usage(stderr);
        return 2;
    }
    world.verbose = options.verbose;
    signal(SIGPIPE, SIG_IGN);
    return run(&options);
}
