/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internal to worker/: one process, its partitions, and the commands in them.
 *
 * Everything here belongs to the loop's thread; a pool thread sees only the `call` and `decision` of the work it runs.
 * Flow of one command: worker.c takes it -> partition.c admits it -> dispatch.c decides -> partition.c appends, waits for
 * the acknowledgement, answers, finishes. recover.c brings a partition from "assigned" to "serving".
 */
#ifndef ROUNDTRIP_WORKER_RUNTIME_H
#define ROUNDTRIP_WORKER_RUNTIME_H

#include "bus/consumer.h"
#include "bus/producer.h"
#include "bus/reader.h"
#include "clock.h"
#include "journal.h"
#include "offsets.h"
#include "result.h"
#include "state.h"
#include "worker/breaker.h"
#include "worker/crowd.h"
#include "worker/etag.h"
#include "worker/pool.h"
#include "worker/progress.h"
#include "worker/service.h"
#include "worker/watchdog.h"

/** Commands of one partition that may be under way before its flow is paused, and where it resumes. */
#define PARTITION_WINDOW        4096
#define PARTITION_WINDOW_RESUME 2048
/** Buckets of the tables of tentative state; chains stay short since the window bounds their content. */
#define PARTITION_BUCKETS 1024
/**
 * A state must leave this much of a record free, in bytes: the event of a later write that is refused repeats it together
 * with the refusal, the command's id and its trace context.
 */
#define PARTITION_EVENT_ROOM 8192
/** Final events that may wait before they are applied to the local copy, and for how long. */
#define PARTITION_APPLY_COUNT 256
#define PARTITION_APPLY_NS    (INT64_C(200) * 1000000)

/** Where a command stands; work_move() is the only function that changes it. */
enum work_stage {
    WORK_NEW,
    WORK_QUEUED,     /* behind a running command of the same key */
    WORK_RUNNING,    /* its handler runs on the pool */
    WORK_RETRYING,   /* its handler met a fault, or may not run yet; waits for its next attempt */
    WORK_APPENDING,  /* its event was sent; waits for the acknowledgement */
    WORK_READING,    /* waits until every event before it is final */
    WORK_FORWARDING, /* sent to the partition its key belongs to */
    WORK_BURYING,    /* sent to the dead letter topic */
    WORK_REPLYING,   /* its reply was sent */
    WORK_CLAIMING,   /* not a command: a claim */
    WORK_REPAIRING,  /* not a command: a key's true state, appended again */
    WORK_REMOVING,   /* not a command: a tombstone */
    WORK_NOTING,     /* not a command: a count of attempts, or a part of a result */
    WORK_FINISHED,   /* its offset may be committed */
};

/** What the caller gets, and what is stored for a repeated command. Slices borrow from the work or from the state. */
struct answer {
    int status;
    int64_t version; /* 0: no ETag */
    bool replayed;
    struct slice body, content_type, retry_after;
    struct slice tag; /* present: this ETag, quotes and all */
    int64_t result_bytes, result_parts; /* as in struct reply */
};

struct work {
    enum work_stage stage;
    struct partition *partition;
    bool orphan;  /* its partition was given up: only the memory is still needed, by a delivery or the pool */
    bool awaited; /* a delivery or the pool will hand it back */
    bool tabled;  /* its effect is in the partition's tables, not yet in the local copy */
    struct work *prev, *next; /* partition->works */
    struct work *queue_next;  /* the one queue its stage says: journal, readers, waiting, retrying or letters */

    struct message *msg; /* NULL for claims and repairs */
    int64_t taken_ns;    /* when it was taken up; 0: nobody measures */
    bool forwarded;      /* it stood in the wrong partition */
    struct command cmd;
    const struct operation *op;
    char id[sizeof(ENVELOPE_ATTEMPTS_KEY_PREFIX) + ENVELOPE_ID_MAX]; /* when the producer gave none; a key of ours */
    struct slice key;
    uint64_t sequence; /* READING: the last event before it; APPENDING: its own */

    /* a write's tentative effect, and its outcome */
    struct decision decision;
    struct buf before; /* pool: a copy of the state before */
    struct entity entity_before;
    bool exists;
    int64_t version;
    struct slice state;
    bool binding, final;
    enum { LETTER_EVENT, LETTER_REMOVAL, LETTER_ATTEMPTS, LETTER_LEFT, LETTER_PART } letter; /* what it appends */
    char result_text[RESULT_TEXT_MAX]; /* where its result is: parts.h */
    size_t result_len;
    const char *part_type; /* LETTER_PART: its result's media type */
    bool shrunk; /* its event was too large and was made smaller once */
    int64_t event_offset, event_time_ms;
    char fingerprint[ENVELOPE_FINGERPRINT_LEN];
    char event_time[CLOCK_RFC3339_SIZE], etag[ETAG_SIZE]; /* texts that headers borrow */
    struct answer answer;
    struct buf answer_body; /* owns answer.body where nothing else does */
    struct work *by_key, *by_id; /* chains of the tables */

    bool cancelled;  /* somebody asked that it end: inquire.c */
    int64_t told_ns; /* when */

