/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dead letter as values: what its headers say (KIP-1191 and ours), its name, and the command it becomes again. Pure.
 *
 * Topic "dlq.<service>.commands"; a letter is named "<service>-<partition>-<offset>" after its place there.
 */
#ifndef ROUNDTRIP_DEAD_LETTER_H
#define ROUNDTRIP_DEAD_LETTER_H

#include "buf.h"
#include "record.h"

#define DEAD_SERVICE_SIZE 128
#define DEAD_TOPIC_SIZE   (DEAD_SERVICE_SIZE + 16)
#define DEAD_ID_SIZE      (DEAD_SERVICE_SIZE + 32)

struct dead_id {
    char service[DEAD_SERVICE_SIZE];
    int32_t partition;
    int64_t offset;
};
bool dead_id_parse(struct slice text, struct dead_id *ret_id) __attribute__((warn_unused_result));
/** Writes it and a NUL; its length. */
int dead_id_write(const struct dead_id *id, char ret_text[DEAD_ID_SIZE]);

/** The service when `topic` is one of dead letters. */
bool dead_topic_service(struct slice topic, char ret_service[DEAD_SERVICE_SIZE]) __attribute__((warn_unused_result));
void dead_topic_of(const char *service, char ret_topic[DEAD_TOPIC_SIZE]);
void dead_commands_topic_of(const char *service, char ret_topic[DEAD_TOPIC_SIZE]);

/** Borrows from the record. What a letter does not say is absent, and numbers -1. */
struct dead_letter {
    struct dead_id id;
    const struct record *rec;
    struct slice class;  /* poison, permanent, exhausted, crashed */
    struct slice reason; /* a sentence */
    struct slice type, key, command_id;
    int64_t died_ms;    /* wall clock */
    int64_t deliveries; /* how often the command has died, this time counted */
    struct slice origin_topic; /* where the command lay the first time */
    int64_t origin_partition, origin_offset;
};
void dead_letter_read(const struct record *rec, const char *service, struct dead_letter *ret_letter);
/** It is not all of the command, which was too large to be kept: dead_letter_command() needs that, from where it lies. */
bool dead_letter_is_bare(const struct dead_letter *letter);

/** What was done about a letter. DEAD_ANY is no state, but matches all of them. */
enum dead_state { DEAD_OPEN, DEAD_REDRIVEN, DEAD_DISCARDED, DEAD_ANY };
const char *dead_state_name(enum dead_state state);

/** A mark that says so; texts are NUL-terminated. */
struct dead_mark {
    enum dead_state state;
    int64_t at_ms;
    char job[40];
    char reason[256]; /* of a discarded one */
};

/** Appends {"id":…,"state":…,"class":…,…}. `mark` NULL: it is open. */
void dead_letter_write(struct buf *out, const struct dead_letter *letter, const struct dead_mark *mark);
/** The same with headers, body and `history`, which is a JSON array. What is not UTF-8 is written in base64, its name ending in _base64. */
void dead_letter_write_whole(struct buf *out, const struct dead_letter *letter, const struct dead_mark *mark,
                             struct slice history);

/**
 * The command it was, for its commands topic `topic`: key, body, headers and id as they were, without the deadline (it has
 * passed), with its first origin and how often it died, and the job that sends it. `original` is the record to
 * take all that from: the letter's own, or what lies at the origin of a bare one. False when it cannot be whole again: `ret_why`
 * says why. Everything is borrowed.
 */
bool dead_letter_command(const struct dead_letter *letter, const struct record *original, const char *topic,
                         struct slice job, struct headers *ret_headers, struct record *ret_rec, const char **ret_why)
    __attribute__((warn_unused_result));

#endif
