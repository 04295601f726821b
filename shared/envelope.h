/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The message contract: commands, events, claims and replies as CloudEvents 1.0 in Kafka's binary content mode.
 *
 * The only codec: gateway, workers and tests go through it. Decoding borrows from the record, encoding borrows from
 * the struct (and starts the list of headers anew); both are pure and never allocate. Key and value of a record are its
 * sender's to set. To add a header: a member here, a row in the table of envelope_command.c, envelope_reply.c or
 * envelope_event.c, and a line in shared/README.md.
 */
#ifndef ROUNDTRIP_ENVELOPE_H
#define ROUNDTRIP_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"
#include "slice.h"

#define ENVELOPE_ID_MAX         400 /* bytes of a ce_id; LMDB keys end at 511 */
#define ENVELOPE_TYPE_MAX       64
#define ENVELOPE_KEY_MAX        256
#define ENVELOPE_CORRELATION_MAX 256
#define ENVELOPE_AUTH_ID_MAX     128
/** Keys of the event log that are no entity's. */
#define ENVELOPE_CLAIM_KEY_PREFIX    "__claim/"
#define ENVELOPE_ATTEMPTS_KEY_PREFIX "__attempts/"
#define ENVELOPE_PART_KEY_PREFIX     "__part/"
#define ENVELOPE_LEFT_KEY            "__left"

/** Where and how to answer. `topic` absent: nobody waits for an answer. */
struct reply_address {
    struct slice topic;
    int32_t partition; /* -1: any, by the correlation id's hash */
    struct slice correlation;
};

struct command {
    struct slice key;  /* the entity's id; absent only for partition-scoped operations */
    struct slice body; /* JSON, may be empty or absent */
    struct slice type, id, source, subject, time, content_type;
    int64_t expiry_ms; /* wall clock, Unix epoch; 0: none */
    struct slice idempotency_key, traceparent, tracestate, if_match;
    struct slice auth_type, auth_id; /* who asked (CloudEvents Auth Context): for handlers that care and for the record */
    struct reply_address reply;
};

enum envelope_error {
    ENVELOPE_OK,
    ENVELOPE_NO_TYPE,
    ENVELOPE_BAD_TYPE,
    ENVELOPE_BAD_ID,
    ENVELOPE_BAD_KEY,
    ENVELOPE_BAD_EXPIRY,
    ENVELOPE_BAD_REPLY,
    ENVELOPE_BAD_EVENT,
    ENVELOPE_BAD_SPECVERSION,
    ENVELOPE_TOO_MANY_HEADERS,
};

/** One sentence that says what is wrong and what to send instead; static storage. */
const char *envelope_error_text(enum envelope_error error);

/**
 * Reads a command. `ret_cmd->id` is absent when the producer gave none: see envelope_position_id(). On an error, what
 * breaks a rule is absent and the rest, the reply address included, is set, so that the caller can be told. What is set
 * keeps to the limits above. A deadline before 1970 becomes 1 ms, one after the year 9999 ends there.
 */
enum envelope_error envelope_decode_command(const struct record *rec, struct command *ret_cmd)
    __attribute__((warn_unused_result));
void envelope_encode_command(const struct command *cmd, struct headers *ret_headers);

/** Writes "topic/partition/offset", the id of a command whose producer gave none; its length, 0 if it does not fit. */
size_t envelope_position_id(const struct record *rec, char *ret_id, size_t size);

/** Reads the reply address: Spring's 4 big-endian bytes or NestJS's decimal text. False when it is malformed. */
bool envelope_decode_reply_address(const struct record *rec, struct reply_address *ret_address)
    __attribute__((warn_unused_result));

struct reply {
    struct slice correlation, command_id, type;
    int status; /* HTTP status, 100..599 */
    struct slice etag, location, retry_after, content_type;
    bool replayed; /* the outcome of an earlier delivery of the same command */
    int64_t worked_us; /* how long its handler worked on a thread pool; 0: not said */
    int64_t result_bytes, result_parts; /* the body is a part of a result of so many bytes in so many parts; -1 and 0: it is not */
    struct slice traceparent, tracestate;
    struct slice body;
};

enum envelope_error envelope_decode_reply(const struct record *rec, struct reply *ret_reply)
    __attribute__((warn_unused_result));
void envelope_encode_reply(const struct reply *reply, struct headers *ret_headers);

/** "work;dur=<milliseconds>", a Server-Timing metric (W3C Server Timing), and a NUL; its length. `us` > 0. */
#define ENVELOPE_TIMING_SIZE 40
size_t envelope_write_timing(int64_t us, char ret_text[ENVELOPE_TIMING_SIZE]);
/** The duration of the metric "work" in such a list, in microseconds; 0: it says none, or none that can be read. */
int64_t envelope_read_timing(struct slice list);

