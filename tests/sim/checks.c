/* SPDX-License-Identifier: Apache-2.0 */
/* The model of what happened and the comparison with it; see checks.h. */
#include "checks.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clients.h"
#include "clock.h"
#include "envelope.h"
#include "hash.h"
#include "result.h"
#include "state/store.h"
#include "worker/etag.h"

#define SKEW_MS 1000 /* more than the processes' wall clocks differ */

/* What a valid event says. */
struct fact {
    int64_t offset, version;
    int64_t time_ms; /* when its writer decided: windows begin there */
    int64_t command_offset; /* of the record it was decided for */
    int key, request, status;
    bool exists, removal;
    struct slice state, result;
    int before;     /* the fact of the same entity before this one, -1: none */
    int same;       /* of the same request */
};

static struct history {
    struct fact *facts;
    size_t count, size, known;
    int last[SIM_KEYS + 1];
} histories[SIM_PARTITIONS];
struct tally tally;

static const struct fact never;

void checks_begin(void)
{
    tally = (struct tally){0};
    for (int p = 0; p < SIM_PARTITIONS; p++) {
        histories[p].count = histories[p].known = 0;
        for (int k = 0; k <= SIM_KEYS; k++)
            histories[p].last[k] = -1;
    }
}

void checks_end(void)
{
    for (int p = 0; p < SIM_PARTITIONS; p++) {
        free(histories[p].facts);
        histories[p] = (struct history){0};
    }
}

size_t checks_known(int32_t partition)
{
    return histories[partition].known;
}

static void learn(struct history *h, size_t known)
{
    if (known > h->known)
        h->known = known;
}

/* ---- events ---- */

static int key_of(struct slice key)
{
    return key.len == 1 && key.p[0] >= '1' && key.p[0] <= '0' + SIM_KEYS ? key.p[0] - '0' : 0;
}

static struct fact *add_fact(struct history *h, int key)
{
    if (h->count == h->size) {
        h->size = h->size ? 2 * h->size : 256;
        h->facts = realloc(h->facts, h->size * sizeof(*h->facts));
        assert(h->facts);
    }
    struct fact *fact = &h->facts[h->count];
    *fact = (struct fact){.key = key, .request = -1, .same = -1, .before = h->last[key]};
    h->last[key] = (int)h->count++;
    return fact;
}

static int64_t age_ms(const struct fact *fact)
{
    return SIM_WALL_MS + world.now / SIM_MS - fact->time_ms;
}

static const struct fact *before(const struct history *h, const struct fact *fact)
{
    return fact->before < 0 ? &never : &h->facts[fact->before];
}

static void count_effect(const struct fact *fact, bool effect, struct history *h)
{
    struct request *request = clients_request(fact->request);
    if (fact->same >= 0 && fact->time_ms - h->facts[fact->same].time_ms >= world.profile.dedupe_ms - SKEW_MS) {
        request->bound = false; /* delivered once more after the window: an outage can be that long */
        request->effects = 0;
    }
    if (request->bound)
        sim_violation("command %d has an outcome and is worked on again at %lld", fact->request, (long long)fact->offset);
    request->bound = fact->status < 500;
    request->facts++;
    request->last_fact = (int)(h->count - 1);
    if (effect && ++request->effects > 1)
        sim_violation("command %d has two effects, the second at event %lld", fact->request, (long long)fact->offset);
}

static void check_chain(struct history *h, struct fact *fact)
{
    const struct fact *last = before(h, fact);
    bool effect = fact->version != last->version;
    if (effect && fact->version != last->version + 1)
        sim_violation("event %lld of %d has version %lld after %lld", (long long)fact->offset, fact->key,
                      (long long)fact->version, (long long)last->version);
    if (!effect && (fact->exists != last->exists || (fact->exists && !slice_equal(fact->state, last->state))))
        sim_violation("event %lld of %d changes the state and not the version", (long long)fact->offset, fact->key);
    if (fact->request >= 0)
        count_effect(fact, effect, h);
    else
        tally.repairs++;
    if (fact->request < 0 && effect)
        sim_violation("a repair at %lld changes %d", (long long)fact->offset, fact->key);
}

