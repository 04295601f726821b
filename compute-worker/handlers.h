/* SPDX-License-Identifier: Apache-2.0 */
/* The computation service: what worker_main() runs, and what tests call. Its handlers find a struct budget (arena.h) in call->context. */
#ifndef ROUNDTRIP_COMPUTE_HANDLERS_H
#define ROUNDTRIP_COMPUTE_HANDLERS_H

#include "worker/service.h"

extern const struct service compute_service;

#endif
