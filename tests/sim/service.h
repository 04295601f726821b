/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service that is simulated: "thing", keys int64.
 *
 *   thing.create  400 when it exists, else 201 with the body as its state
 *   thing.put     404 when it does not exist, else 200
 *   thing.append  its body behind the state before: shows a lost or doubled effect in the state itself
 *   thing.work    the same, on the pool; some have a result in parts
 *   thing.delete  404 or 204
 *   thing.bomb    ends the process
 *   thing.get     404, 200, or 202 while a pooled write of the key runs
 */
#ifndef ROUNDTRIP_SIM_SERVICE_H
#define ROUNDTRIP_SIM_SERVICE_H

#include "worker/service.h"

extern const struct service sim_service;

#endif
