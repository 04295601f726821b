/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters on the command line: list, read, redrive, discard. It talks to Kafka alone; no gateway is needed. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "dead-letters/follow.h"
#include "log.h"
#include "settings.h"

#define WIDTH_MAX 200

static const struct config_key own_settings[] = {
    {"control-topic", CONFIG_STRING, "control", 0, 0, "topic of what operators do about dead letters"},
    {"service", CONFIG_STRING, "", 0, 0, "which letters: of this service"},
    {"class", CONFIG_STRING, "", 0, 0, "of this class: poison, permanent, exhausted or crashed"},
    {"reason-contains", CONFIG_STRING, "", 0, 0, "with this text in their reason"},
    {"type", CONFIG_STRING, "", 0, 0, "commands of this type, like item.create"},
    {"key", CONFIG_STRING, "", 0, 0, "commands about this entity"},
    {"command-id", CONFIG_STRING, "", 0, 0, "of this command"},
    {"since", CONFIG_STRING, "", 0, 0, "died at this time or after: 2026-01-31T12:00:00Z, or how long ago: 2h"},
    {"until", CONFIG_STRING, "", 0, 0, "died before this time"},
    {"state", CONFIG_STRING, "", 0, 0, "open (the default), redriven, discarded; with list also any"},
    {"all", CONFIG_BOOL, "false", 0, 0, "redrive or discard without any of the above"},
    {"limit", CONFIG_INT, "50", 1, DEAD_LIST_MAX, "list: letters to show"},
    {"after", CONFIG_STRING, "", 0, 0, "list: go on behind the letter of this id"},
    {"json", CONFIG_BOOL, "false", 0, 0, "list, jobs: one JSON object a line"},
    {"dry-run", CONFIG_BOOL, "false", 0, 0, "redrive, discard: say what would happen"},
    {"rate", CONFIG_INT, "100", 1, DEAD_RATE_MAX, "redrive, discard: letters a second"},
    {"max-rounds", CONFIG_INT, "3", 1, DEAD_ROUNDS_MAX, "redrive: leave letters alone that went round as often as this"},
    {"reason", CONFIG_STRING, "", 0, 0, "discard: why; kept with each letter"},
    {"detach", CONFIG_BOOL, "false", 0, 0, "redrive, discard: leave it to a gateway; follow shows how far it is"},
    {NULL, CONFIG_STRING, NULL, 0, 0, NULL},
};

/* One run of the program. */
struct run {
    const struct config *config;
    struct bus_settings bus;
    struct dead_desk desk;
    struct dead_filter filter;
    char **names; /* the arguments that are no flags */
    int name_count;
};

static int fail(const struct dead_error *error)
{
    fprintf(stderr, "roundtrip-dead-letters: %s\n", error->text);
    return EXIT_FAILURE;
}

static int misuse(const char *what)
{
    fprintf(stderr, "roundtrip-dead-letters: %s; --help says more\n", what);
    return 2;
}

/* ---- list and read ---- */

