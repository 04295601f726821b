/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into our programs by tests/component/test_fatal.py: a fatal error of a producer, as librdkafka raises it itself when
 * its records and the broker's do not fit together any more. Raised once for each file $ROUNDTRIP_FATAL/<program>, which is
 * removed by it; or <program>.parts: by a compute-worker's producer of parts.
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>

typedef int poll_fn(rd_kafka_t *rk, int timeout_ms);
typedef rd_kafka_type_t type_fn(const rd_kafka_t *rk);
typedef const char *name_fn(const rd_kafka_t *rk);
typedef rd_kafka_resp_err_t fatal_fn(rd_kafka_t *rk, rd_kafka_resp_err_t err, const char *reason);

static void find(void *where, const char *name, void *ret_function)
{
    *(void **)ret_function = dlsym(where, name);
}

int rd_kafka_poll(rd_kafka_t *rk, int timeout_ms)
{
    char path[PATH_MAX];
    const char *folder = getenv("ROUNDTRIP_FATAL");
    poll_fn *poll;
    type_fn *type;
    name_fn *name;
    fatal_fn *raise_fatal;
    find(RTLD_NEXT, "rd_kafka_poll", &poll);
    find(RTLD_NEXT, "rd_kafka_type", &type);
    find(RTLD_NEXT, "rd_kafka_name", &name);
    find(RTLD_NEXT, "rd_kafka_test_fatal_error", &raise_fatal);
    snprintf(path, sizeof(path), "%s/%s%s", folder ? folder : "/nonexistent", program_invocation_short_name,
             strstr(name(rk), "-parts") ? ".parts" : "");
    if (type(rk) == RD_KAFKA_PRODUCER && unlink(path) == 0)
        raise_fatal(rk, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "asked for by a test");
    return poll(rk, timeout_ms);
}