    /* faults */
    int attempts; /* failed ones, in all processes */
    int crashes;  /* ended processes it was alone in */
    int beside;   /* ended processes it was in with others */
    enum charge { CHARGE_NONE, CHARGE_ALONE, CHARGE_BESIDE } charge; /* suspects.c: which of the two counts it until it has come through */
    bool cleared;     /* its count stands in the log */
    bool leaving;     /* another one is on its way, that others run beside it */
    bool let_go;      /* they do */
    int64_t trial_ns; /* since when it is seen to run on the pool */
    int64_t first_attempt_ms, due_ns;
    int recent;        /* attempts of this process that count, */
    int64_t recent_ns; /* the first of them; not further back than the breaker looks */
    bool excused;      /* they were taken back, once */
    bool probe;         /* its breaker waits for how it ends */
    int probes;         /* how often it was one in vain */
    bool noted;         /* the log has a count of its attempts */
    bool convicted;     /* it ends its process: its count stays until all suspects are through */
    struct buf reason;  /* of its last failure */
    const char *bury;   /* static: becomes a dead letter of that class before its answer leaves */
    const char *dead_class;
    struct slice dead_reason; /* BURYING: static, or `reason` */
    enum { OMIT_NOTHING, OMIT_VALUE, OMIT_ALL } omit; /* of its dead letter: what would make it too large */
    bool went_alone; /* the letter, with no other at the same time */
    char retry_after[12];

    int64_t moved_ns[WORK_FINISHED + 1]; /* when it came to each stage last; only while traces are recorded */

    struct pool_task task;
    struct job job;
    _Atomic int64_t began_ns; /* its handler on the pool; 0: not yet */
    int64_t worked_ns; /* of handlers on the pool, in all attempts; not to be looked at while one runs */
};

enum partition_phase {
    PARTITION_AWAY,      /* not ours */
    PARTITION_WAITING,   /* ours, gave up its claim; claims again when due */
    PARTITION_CLAIMING,  /* the claim was sent */
    PARTITION_CHECKING,  /* looking whether the log is the one that the local copy is of */
    PARTITION_REPLAYING, /* reading the log up to the claim */
    PARTITION_REPAIRING, /* appending what void records hide */
    PARTITION_SERVING,
};

struct work_queue {
    struct work *first, **last;
};

struct partition {
    struct worker *worker;
    int32_t number;
    enum partition_phase phase;
    int64_t retry_ns;  /* WAITING: when to claim again */
    int64_t position;  /* where consumption starts once serving */
    int64_t since_ns;  /* when the claim was sent */
    struct journal_claim held; /* the last one that this process had */
    int64_t claim_offset, low_watermark, replayed_from, replayed_until;
    int64_t idle_check_ns;
    bool flow_paused, floor_dirty, first_command;

    struct state *state;
    struct journal_reader reader;
    struct journal_writer writer;
    struct offsets offsets;
    struct work *works;
    size_t work_count;
    uint64_t appended, resolved; /* sequence numbers of events */
    struct work_queue journal;   /* appended and not applied yet, in log order */
    size_t final_count;          /* of them: final, to be applied */
    int64_t final_since_ns;
    struct work_queue readers;   /* READING, in order */
    struct work_queue waiting;   /* QUEUED, in order */
    struct crowd crowd;          /* of them, by key */
    struct work_queue suspects;  /* QUEUED, each for its turn, and who came after them: suspects.c */
    struct named *spared, *convicted; /* suspects.c */
    int64_t suspect_until;       /* commands below this offset are suspects; -1: none */
    struct work_queue retrying;  /* RETRYING */
    int64_t retry_due_ns;        /* the earliest of them */
    int64_t queue_due_ns;        /* when the deadline of one in `waiting` comes near */
    struct work_queue letters;   /* BURYING, not sent yet: bury.c */
    int letters_out;             /* BURYING, sent */
    bool letters_alone;          /* one at a time */
    struct work *by_key[PARTITION_BUCKETS], *by_id[PARTITION_BUCKETS];
    size_t repairs_open;
};

/** Of the process; the loop counts, any thread reads. Printed at exit. */
struct worker_counters {
    _Atomic uint64_t commands, events, replies, replayed, expired, refused, forwarded, dead_letters, no_reply, claims, void_events;
    _Atomic uint64_t faults, retries;
    _Atomic uint64_t losses, gaps; /* claims given up; of them because of another writer's record */
};

struct meters;
struct ops_server;

struct worker {
    /* fixed after worker_open() */
    const struct service *service;
    const struct config *config;
    void *context; /* of service->open() */
    struct bus_settings bus;
    const char *instance;
    char commands_topic[128], events_topic[128], dead_topic[160], group[128], state_dir[512];
    const char *reply_topics, *control_topic;
    int64_t dedupe_ms;
    int state_lock;
    bool has_pool;
    int key_queue; /* commands that may wait behind one of their key before the partition's flow is paused */
    struct breaker_settings breaker_settings;
    struct breaker *breakers; /* one for each operation */
    int32_t partition_count;
    /* the loop's */
    struct consumer *consumer;
    struct reader *reader;
    struct producer *events, *replies;
    struct pool *pool;
    struct partition *partitions; /* partition_count of them */
    bool assigned_once, ready, failed, stopping;
    bool suspicious;   /* some partition has suspects: they take turns */
    struct work *turn; /* whose it is */
    int let_go;        /* suspects that others run beside */
    int64_t quiet_ns;  /* until when the next one's turn waits for what runs to end; 0: it does not wait */
    int64_t commit_ns, sweep_ns;
    int32_t sweep_next;
    struct progress replay;
    struct watchdog watchdog;
    struct worker_counters count;
    struct meters *meters;  /* NULL: nobody can ask for them */
    struct ops_server *ops; /* NULL: there is none */
};

/** Ends the process with an error, after the current turn of the loop. */
void worker_fail(struct worker *worker, const char *what, const char *why);

#endif
