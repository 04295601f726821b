/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command of a part, compute.part, and its answer. Pure.
 *
 * Body: {"kind","params","parts","index"}; answer: {"outcome": base64,"peak_bytes"}. The id is "part/<hash of the job's command>/<index>-of-<parts>":
 * the same job, delivered again, asks for the same parts, and gets the outcomes of those that are done. The id of a job's command is in the
 * hash, so that one job's cancel does not reach another's parts. No id that the gateway makes begins like it.
 */
#ifndef ROUNDTRIP_COMPUTE_PART_H
#define ROUNDTRIP_COMPUTE_PART_H

#include "body.h"

#define PART_TYPE "compute.part"

/** "part/" and 32 hex digits. */
#define PART_JOB_LEN  (5 + ENVELOPE_FINGERPRINT_LEN)
#define PART_ID_SIZE  (PART_JOB_LEN + 16)
#define PART_KEY_SIZE (PART_ID_SIZE + 16)

/** How many parts a computation is cut into so that each costs at most `part_cost` and its outcome fits a record; 1: it is not cut. */
size_t part_count(const struct kind *kind, const struct input *input, uint64_t part_cost);
/** What all parts of the job with that command have their ids begin with. */
void part_job(const struct command *cmd, char ret_job[PART_JOB_LEN + 1]);
/** Writes the id and a NUL; its length. */
size_t part_id(const char *job, size_t index, size_t parts, char ret_id[PART_ID_SIZE]);
/** A record key that belongs to `partition` of `partitions`: the id, and what is needed for that. And a NUL; its length. */
size_t part_key(const char *id, int32_t partition, int32_t partitions, char ret_key[PART_KEY_SIZE]);
void part_write_body(const struct kind *kind, const char *params, size_t index, size_t parts, struct buf *out);

void part_write_outcome(struct slice outcome, size_t peak_bytes, struct buf *out);
/** Into the arena. KERNEL_REFUSED: it is none. */
enum kernel_end part_read_outcome(struct slice answer, struct arena *arena, struct slice *ret_outcome, size_t *ret_peak_bytes);

#endif