/* Without what a terminal could take for orders, in at least `width` columns and at most `max`. */
static void print_cell(struct slice text, int width, int max)
{
    char cell[WIDTH_MAX + 1];
    int len = text.len < (size_t)max ? (int)text.len : max;
    for (int i = 0; i < len; i++)
        cell[i] = (unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f ? '?' : text.p[i];
    printf("%-*.*s", width, len, cell);
}

static void print_column(struct slice text, int width)
{
    print_cell(text, width, width);
    putchar(' ');
}

static bool print_row(void *arg, const struct dead_letter *letter, const struct dead_mark *mark)
{
    char id[DEAD_ID_SIZE], died[CLOCK_RFC3339_SIZE];
    dead_id_write(&letter->id, id);
    clock_format_rfc3339(letter->died_ms, died);
    print_cell(slice_of(id), 20, DEAD_ID_SIZE - 1); /* whole: it is what the other commands take */
    putchar(' ');
    print_column(slice_of(dead_state_name(mark ? mark->state : DEAD_OPEN)), 9);
    print_column(slice_of(died), 24);
    print_column(letter->class, 9);
    print_column(letter->type, 16);
    print_column(letter->key, 20);
    print_cell(letter->reason, 0, WIDTH_MAX);
    printf("\n");
    return true;
}

static bool print_json(void *arg, const struct dead_letter *letter, const struct dead_mark *mark)
{
    struct buf text = {0};
    dead_letter_write(&text, letter, mark);
    printf("%.*s\n", SLICE_ARG(buf_slice(&text)));
    bool ok = buf_ok(&text);
    buf_done(&text);
    return ok;
}

static dead_letter_fn *printer(const struct run *run)
{
    return config_bool(run->config, "json") ? print_json : print_row;
}

static void print_head(const struct run *run)
{
    if (!config_bool(run->config, "json"))
        printf("%-20s %-9s %-24s %-9s %-16s %-20s %s\n", "ID", "STATE", "DIED", "CLASS", "TYPE", "KEY", "REASON");
}

static int list(struct run *run)
{
    struct dead_id after, next;
    struct dead_error error = {""};
    const char *text = config_string(run->config, "after");
    if (*text && !dead_id_parse(slice_of(text), &after))
        return misuse("--after must be the id of a dead letter, like item-3-1234");
    print_head(run);
    int err = dead_desk_list(&run->desk, &run->filter, *text ? &after : NULL, (size_t)config_int(run->config, "limit"),
                             printer(run), NULL, &next, &error);
    if (err)
        return fail(&error);
    if (next.service[0]) {
        char id[DEAD_ID_SIZE];
        dead_id_write(&next, id);
        fprintf(stderr, "There may be more: --after %s\n", id);
    }
    return EXIT_SUCCESS;
}

static int read_letters(struct run *run)
{
    if (run->name_count == 0)
        return misuse("read needs the id of a dead letter; list shows them");
    for (int i = 0; i < run->name_count; i++) {
        struct dead_id id;
        struct dead_error error = {""};
        struct buf text = {0};
        if (!dead_id_parse(slice_of(run->names[i]), &id))
            return misuse("ids look like item-3-1234");
        int err = dead_desk_read(&run->desk, &id, &text, &error);
        if (!err)
            printf("%.*s\n", SLICE_ARG(buf_slice(&text)));
        buf_done(&text);
        if (err)
            return fail(&error);
    }
    return EXIT_SUCCESS;
}

/* ---- redrive and discard ---- */

static bool read_order(const struct run *run, struct dead_order *order, struct dead_error *error)
{
    const char *reason = config_string(run->config, "reason"), *instance = config_string(run->config, "instance-id");
    order->filter = run->filter;
    order->all = config_bool(run->config, "all");
    order->dry_run = config_bool(run->config, "dry-run");
    snprintf(order->by, sizeof(order->by), "%.*s", (int)sizeof(order->by) - 1, *instance ? instance : "roundtrip-dead-letters");
    for (int i = 0; i < run->name_count; i++) {
        if (!dead_order_add_id(order, slice_of(run->names[i]), error))
            return false;
    }
    return dead_order_set_number(order, "rate", config_int(run->config, "rate"), error) &&
           dead_order_set_number(order, "max_rounds", config_int(run->config, "max-rounds"), error) &&
           (!*reason || dead_order_set_reason(order, slice_of(reason), error)) && dead_order_check(order, error);
}

static int rehearse(struct run *run, const struct dead_job *job, struct dead_error *error)
{
    struct dead_progress would;
    print_head(run);
    int err = dead_desk_rehearse(&run->desk, job, (size_t)config_int(run->config, "limit"), printer(run), NULL, &would, error);
    fflush(stdout);
    if (!err)
        fprintf(stderr, "Nothing was done. %" PRId64 " of %" PRId64 " letters would be %s; %" PRId64 " went round too often.\n",
                would.done, would.examined, job->order.action == DEAD_REDRIVE ? "redriven" : "discarded", would.too_often);
    return err;
}

static int follow(struct run *run, const char *id)
{
    const struct follow_options options = {.bus = &run->bus,
                                           .control = config_string(run->config, "control-topic"),
                                           .name = run->bus.client_id,
                                           .desk = &run->desk};
    return follow_job(&options, id);
}

static int carry_out(struct run *run, const struct dead_order *order)
{
    struct dead_error error = {"out of memory"};
    struct dead_job *job = NULL;
    int err = dead_desk_prepare(&run->desk, order, &job, &error);
    if (!err)
        err = order->dry_run ? rehearse(run, job, &error) : dead_desk_submit(&run->desk, job, &error);
    int status = err ? fail(&error) : EXIT_SUCCESS;
    if (!err && !order->dry_run) {
        fprintf(stderr, "job %s\n", job->id);
        if (config_bool(run->config, "detach"))
            printf("%s\n", job->id);
        else
            status = follow(run, job->id);
    }
    dead_job_free(job);
    return status;
}

static int order(struct run *run, enum dead_action action)
{
    struct dead_order order;
    struct dead_error error;
    dead_order_init(&order, action);
    int status = read_order(run, &order, &error) ? carry_out(run, &order) : misuse(error.text);
    dead_order_done(&order);
    return status;
}

static int redrive(struct run *run)
{
    if (*config_string(run->config, "reason"))
        return misuse("a redrive takes no --reason; to choose letters by theirs use --reason-contains");
    return order(run, DEAD_REDRIVE);
}

static int discard(struct run *run)
{
    return order(run, DEAD_DISCARD);
}

/* ---- jobs ---- */

static int jobs(struct run *run)
{
    struct dead_error error;
    if (dead_desk_refresh(&run->desk, &error) != 0)
        return fail(&error);
    if (!config_bool(run->config, "json"))
        printf("%-36s %-8s %-9s %10s %10s %s\n", "ID", "ACTION", "PHASE", "EXAMINED", "DONE", "TOTAL");
    for (struct dead_job *job = NULL; (job = dead_book_before(run->desk.book, job));) {
        if (config_bool(run->config, "json")) {
            struct buf text = {0};
            dead_job_show(&text, job);
            printf("%.*s\n", SLICE_ARG(buf_slice(&text)));
            buf_done(&text);
        } else {
            printf("%-36s %-8s %-9s %10" PRId64 " %10" PRId64 " %" PRId64 "\n", job->id, dead_action_name(job->order.action),
                   dead_phase_name(job->progress.phase), job->progress.examined, job->progress.done,
                   dead_spans_total(&job->spans));
        }
    }
    return EXIT_SUCCESS;
}

static int follow_one(struct run *run)
{
    struct dead_error error;
    if (run->name_count != 1)
        return misuse("follow needs the id of one job; jobs lists them");
    if (dead_desk_refresh(&run->desk, &error) != 0)
        return fail(&error);
    return follow(run, run->names[0]);
}

static int cancel(struct run *run)
{
    struct dead_error error;
    if (run->name_count != 1)
        return misuse("cancel needs the id of one job; jobs lists them");
    if (dead_desk_cancel(&run->desk, slice_of(run->names[0]), &error) != 0)
        return fail(&error);
    fprintf(stderr, "It ends within a second or so; what was not redriven or discarded by then stays as it is.\n");
    return EXIT_SUCCESS;
}

static int breakers(struct run *run)
{
    struct dead_error error;
    struct buf text = {0};
    if (dead_desk_refresh(&run->desk, &error) != 0)
        return fail(&error);
    dead_book_show_breakers(&text, run->desk.book, clock_wall_ms());
    printf("%.*s\n", SLICE_ARG(buf_slice(&text)));
    buf_done(&text);
    return EXIT_SUCCESS;
}

/* ---- the program ---- */

static const struct verb {
    const char *name;
    int (*run)(struct run *run);
} verbs[] = {{"list", list},       {"read", read_letters}, {"redrive", redrive}, {"discard", discard},
             {"jobs", jobs},       {"follow", follow_one}, {"cancel", cancel}, {"breakers", breakers}};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static bool read_filter(struct run *run, struct dead_error *error)
{
    dead_filter_init(&run->filter);
    for (size_t i = 0; dead_filter_names[i]; i++) {
        char flag[32];
        snprintf(flag, sizeof(flag), "%s", dead_filter_names[i]);
        for (char *p = flag; *p; p++)
            *p = *p == '_' ? '-' : *p;
        const char *value = config_string(run->config, flag);
        if (*value && !dead_filter_set(&run->filter, dead_filter_names[i], slice_of(value), clock_wall_ms(), error))
            return false;
    }
    return true;
}

static int run_verb(const struct verb *verb, struct run *run)
{
    struct dead_error error;
    if (!read_filter(run, &error))
        return misuse(error.text);
    if (dead_desk_open(&run->desk, &run->bus, config_string(run->config, "control-topic"), &error) != 0)
        return fail(&error);
    int status = verb->run(run);
    dead_desk_close(&run->desk);
    return status;
}

int main(int argc, char **argv)
{
    static const struct config_key *const tables[] = {settings_common, own_settings, NULL};
    static const struct config_program program = {
        "roundtrip-dead-letters",
        "Commands that could not be worked on.\n\n"
        "  list                     which there are; --service, --class, --type and so on say which\n"
        "  read ID...               one with its headers, body and history\n"
        "  redrive [ID...]          sends them again, under their own ids: none can take effect twice\n"
        "  discard [ID...] --reason TEXT\n"
        "  jobs                     redrives and discards, the newest first\n"
        "  follow JOB, cancel JOB\n"
        "  breakers                 which operations of which workers wait for an outage to end\n\n"
        "Write the command first, then ids, then flags.",
        tables};
    const struct verb *verb = NULL;
    for (size_t i = 0; argc > 1 && i < VERBS; i++) {
        if (strcmp(argv[1], verbs[i].name) == 0)
            verb = &verbs[i];
    }
    if (argc < 2 || (!verb && argv[1][0] != '-'))
        return misuse("say what to do: list, read, redrive, discard, jobs, follow, cancel or breakers");
    struct run run = {.names = argv + 2};
    if (verb) {
        while (2 + run.name_count < argc && argv[2 + run.name_count][0] != '-')
            run.name_count++;
    }
    int skipped = verb ? 1 + run.name_count : 0;
    char *program_name = argv[0], **rest = argv + skipped, *replaced = rest[0];
    rest[0] = program_name;
    struct config *config = NULL;
    enum config_verdict verdict = config_load(&program, argc - skipped, rest, environ, stdout, stderr, &config);
    rest[0] = replaced; /* it may be a name */
    if (verdict != CONFIG_RUN)
        return verdict == CONFIG_EXIT ? EXIT_SUCCESS : 2;
    if (!verb) {
        config_free(config);
        return misuse("say what to do: list, read, redrive, discard, jobs, follow, cancel or breakers");
    }
    if (settings_apply_log(config, program.name, "") != 0) {
        config_free(config);
        return 2;
    }
    run.config = config;
    run.bus = settings_bus(config);
    int status = run_verb(verb, &run);
    config_free(config);
    return status;
}
