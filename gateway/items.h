/* SPDX-License-Identifier: Apache-2.0 */
/* The item routes: what of a request becomes key and body. The item-worker decides about everything else. */
#ifndef ROUNDTRIP_GATEWAY_ITEMS_H
#define ROUNDTRIP_GATEWAY_ITEMS_H

#include "routes.h"

#define ITEMS_LIST_DEFAULT 100
#define ITEMS_LIST_MAX     1000

build_fn items_build_create, items_build_one, items_build_put, items_build_list;
finish_fn items_finish_list;

#endif
