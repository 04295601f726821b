/* SPDX-License-Identifier: Apache-2.0 */
/* The operators' routes: from a request to the desk, from what it says to an answer. */
#include "dead_letters.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "clock.h"
#include "json.h"
#include "rules.h"
#include "syntax.h"

/** Letters that a dry run shows. */
#define REHEARSED_MAX 20

void dead_letters_init(struct dead_letters *letters, const struct bus_settings *bus, const struct health *health,
                       const char *instance, const char *control, const char *token)
{
    *letters = (struct dead_letters){
        .bus = bus, .health = health, .instance = instance, .control = control, .token = token, .open = false};
    pthread_mutex_init(&letters->lock, NULL);
}

void dead_letters_done(struct dead_letters *letters)
{
    if (letters->open)
        dead_desk_close(&letters->desk);
    pthread_mutex_destroy(&letters->lock);
}

/* The desk, with the lock held; NULL: the answer is set. Give it back by give_back(). */
static struct dead_desk *take(struct dead_letters *letters, struct answer *answer)
{
    struct dead_error error;
    if (!health_has(letters->health, HEALTH_KAFKA)) {
        answer_unavailable(answer, 1, "No Kafka broker can be reached (setting kafka): ask again a little later.");
        return NULL;
    }
    pthread_mutex_lock(&letters->lock);
    if (!letters->open) {
        letters->open = dead_desk_open(&letters->desk, letters->bus, letters->control, &error) == 0;
        if (!letters->open) {
            pthread_mutex_unlock(&letters->lock);
            answer_problem(answer, 500, "Dead letters cannot be looked at: %s.", error.text);
            return NULL;
        }
    }
    return &letters->desk;
}

static void give_back(struct dead_letters *letters)
{
    pthread_mutex_unlock(&letters->lock);
}

/* What the desk could not do. */
static void answer_error(struct answer *answer, int err, const struct dead_error *error)
{
    switch (err) {
    case -ENOENT:
        answer_problem(answer, 404, "%s.", error->text);
        break;
    case -EALREADY:
        answer_problem(answer, 409, "%s.", error->text);
        break;
    case -E2BIG:
        answer_problem(answer, 422, "%s.", error->text);
        break;
    case -ENOMEM:
        answer_unavailable(answer, 1, "Out of memory: ask for less at a time.");
        break;
    default:
        answer_unavailable(answer, 1, "%s.", error->text);
    }
}

static void answer_text(struct answer *answer, int status, const struct buf *text)
{
    if (buf_ok(text))
        answer_json(answer, status, buf_slice(text));
    else
        answer_unavailable(answer, 1, "Out of memory: ask for less at a time.");
    answer_header(answer, "Cache-Control", SLICE("no-store"));
}

static bool append_letter(void *arg, const struct dead_letter *letter, const struct dead_mark *mark)
{
    struct buf *text = arg;
    if (text->len && text->data[text->len - 1] == '}')
        buf_append_text(text, ",");
    dead_letter_write(text, letter, mark);
    return buf_ok(text);
}

/* ---- list and read ---- */

struct list_query {
    struct dead_filter filter;
    int64_t limit;
    struct dead_id after;
    bool has_after;
};

static bool set_query(struct list_query *query, const char *name, struct slice value, struct answer *answer)
{
    struct dead_error error;
    if (strcmp(name, "limit") == 0) {
        if (syntax_int64(value, &query->limit) && query->limit >= 1 && query->limit <= DEAD_LIST_MAX)
            return true;
        answer_problem(answer, 422, "Query parameter limit must be an integer from 1 to %d.", DEAD_LIST_MAX);
    } else if (strcmp(name, "after") == 0) {
        query->has_after = dead_id_parse(value, &query->after);
        if (query->has_after)
            return true;
        answer_problem(answer, 422, "Query parameter after must be the id of a dead letter, like item-3-1234.");
    } else {
        if (dead_filter_set(&query->filter, name, value, clock_wall_ms(), &error))
            return true;
        answer_problem(answer, 422, "%s; beside them limit and after.", error.text);
    }
    return false;
}