static void removal(struct history *h, const struct entry *entry)
{
    struct tombstone tombstone;
    if (!envelope_decode_tombstone(&entry->rec, &tombstone) || tombstone.claim_id.p)
        return;
    struct fact *fact = add_fact(h, key_of(entry->rec.key));
    const struct fact *last = before(h, fact);
    fact->offset = entry->rec.offset;
    fact->removal = true;
    tally.removals++;
    if (last->exists)
        sim_violation("a tombstone at %lld removes %d, which exists", (long long)fact->offset, fact->key);
    if (age_ms(last) < world.profile.dedupe_ms - SKEW_MS)
        sim_violation("a tombstone at %lld removes %d before its time", (long long)fact->offset, fact->key);
}

/* Every part that a valid event names stands before it, written by its writer under its claim, and together they are what it says. */
static void check_parts(int32_t partition, const struct fact *fact, int64_t until)
{
    struct result result;
    char name[RESULT_PART_SIZE];
    struct buf whole = {0};
    if (!result_read(fact->result, &result))
        sim_violation("the event at %lld has a result that cannot be read", (long long)fact->offset);
    int64_t at = 0;
    for (int64_t part = 0; part < result_parts(&result); part++) {
        int len = result_part_name(result.parts_id, part, name);
        for (; at < until; at++) {
            const struct entry *entry = broker_entry(TOPIC_EVENTS, partition, at);
            if (!entry->removed && entry->rec.value.p && slice_equal(envelope_part_of(entry->rec.key), slice_make(name, (size_t)len)))
                break;
        }
        if (at == until || !broker_entry(TOPIC_EVENTS, partition, at)->valid) {
            sim_violation("part %d of the result of the event at %lld is not in the log", (int)part, (long long)fact->offset);
            break;
        }
        buf_append_slice(&whole, broker_entry(TOPIC_EVENTS, partition, at)->rec.value);
    }
    if ((int64_t)whole.len != result.bytes || hash_slice(buf_slice(&whole)) != result.hash)
        sim_violation("the parts of the result of the event at %lld are not all of it", (long long)fact->offset);
    buf_done(&whole);
}

/* A record is decided once, however often it is delivered: its first owner may still answer reads and would know nothing of a second time. */
static void check_once(const struct history *h, const struct fact *fact)
{
    for (int i = fact->same; i >= 0; i = h->facts[i].same) {
        if (h->facts[i].command_offset == fact->command_offset && fact->time_ms - h->facts[i].time_ms < world.profile.dedupe_ms - SKEW_MS)
            sim_violation("command %lld of %s was decided twice", (long long)fact->command_offset, clients_request(fact->request)->id);
    }
}

void checks_event(int32_t partition, const struct entry *entry)
{
    struct history *h = &histories[partition];
    struct event event;
    tally.events++;
    tally.claims += entry->claim;
    tally.void_events += !entry->valid;
    if (entry->claim || !entry->valid)
        return;
    if (entry->attempts) {
        tally.attempts += entry->rec.value.p && !envelope_part_of(entry->rec.key).p;
        return;
    }
    if (!entry->rec.value.p) {
        removal(h, entry);
        return;
    }
    if (envelope_decode_event(&entry->rec, &event) != ENVELOPE_OK || !key_of(entry->rec.key)) {
        sim_violation("event %lld cannot be read", (long long)entry->rec.offset);
        return;
    }
    struct fact *fact = add_fact(h, key_of(entry->rec.key));
    fact->offset = entry->rec.offset;
    fact->version = event.version;
    fact->exists = event.exists;
    fact->status = event.status;
    fact->command_offset = event.command_offset;
    fact->state = event.state;
    fact->request = event.command_id.p ? clients_request_of(event.command_id) : -1;
    fact->result = event.result;
    if (event.result.p) {
        tally.results++;
        check_parts(partition, fact, fact->offset);
    }
    if (!clock_parse_rfc3339(event.time, &fact->time_ms))
        sim_violation("event %lld has no time", (long long)fact->offset);
    if (event.command_id.p && fact->request < 0)
        sim_violation("event %lld is of a command nobody sent", (long long)fact->offset);
    if (fact->request >= 0)
        fact->same = clients_request(fact->request)->last_fact;
    check_once(h, fact);
    check_chain(h, fact);
}

/* ---- answers ---- */

