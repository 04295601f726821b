/* SPDX-License-Identifier: Apache-2.0 */
/* The computation routes: what of a request becomes key and body. The compute-worker decides about everything
 * else. */
#ifndef ROUNDTRIP_GATEWAY_COMPUTATIONS_H
#define ROUNDTRIP_GATEWAY_COMPUTATIONS_H

#include "routes.h"

/** The computation behind GET /heavy_computation/: about two seconds of one core. `?n=` asks for another n; the worker knows its bounds. */
#define COMPUTATIONS_HEAVY_BODY "{\"kind\":\"primes\",\"params\":{\"n\":1900000000}}"

/** A page of GET /computations/, and how long one is when nothing is said: the worker's bounds (compute-worker/list.h). */
#define COMPUTATIONS_LIST_MAX     100
#define COMPUTATIONS_LIST_DEFAULT 20

build_fn computations_build_start, computations_build_get, computations_build_heavy, computations_build_list;
finish_fn computations_finish_start, computations_finish_heavy, computations_finish_list;

#endif