/* A misspelt filter must not show everything, so every parameter has to be known. */
static bool read_query(const struct request *req, struct list_query *ret_query, struct answer *answer)
{
    char text[ENVELOPE_ID_MAX + 1], name[32];
    dead_filter_init(&ret_query->filter);
    ret_query->limit = DEAD_LIST_DEFAULT;
    ret_query->has_after = false;
    for (size_t i = 0; i < req->query_count; i++) {
        struct slice value;
        snprintf(name, sizeof(name), "%.*s", SLICE_ARG(req->queries[i].name));
        if (!rules_query(req, name, text, sizeof(text) - 1, &value, answer) ||
            !set_query(ret_query, name, value.p ? value : SLICE(""), answer))
            return false;
    }
    return !req->too_many_queries || rules_query(req, "limit", text, sizeof(text), &(struct slice){NULL, 0}, answer);
}

static void list(void *context, const struct request *req, struct answer *answer)
{
    struct dead_letters *letters = context;
    struct list_query query;
    struct buf text = {0};
    struct dead_id next;
    struct dead_error error;
    char id[DEAD_ID_SIZE];
    struct dead_desk *desk = read_query(req, &query, answer) ? take(letters, answer) : NULL;
    if (!desk)
        return;
    buf_append_text(&text, "{\"dead_letters\":[");
    int err = dead_desk_list(desk, &query.filter, query.has_after ? &query.after : NULL, (size_t)query.limit, append_letter,
                             &text, &next, &error);
    give_back(letters);
    buf_append_text(&text, "],\"next\":");
    if (next.service[0]) {
        dead_id_write(&next, id);
        buf_append_json(&text, slice_of(id));
    } else {
        buf_append_text(&text, "null");
    }
    buf_append_text(&text, "}");
    if (err)
        answer_error(answer, err, &error);
    else
        answer_text(answer, 200, &text);
    buf_done(&text);
}

static void read_one(void *context, const struct request *req, struct answer *answer)
{
    struct dead_letters *letters = context;
    struct buf text = {0};
    struct dead_id id;
    struct dead_error error;
    if (!dead_id_parse(req->segments[1], &id)) {
        answer_problem(answer, 404, "That is no dead letter's id; they look like item-3-1234. GET /dead-letters lists them.");
        return;
    }
    struct dead_desk *desk = take(letters, answer);
    if (!desk)
        return;
    int err = dead_desk_read(desk, &id, &text, &error);
    give_back(letters);
    if (err)
        answer_error(answer, err, &error);
    else
        answer_text(answer, 200, &text);
    buf_done(&text);
}

/* ---- jobs ---- */

/* A dry run: what would be done, and to which letters first. */
static int rehearse(struct dead_desk *desk, const struct dead_job *job, struct buf *out, struct dead_error *error)
{
    struct buf shown = {0};
    struct dead_progress would;
    int err = dead_desk_rehearse(desk, job, REHEARSED_MAX, append_letter, &shown, &would, error);
    buf_printf(out, "{\"dry_run\":true,\"action\":\"%s\",\"examined\":%" PRId64 ",\"would_act_on\":%" PRId64
                    ",\"already\":%" PRId64 ",\"too_often\":%" PRId64 ",\"first\":[",
               dead_action_name(job->order.action), would.examined, would.done, would.already, would.too_often);
    buf_append_slice(out, buf_slice(&shown));
    buf_append_text(out, "]}");
    buf_done(&shown);
    return err;
}

static void answer_job(struct answer *answer, int status, const struct dead_job *job)
{
    char location[64];
    struct buf text = {0};
    dead_job_show(&text, job);
    answer_text(answer, status, &text);
    int len = snprintf(location, sizeof(location), "/dead-letters/jobs/%s", job->id);
    if (status == 202)
        answer_header(answer, "Location", slice_make(location, (size_t)len));
    buf_done(&text);
}

static void carry_out(struct dead_letters *letters, const struct dead_order *order, struct answer *answer)
{
    struct dead_job *job = NULL;
    struct dead_error error = {"out of memory"};
    struct buf text = {0};
    struct dead_desk *desk = take(letters, answer);
    if (!desk)
        return;
    int err = dead_desk_prepare(desk, order, &job, &error);
    if (!err)
        err = order->dry_run ? rehearse(desk, job, &text, &error) : dead_desk_submit(desk, job, &error);
    give_back(letters);
    if (err)
        answer_error(answer, err, &error);
    else if (order->dry_run)
        answer_text(answer, 200, &text);
    else
        answer_job(answer, 202, job);
    dead_job_free(job);
    buf_done(&text);
}