static void check_write(const struct request *request, const struct reply *reply)
{
    struct history *h = &histories[request->home];
    for (int i = request->last_fact; i >= 0; i = h->facts[i].same) {
        const struct fact *fact = &h->facts[i];
        if (fact->status != reply->status || (reply->status < 204 && !slice_equal(reply->body, fact->state)))
            continue;
        learn(h, (size_t)i + 1);
        return;
    }
    sim_violation("%s of %d (%s) is answered %d, which no valid event says", request->type, request->key, request->id,
                  reply->status);
}

static bool shows(const struct reply *reply, const struct fact *fact)
{
    char etag[ETAG_SIZE];
    if (!fact->exists)
        return reply->status == 404;
    etag_write(fact->version, etag);
    return reply->status == 200 && slice_equal(reply->body, fact->state) && slice_is(reply->etag, etag);
}

static void check_read(const struct request *request, const struct attempt *attempt, const struct reply *reply)
{
    struct history *h = &histories[request->home];
    int i = h->last[request->key], shown = -2;
    for (; i >= (int)attempt->known; i = h->facts[i].before) {
        if (shows(reply, &h->facts[i]))
            shown = i; /* the oldest that explains it */
    }
    if (shows(reply, i < 0 ? &never : &h->facts[i]))
        return; /* what was known already */
    if (shown >= 0)
        learn(h, (size_t)shown + 1);
    else
        sim_violation("a read of %d (%s) shows what is older than what was known, or never was: %d %.*s", request->key,
                      request->id, reply->status, SLICE_ARG(reply->body));
}

/* The event of that command, if any caller had seen one of it when the attempt was sent and it is not forgotten yet. */
static const struct fact *known_fact(const struct request *about, const struct attempt *attempt)
{
    const struct history *h = &histories[about->home];
    for (int i = about->last_fact; i >= 0; i = h->facts[i].same) {
        if (i < (int)attempt->known && age_ms(&h->facts[i]) < world.profile.dedupe_ms - SKEW_MS)
            return &h->facts[i];
    }
    return NULL;
}

static void check_told(const struct request *about, const struct reply *reply)
{
    char text[64] = "";
    const char *status;
    struct history *h = &histories[about->home];
    memcpy(text, reply->body.p, reply->body.len < sizeof(text) ? reply->body.len : sizeof(text) - 1);
    status = strstr(text, "\"status\":");
    for (int i = about->last_fact; status && i >= 0; i = h->facts[i].same) {
        if (h->facts[i].status != atoi(status + strlen("\"status\":")))
            continue;
        learn(h, (size_t)i + 1);
        return;
    }
    sim_violation("of %s is told what no valid event says: %s", about->id, text);
}

/*
 * How a command stands: not older than what anybody knew of it, and nothing that is not so. But 202 an owner that was deposed
 * meanwhile may say of a command it still has under way, as it may of a running write.
 */
static void check_inquiry(const struct request *request, const struct attempt *attempt, const struct reply *reply)
{
    const struct request *about = clients_request(request->about);
    const struct fact *known = known_fact(about, attempt);
    tally.inquiries++;
    if (strcmp(request->type, "thing.operation") == 0 && reply->status == 200)
        check_told(about, reply);
    else if (reply->status == 404 && known)
        sim_violation("%s is not known, after event %lld was seen", about->id, (long long)known->offset);
}

/* Only who sent a record that was told so, or stands before one that was, is told so again. */
static void check_not_now(const struct request *request, int attempt, const struct reply *reply)
{
    const struct history *h = &histories[request->home];
    for (int i = request->last_fact; i >= 0; i = h->facts[i].same) {
        if (h->facts[i].status == reply->status && clients_attempt_before(request->home, attempt, h->facts[i].command_offset))
            return;
    }
    sim_violation("\"not now\" is given as the outcome of %s", request->id);
}

void checks_reply(const struct record *rec)
{
    struct reply reply;
    int number;
    if (envelope_decode_reply(rec, &reply) != ENVELOPE_OK) {
        sim_violation("a reply cannot be read");
        return;
    }
    const struct attempt *attempt = clients_attempt(reply.correlation, &number);
    if (!attempt) {
        sim_violation("a reply to nobody");
        return;
    }
    const struct request *request = clients_request(attempt->request);
    tally.answers++;
    tally.replayed += reply.replayed;
    tally.expired += reply.status == 504;
    if (reply.replayed && reply.status >= 500)
        check_not_now(request, number, &reply);
    if (attempt->imposter) {
        if (reply.status != 422)
            sim_violation("another command under the id %s is answered %d", request->id, reply.status);
        return;
    }
    if (request->unknown) {
        if (reply.status != 501)
            sim_violation("an unknown command is answered %d", reply.status);
    } else if (!request->read) {
        /* 503, 504: its deadline came before its turn */
        if (request->bomb && reply.status != 500 && reply.status != 503 && reply.status != 504)
            sim_violation("a bomb is answered %d", reply.status);
        check_write(request, &reply);
    } else if (request->about >= 0) {
        check_inquiry(request, attempt, &reply);
    } else if (reply.status < 500 && reply.status != 202) {
        tally.reads++;
        check_read(request, attempt, &reply);
    }
    clients_answered(number, reply.status);
}

