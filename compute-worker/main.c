/* SPDX-License-Identifier: Apache-2.0 */
/* roundtrip-compute-worker: the computation service in the worker runtime. */
#include "handlers.h"

int main(int argc, char **argv)
{
    return worker_main(&compute_service, argc, argv);
}
