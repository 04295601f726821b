/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that asks Kafka how far each service is behind, and notes it for the admission of requests (backlog.h).
 *
 * It has clients of its own, since it waits for answers. Workers are taken to be the group "<service>-workers", their default.
 */
#ifndef ROUNDTRIP_GATEWAY_SURVEY_H
#define ROUNDTRIP_GATEWAY_SURVEY_H

#include "admission.h"
#include "degrade.h"
#include "link.h"

struct survey;

/** 0 or -errno. Borrows all. `interval_ms` 0: nothing is asked, and `*ret_survey` is NULL. */
int survey_start(const struct bus_settings *bus, const struct link *link, struct admission *admission, struct degrade *degrade,
                 int64_t interval_ms, struct survey **ret_survey) __attribute__((warn_unused_result));
void survey_stop(struct survey *survey); /* NULL is allowed */

#endif
