/* SPDX-License-Identifier: Apache-2.0 */
/* Asking, waiting, trying again; see clients.h. */
#include "clients.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "checks.h"
#include "clock.h"
#include "envelope.h"

#define CLIENTS      6
#define REQUESTS_MAX 20000
#define ATTEMPTS_MAX 40000
#define POSITIONS    20000
#define RETRY_AGE_NS (15 * SIM_S) /* far inside every dedupe window */
#define AGAIN_NS     (3 * SIM_S)

static struct request requests[REQUESTS_MAX];
static struct attempt attempts[ATTEMPTS_MAX];
static int request_count, attempt_count;
static int position[SIM_PARTITIONS][POSITIONS]; /* the request of a command record */
static int position_attempt[SIM_PARTITIONS][POSITIONS];
static struct client {
    int request; /* -1: none */
} clients[CLIENTS];

struct request *clients_request(int number)
{
    return &requests[number];
}

int clients_request_count(void)
{
    return request_count;
}

static int number_after(struct slice text, const char *prefix, int count)
{
    char copy[32];
    size_t len = strlen(prefix);
    if (text.len <= len || text.len >= sizeof(copy) || memcmp(text.p, prefix, len) != 0)
        return -1;
    memcpy(copy, text.p, text.len);
    copy[text.len] = '\0';
    int number = atoi(copy + len);
    return number < count ? number : -1;
}

int clients_request_of(struct slice id)
{
    char copy[64];
    int partition, offset;
    int number = number_after(id, "c", request_count);
    if (number >= 0 || id.len >= sizeof(copy))
        return number;
    memcpy(copy, id.p, id.len);
    copy[id.len] = '\0';
    if (sscanf(copy, "thing.commands/%d/%d", &partition, &offset) != 2 || partition >= SIM_PARTITIONS || offset >= POSITIONS)
        return -1;
    return position[partition][offset];
}

bool clients_attempt_before(int partition, int attempt, int64_t offset)
{
    while (offset >= 0 && position_attempt[partition][offset] != attempt)
        offset--;
    return offset >= 0;
}

struct attempt *clients_attempt(struct slice correlation, int *ret_number)
{
    *ret_number = number_after(correlation, "a", attempt_count);
    return *ret_number < 0 ? NULL : &attempts[*ret_number];
}

/* ---- sending ---- */

struct flight {
    struct record *rec;
    int32_t partition;
};

static void land(void *arg, int64_t value)
{
    struct flight *flight = arg;
    broker_append(TOPIC_COMMANDS, flight->partition, flight->rec);
}

void clients_landed(const struct record *rec)
{
    int number;
    struct attempt *attempt = clients_attempt(record_header(rec, "kafka_correlationId"), &number);
    assert(attempt && rec->offset < POSITIONS);
    position[rec->partition][rec->offset] = attempt->request;
    position_attempt[rec->partition][rec->offset] = number;
    requests[attempt->request].landed++;
}

static void time_out(void *arg, int64_t attempt);

static void send_as(struct client *client, int number, bool imposter)
{
    struct request *request = &requests[number];
    char key[8], correlation[16];
    struct headers headers;
    assert(attempt_count < ATTEMPTS_MAX);
    int64_t patience = 200 * SIM_MS + (int64_t)sim_below(9 * SIM_S);
    bool expires = !world.healed && sim_below(3) != 0;
    snprintf(key, sizeof(key), "%d", request->key);
    snprintf(correlation, sizeof(correlation), "a%d", attempt_count);
    attempts[attempt_count] = (struct attempt){
        .request = number, .imposter = imposter, .known = checks_known(request->home)};
    struct command cmd = {.type = slice_of(request->type),
                          .id = request->id[0] ? slice_of(request->id) : SLICE_NONE,
                          .subject = request->about < 0 ? SLICE_NONE : slice_of(requests[request->about].id),
                          .expiry_ms = expires ? SIM_WALL_MS + (world.now + patience) / SIM_MS : 0,
                          .reply = {.topic = request->waits ? SLICE("replies") : SLICE_NONE,
                                    .partition = 0,
                                    .correlation = slice_of(correlation)}};
    envelope_encode_command(&cmd, &headers);
    if (!request->waits) /* clients_landed() goes by it */
        headers_add(&headers, "kafka_correlationId", slice_of(correlation));
    struct record rec = {.topic = "thing.commands", .key = slice_of(key), .value = imposter ? SLICE("another body") : slice_of(request->body)};
    struct flight *flight = sim_alloc(sizeof(*flight));
    bool misplaced = sim_below(50) == 0;
    flight->rec = entry_copy(&rec, headers.list, headers.count);
    flight->partition = misplaced ? (request->home + 1) % SIM_PARTITIONS : request->home;
    sim_at(world.now + 20 * SIM_US + sim_spread(world.profile.wire_ns), land, flight, 0);
    if (request->sends++ == 0)
        request->first_sent = world.now;
    sim_at(world.now + (world.healed ? AGAIN_NS : patience + 100 * SIM_MS), time_out, client, attempt_count++);
}

static void send(struct client *client, int number)
{
    send_as(client, number, false);
}