/* ---- local copies ---- */

static int32_t partition_of(const struct state *state)
{
    return atoi(strrchr(state->binding, '/') + 1);
}

static bool says(const struct entry *entry, const struct state_change *change)
{
    struct slice claim = envelope_claim_of(&entry->rec);
    switch (change->kind) {
    case STATE_CLAIM:
        return entry->claim && slice_equal(claim, change->key);
    case STATE_CLAIM_REMOVED:
        return !entry->rec.value.p;
    case STATE_PART:
        return slice_equal(envelope_part_of(entry->rec.key), change->key) && slice_equal(entry->rec.value, change->value);
    case STATE_PART_REMOVED:
        return !entry->rec.value.p;
    case STATE_ATTEMPTS:
        return entry->valid && entry->rec.value.p;
    case STATE_ATTEMPTS_REMOVED:
        return entry->valid && !entry->rec.value.p;
    case STATE_IGNORED:
        return !entry->valid;
    case STATE_VOID:
        return !entry->valid && slice_equal(entry->rec.key, change->key);
    case STATE_REMOVED:
        return entry->valid && !entry->rec.value.p && slice_equal(entry->rec.key, change->key);
    default:
        return entry->valid && entry->rec.value.p && slice_equal(entry->rec.key, change->key) &&
               (!change->exists || slice_equal(entry->rec.value, change->value));
    }
}

void checks_apply(struct state *state, const struct state_change *changes, size_t count, int64_t next_offset)
{
    int32_t partition = partition_of(state);
    int64_t end = broker_end_offset(TOPIC_EVENTS, partition);
    if (next_offset > end)
        sim_violation("a local copy goes beyond the log's end: %lld of %lld", (long long)next_offset, (long long)end);
    for (size_t i = 0; i < count; i++) {
        if (changes[i].offset < end && !says(broker_entry(TOPIC_EVENTS, partition, changes[i].offset), &changes[i]))
            sim_violation("a local copy takes in what the log does not say at %lld of %d", (long long)changes[i].offset,
                          partition);
    }
}

static void compare_entity(struct state *state, const struct fact *fact, int key, const char *label)
{
    char text[8];
    bool exists = false;
    int64_t version = 0;
    struct slice value;
    snprintf(text, sizeof(text), "%d", key);
    bool found = state_entity(state, slice_of(text), &exists, &version, &value);
    bool same = found ? exists == fact->exists && version == fact->version : !fact->exists && fact->version == 0;
    if (!same || (exists && !slice_equal(value, fact->state)))
        sim_violation("the copy of %s has %d %s at version %lld; the log has version %lld", label, key,
                      exists ? "existing" : "missing", (long long)version, (long long)fact->version);
}

static void compare_outcome(struct state *state, const struct fact *fact, const struct history *h, const char *label)
{
    struct state_outcome outcome;
    const struct request *request = clients_request(fact->request);
    bool newest = true, young = age_ms(fact) < world.profile.dedupe_ms - SKEW_MS;
    for (const struct fact *later = fact + 1; later < h->facts + h->count; later++)
        newest &= later->request != fact->request;
    if (!young || !newest || !request->id[0])
        return;
    if (!state_find_outcome(state, slice_of(request->id), &outcome))
        sim_violation("the copy of %s does not know the outcome of %s", label, request->id);
    else if (outcome.status != fact->status)
        sim_violation("the copy of %s says %d of %s, the log %d", label, outcome.status, request->id, fact->status);
}

/* A copy that knows an outcome has its result; as long as the outcome counts. One that nobody serves keeps outcomes for longer, and a
 * takeover that brings it up to date learns from the log that their parts have gone. */