/** The entity after one command, and that command's outcome. The record's key is the entity's. */
struct event {
    struct slice type;       /* of the event: "<service>.created" */
    struct slice command_id; /* ce_id: the command's; absent: the state is written again, with no command */
    struct slice fingerprint;
    int status;
    int32_t command_partition; /* -1: none */
    int64_t command_offset;    /* -1: none */
    struct slice claim; /* its writer's claim id */
    int64_t version;    /* of the entity; 0: it never was */
    bool exists;        /* false: deleted, or never was; the state is empty. Implies version > 0 */
    bool binding;       /* false: the outcome says "not now" and the same id may be tried again */
    struct slice dead_class; /* present: the command became a dead letter of that class after this event */
    struct slice state; /* the record's value */
    struct slice reply_body; /* present where the answer's body is not the state */
    struct slice location, content_type, retry_after; /* of the answer */
    struct slice result; /* present where its result is not the whole body: result.h */
    struct slice auth_type, auth_id; /* of the command */
    struct slice time; /* RFC 3339 */
    struct slice traceparent, tracestate;
};

/** A record without a value is a tombstone and not an event; one with an empty value is. Claims are not events either. */
enum envelope_error envelope_decode_event(const struct record *rec, struct event *ret_event)
    __attribute__((warn_unused_result));
void envelope_encode_event(const struct event *event, struct headers *ret_headers);

/** Header of a claim: the command offset its owner goes on from, in decimal. */
#define ENVELOPE_CLAIM_POSITION "ce_position"
/** Header of a claim: the claim that its owner, still the same process, had before. */
#define ENVELOPE_CLAIM_AFTER "ce_after"
/** That offset; -1: not said. */
int64_t envelope_claim_position(const struct record *rec);
/** Does the key begin like one of ours, so that it can be no entity's? */
bool envelope_key_reserved(struct slice key);
/** The command a key "__attempts/<command id>" counts for; absent: it is another key. */
struct slice envelope_attempts_of(struct slice key);
/** The part of a result that a key "__part/<name>" is of (result_part_name()); absent: it is another key. */
struct slice envelope_part_of(struct slice key);
/** The claim id when the record is a claim (its tombstone is none), else SLICE_NONE. */
struct slice envelope_claim_of(const struct record *rec);

/** What a record without a value removes when it is compacted. */
struct tombstone {
    struct slice claim_id; /* present: that claim, which decides about nothing any more */
    struct slice attempts_of; /* present: the count of attempts of that command */
    struct slice part;     /* present: that part of a result */
    struct slice writer;   /* else the record's key is an entity's, and this its writer's claim id; absent: a foreign record */
};
/** How often a command was tried in vain; key "__attempts/<command id>". */
struct attempts {
    struct slice command_id, writer; /* writer: its claim id */
    int count;
    int crashes;      /* processes that ended while only this command ran, or that runs now */
    int beside;       /* processes that ended while it and others ran, or that runs now; absent: 0 */
    int64_t first_ms; /* wall clock of the first attempt */
};
/** False when the record is none. */
bool envelope_decode_attempts(const struct record *rec, struct attempts *ret_attempts);
/** The key is the sender's to set; the value says why, in JSON. */
void envelope_encode_attempts(const struct attempts *attempts, struct headers *ret_headers);

/**
 * An owner has stopped in good order; key ENVELOPE_LEFT_KEY. `ret_writer`: its claim id. False when the record is no such.
 */
bool envelope_decode_left(const struct record *rec, struct slice *ret_writer);
void envelope_encode_left(struct slice writer, struct headers *ret_headers);

/**
 * A part of a result; the value is its bytes. No other record has its key, so it hides nothing, and only the event that names it
 * gives it a meaning: it stands before that, by the same writer under the same claim.
 */
bool envelope_decode_part(const struct record *rec, struct slice *ret_name);
void envelope_encode_part(struct slice writer, struct slice media_type, struct slice time, struct headers *ret_headers);

/** False when the record has a value. */
bool envelope_decode_tombstone(const struct record *rec, struct tombstone *ret_tombstone);
/** `writer` is the claim id of who removes. The record's value must be absent. */
void envelope_encode_tombstone(struct slice writer, struct slice time, struct headers *ret_headers);

/**
 * 128-bit hash of type, key and body in 32 hex digits (XXH3): says whether a repeated id means the same command. Their
 * lengths count too, so bytes cannot move from one to the next; absent and empty are the same.
 */
#define ENVELOPE_FINGERPRINT_LEN 32
void envelope_fingerprint(const struct command *cmd, char ret_hex[ENVELOPE_FINGERPRINT_LEN]);

/** Writes a new UUIDv7 (RFC 9562) and a NUL. Thread-safe. */
#define ENVELOPE_UUID_SIZE 37
void envelope_new_id(int64_t wall_ms, char ret_id[ENVELOPE_UUID_SIZE]);
/** When a text that begins with a UUIDv7 was made, in ms of the wall clock; 0 when it does not begin like one. */
int64_t envelope_id_time_ms(struct slice text);

#endif