/* Long after it was answered somebody sends it again, or something else under its id. */
static void come_back(void *arg, int64_t number)
{
    const struct request *request = &requests[number];
    bool in_time = world.now - request->first_sent < world.profile.dedupe_ms * SIM_MS / 2;
    if (in_time && !world.healed && attempt_count < ATTEMPTS_MAX - 1000)
        send_as(arg, (int)number, request->bound && sim_below(2));
}

/* How does one of the last commands stand, or: let it be. -1: there is none to ask about. */
static int ask_about(void)
{
    int about = request_count - 1 - (int)sim_below(20);
    if (about < 0 || requests[about].read || requests[about].unknown || !requests[about].id[0])
        return -1;
    int number = request_count++;
    requests[number] = (struct request){.type = sim_below(3) == 0 ? "thing.cancel" : "thing.operation",
                                        .key = requests[about].key,
                                        .read = true,
                                        .waits = true,
                                        .about = about,
                                        .home = requests[about].home,
                                        .last_fact = -1};
    snprintf(requests[number].id, sizeof(requests[number].id), "c%d", number);
    return number;
}

static int new_request(void)
{
    static const char *const types[] = {"thing.create", "thing.create", "thing.put",  "thing.append", "thing.append",
                                        "thing.work",   "thing.delete", "thing.get",  "thing.get",    "thing.get",
                                        "thing.get",    "thing.append", "thing.odd",    "thing.bomb"};
    assert(request_count < REQUESTS_MAX);
    int number = sim_below(15) == 0 ? ask_about() : -1;
    if (number >= 0)
        return number;
    number = request_count++;
    struct request *request = &requests[number];
    size_t type = sim_below(100) == 0 ? 12 : sim_below(12);
    if (world.profile.bombs > 0 && sim_below(60) == 0) {
        world.profile.bombs--;
        type = 13;
    }
    *request = (struct request){.type = types[type],
                                .key = 1 + (int)sim_below(SIM_KEYS),
                                .read = strcmp(types[type], "thing.get") == 0,
                                .unknown = type == 12,
                                .bomb = type == 13,
                                .waits = sim_below(10) != 0,
                                .about = -1,
                                .last_fact = -1};
    request->home = request->key % SIM_PARTITIONS;
    if (sim_below(12) != 0 && !request->bomb) /* one bomb, one record */
        snprintf(request->id, sizeof(request->id), "c%d", number);
    snprintf(request->body, sizeof(request->body), "b%d;", number);
    return number;
}

static void next(void *arg, int64_t value)
{
    struct client *client = arg;
    if (world.healed || request_count == REQUESTS_MAX || attempt_count > ATTEMPTS_MAX - 1000) {
        client->request = -1;
        return;
    }
    client->request = new_request();
    send(client, client->request);
    if (!requests[client->request].waits)
        sim_at(world.now + sim_spread(world.profile.think_ns), next, client, 0);
}

static void move_on(struct client *client)
{
    client->request = -1;
    sim_at(world.now + sim_spread(world.profile.think_ns), next, client, 0);
}

static bool may_repeat(const struct request *request)
{
    return request->id[0] && request->sends < 6 && world.now - request->first_sent < RETRY_AGE_NS;
}

static void time_out(void *arg, int64_t attempt)
{
    struct client *client = arg;
    int number = attempts[attempt].request;
    struct request *request = &requests[number];
    if (client->request != number || request->status || !request->waits)
        return;
    if (world.healed && (request->id[0] || request->read) && world.now - request->first_sent < 2 * RETRY_AGE_NS)
        send(client, number);
    else if (may_repeat(request) && sim_below(3) != 0)
        send(client, number);
    else
        move_on(client);
}

void clients_answered(int attempt, int status)
{
    int number = attempts[attempt].request;
    struct request *request = &requests[number];
    bool first = request->status == 0;
    request->status = status;
    if (first && request->id[0] && !request->read && sim_below(6) == 0)
        sim_at(world.now + (int64_t)sim_below(20 * SIM_S), come_back, &clients[0], number);
    for (int i = 0; i < CLIENTS && first; i++) {
        if (clients[i].request != number)
            continue;
        if (may_repeat(request) && !world.healed && sim_below(status == 504 ? 2 : 8) == 0) {
            request->status = 0; /* somebody tries again */
            send(&clients[i], number);
        } else {
            move_on(&clients[i]);
        }
    }
}

void clients_begin(void)
{
    request_count = attempt_count = 0;
    memset(position, 0xff, sizeof(position));
    for (int i = 0; i < CLIENTS; i++) {
        clients[i].request = -1;
        sim_at(sim_spread(world.profile.think_ns), next, &clients[i], 0);
    }
}

void clients_check(void)
{
    for (int i = 0; i < CLIENTS; i++) {
        if (clients[i].request >= 0 && requests[clients[i].request].waits && !requests[clients[i].request].status)
            sim_violation("request %d (%s) was never answered", clients[i].request, requests[clients[i].request].type);
    }
    for (int i = 0; i < request_count; i++) {
        const struct request *request = &requests[i];
        if (!request->read && !request->unknown && request->landed > 0 && request->facts == 0)
            sim_violation("command %d (%s of %d) is in the log and was never worked on", i, request->type, request->key);
    }
}
