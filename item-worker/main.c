/* SPDX-License-Identifier: Apache-2.0 */
/* roundtrip-item-worker: the item service in the worker runtime. */
#include "handlers.h"

int main(int argc, char **argv)
{
    return worker_main(&item_service, argc, argv);
}
