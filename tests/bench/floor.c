/* SPDX-License-Identifier: Apache-2.0 */
/* roundtrip-bench-floor: what plain librdkafka reaches on Roundtrip's path. Options, and one of three modes.
 */
#include "floor.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

volatile sig_atomic_t floor_stop;

static void on_signal(int number)
{
    (void)number;
    floor_stop = 1;
}

static const char usage[] =
    "Usage: roundtrip-bench-floor MODE [options]\n"
    "\n"
    "  topics       makes bench.commands, bench.events and bench.replies\n"
    "  responder    answers commands until SIGTERM\n"
    "  driver       measures; prints one line of JSON\n"
    "\n"
    "  --kafka HOST:PORT   the broker (default 127.0.0.1:9092)\n"
    "  --ready-file FILE   responder: written once it answers\n"
    "  --write             driver: an event, acknowledged, before each reply; without it an echo\n"
    "  --inflight N        driver: requests at a time (default 1); with --rate: at most\n"
    "  --rate N            driver: requests a second, whatever becomes of them (default 0: as fast as they are answered)\n"
    "  --seconds N         driver: how long to measure (default 5)\n"
    "  --warmup N          driver: seconds before that (default 1)\n"
    "  --bytes N           driver: size of a command's value (default 64)\n";

static int number(const char *name, const char *text, long low, long high)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (*end != '\0' || end == text || value < low || value > high) {
        fprintf(stderr, "roundtrip-bench-floor: --%s %s: give a whole number from %ld to %ld\n", name, text,
                low, high);
        exit(2);
    }
    return (int)value;
}

static struct floor_options parse(int argc, char **argv)
{
    static const struct option known[] = {
        {"kafka", required_argument, NULL, 'k'},
        {"ready-file", required_argument, NULL, 'r'},
        {"write", no_argument, NULL, 'w'},
        {"inflight", required_argument, NULL, 'n'},
        {"rate", required_argument, NULL, 'R'},
        {"seconds", required_argument, NULL, 's'},
        {"warmup", required_argument, NULL, 'u'},
        {"bytes", required_argument, NULL, 'b'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct floor_options options = {
        .bootstrap = "127.0.0.1:9092", .in_flight = 1, .seconds = 5, .warmup_seconds = 1, .value_bytes = 64};
    int flag;
    while ((flag = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (flag) {
        case 'k':
            options.bootstrap = optarg;
            break;
        case 'r':
            options.ready_file = optarg;
            break;
        case 'w':
            options.write = true;
            break;
        case 'n':
            options.in_flight = number("inflight", optarg, 1, 100000);
            break;
        case 'R':
            options.rate = number("rate", optarg, 0, 1000000);
            break;
        case 's':
            options.seconds = number("seconds", optarg, 1, 3600);
            break;
        case 'u':
            options.warmup_seconds = number("warmup", optarg, 0, 60);
            break;
        case 'b':
            options.value_bytes = number("bytes", optarg, 0, 500000);
            break;
        case 'h':
            fputs(usage, stdout);
            exit(EXIT_SUCCESS);
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    return options;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const struct floor_options *);
    } modes[] = {{"topics", floor_topics}, {"responder", floor_responder}, {"driver", floor_driver}};
    struct floor_options options = parse(argc, argv);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    for (size_t i = 0; optind + 1 == argc && i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(argv[optind], modes[i].name) == 0)
            return modes[i].run(&options);
    }
    fputs(usage, stderr);
    return 2;
}