static void compare_result(struct state *state, const struct fact *fact, const char *label)
{
    struct result result;
    struct state_outcome outcome;
    struct slice bytes;
    char name[RESULT_PART_SIZE];
    if (age_ms(fact) >= world.profile.dedupe_ms - SKEW_MS)
        return;
    if (!state_find_outcome(state, slice_of(clients_request(fact->request)->id), &outcome) || !result_read(outcome.result, &result))
        return;
    for (int64_t part = 0; part < result_parts(&result); part++) {
        int len = result_part_name(result.parts_id, part, name);
        if (!state_part(state, slice_make(name, (size_t)len), &bytes))
            sim_violation("the copy of %s knows the outcome of %s and not its result", label, clients_request(fact->request)->id);
    }
}

static void compare_copy(const struct process *p, int32_t partition)
{
    char dir[160];
    const char *wiped;
    struct state *state;
    struct state_error error;
    struct history *h = &histories[partition];
    const struct state_binding binding = {
        .cluster_id = "simulated", .topic = "thing.events", .partition = partition, .int64_keys = true};
    snprintf(dir, sizeof(dir), "%s/thing.events-%d", p->dir, partition);
    if (access(dir, F_OK) != 0)
        return;
    if (state_open(dir, &binding, &state, &wiped, &error) != 0) {
        sim_violation("the copy of %s cannot be opened: %s", p->label, error.text);
        return;
    }
    int64_t checkpoint = state_checkpoint(state);
    if (checkpoint > broker_end_offset(TOPIC_EVENTS, partition))
        sim_violation("the copy of %s is ahead of the log", p->label);
    for (int key = 1; key <= SIM_KEYS; key++) {
        int i = h->last[key];
        while (i >= 0 && h->facts[i].offset >= checkpoint)
            i = h->facts[i].before;
        if (key % SIM_PARTITIONS == partition)
            compare_entity(state, i < 0 ? &never : &h->facts[i], key, p->label);
    }
    for (size_t i = 0; i < h->count; i++) {
        if (h->facts[i].offset < checkpoint && h->facts[i].request >= 0 && i + 400 > h->count)
            compare_outcome(state, &h->facts[i], h, p->label);
        if (h->facts[i].offset < checkpoint && h->facts[i].request >= 0 && h->facts[i].result.p)
            compare_result(state, &h->facts[i], p->label);
    }
    state_close(state);
}

/* ---- the log, compacted, read by somebody new ---- */

static void read_compacted(int32_t partition)
{
    struct journal_reader reader = {0};
    const struct entry *newest[SIM_KEYS + 1] = {NULL};
    struct history *h = &histories[partition];
    int64_t offset = 0, end = broker_end_offset(TOPIC_EVENTS, partition);
    struct entry *entry;
    broker_compact(partition, 0, INT64_MAX / 4);
    while ((entry = broker_next(TOPIC_EVENTS, partition, &offset, end))) {
        struct entry again = *entry; /* judged by what compaction left */
        broker_judge(&reader, &again);
        if (again.valid && key_of(entry->rec.key))
            newest[key_of(entry->rec.key)] = entry;
    }
    for (size_t i = 0; i < h->count; i++) {
        if (h->facts[i].result.p && age_ms(&h->facts[i]) < world.profile.dedupe_ms - SKEW_MS)
            check_parts(partition, &h->facts[i], end);
    }
    for (int key = 1; key <= SIM_KEYS; key++) {
        const struct fact *fact = h->last[key] < 0 ? &never : &h->facts[h->last[key]];
        struct event event = {.version = 0};
        if (newest[key] && newest[key]->rec.value.p && envelope_decode_event(&newest[key]->rec, &event) != ENVELOPE_OK)
            event.version = -1;
        if (event.version != fact->version || event.exists != fact->exists ||
            (event.exists && !slice_equal(event.state, fact->state)))
            sim_violation("the compacted log of %d has %d at version %lld, not %lld", partition, key, (long long)event.version,
                          (long long)fact->version);
    }
}

void checks_finish(void)
{
    for (int32_t partition = 0; partition < SIM_PARTITIONS; partition++) {
        for (int i = 0; i < SIM_PROCESSES; i++)
            compare_copy(&world.processes[i], partition);
        read_compacted(partition);
    }
    clients_check();
    if (messages_alive() != 0)
        sim_violation("%ld records were never freed", messages_alive());
}