static void order(void *context, const struct request *req, enum dead_action action, struct answer *answer)
{
    struct dead_letters *letters = context;
    struct json_error wrong;
    struct dead_error error;
    struct dead_order order;
    struct json_object *body = json_parse_strict(buf_slice(&req->body), &wrong);
    if (!body) {
        answer_problem(answer, 400, "The body is not JSON: %s.", wrong.text);
        return;
    }
    dead_order_init(&order, action);
    snprintf(order.by, sizeof(order.by), "%.*s", (int)sizeof(order.by) - 1, letters->instance);
    if (dead_order_read(&order, body, clock_wall_ms(), &error))
        carry_out(letters, &order, answer);
    else
        answer_problem(answer, 422, "%s.", error.text);
    dead_order_done(&order);
    json_object_put(body);
}

static void redrive(void *context, const struct request *req, struct answer *answer)
{
    order(context, req, DEAD_REDRIVE, answer);
}

static void discard(void *context, const struct request *req, struct answer *answer)
{
    order(context, req, DEAD_DISCARD, answer);
}

static void list_jobs(void *context, const struct request *req, struct answer *answer)
{
    struct dead_letters *letters = context;
    struct buf text = {0};
    struct dead_error error;
    struct dead_desk *desk = take(letters, answer);
    if (!desk)
        return;
    int err = dead_desk_refresh(desk, &error);
    buf_append_text(&text, "{\"jobs\":[");
    struct dead_job *job = err ? NULL : dead_book_before(desk->book, NULL);
    for (int i = 0; job && i < DEAD_LIST_MAX; i++, job = dead_book_before(desk->book, job)) {
        buf_append_text(&text, i ? "," : "");
        dead_job_show(&text, job);
    }
    give_back(letters);
    buf_append_text(&text, "]}");
    if (err)
        answer_error(answer, err, &error);
    else
        answer_text(answer, 200, &text);
    buf_done(&text);
}

static void show_job(struct dead_letters *letters, const struct request *req, bool cancel, struct answer *answer)
{
    struct dead_error error;
    struct dead_desk *desk = take(letters, answer);
    if (!desk)
        return;
    int err = cancel ? dead_desk_cancel(desk, req->segments[2], &error) : dead_desk_refresh(desk, &error);
    struct dead_job *job = err ? NULL : dead_book_job(desk->book, req->segments[2]);
    if (err)
        answer_error(answer, err, &error);
    else if (job)
        answer_job(answer, cancel ? 202 : 200, job);
    else
        answer_problem(answer, 404, "There is no job of that id; GET /dead-letters/jobs lists them.");
    give_back(letters);
}

static void read_job(void *context, const struct request *req, struct answer *answer)
{
    show_job(context, req, false, answer);
}

static void cancel_job(void *context, const struct request *req, struct answer *answer)
{
    show_job(context, req, true, answer);
}

static void list_breakers(void *context, const struct request *req, struct answer *answer)
{
    struct dead_letters *letters = context;
    struct buf text = {0};
    struct dead_error error;
    struct dead_desk *desk = take(letters, answer);
    if (!desk)
        return;
    int err = dead_desk_refresh(desk, &error);
    buf_append_text(&text, "{\"breakers\":");
    dead_book_show_breakers(&text, desk->book, clock_wall_ms());
    give_back(letters);
    buf_append_text(&text, "}");
    if (err)
        answer_error(answer, err, &error);
    else
        answer_text(answer, 200, &text);
    buf_done(&text);
}

static const struct route rows[] = {
    {METHOD_GET, "/breakers", .local = list_breakers},
    {METHOD_GET, "/dead-letters", .local = list},
    {METHOD_POST, "/dead-letters/redrive", .local = redrive},
    {METHOD_POST, "/dead-letters/discard", .local = discard},
    {METHOD_GET, "/dead-letters/jobs", .local = list_jobs},
    {METHOD_GET, "/dead-letters/jobs/{id}", .local = read_job},
    {METHOD_DELETE, "/dead-letters/jobs/{id}", .local = cancel_job},
    {METHOD_GET, "/dead-letters/{id}", .local = read_one},
};

const struct route_table dead_letters_routes = {
    rows, sizeof(rows) / sizeof(rows[0]), "Try /dead-letters, /dead-letters/{id}, /dead-letters/jobs, /breakers."};
