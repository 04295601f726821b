/* SPDX-License-Identifier: Apache-2.0 */
/* The part of /debug/state that all processes share. */
#include "ops/debug.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/statistics.h"
#include "json.h"

/* The number behind `name` in /proc/self/status, such as "VmRSS:"; 0 when there is none. */
static int64_t status_field(const char *status, const char *name)
{
    const char *at = strstr(status, name);
    return at ? strtoll(at + strlen(name), NULL, 10) : 0;
}

void debug_process(struct buf *out, const struct process_identity *identity)
{
    char status[4096];
    process_read("/proc/self/status", status, sizeof(status));
    const struct mallinfo2 heap = mallinfo2();
    buf_printf(out, "{\"process\":{\"pid\":%ld", (long)getpid());
    json_append_text(out, "service", slice_of(identity->service));
    json_append_text(out, "instance", slice_of(identity->instance));
    json_append_text(out, "version", slice_of(ROUNDTRIP_VERSION));
    json_append_text(out, "librdkafka", slice_of(bus_library_version()));
    buf_printf(out, ",\"threads\":%" PRId64 ",\"memory\":{\"resident\":%" PRId64 ",\"resident_peak\":%" PRId64 ",\"own\":%" PRId64,
               status_field(status, "\nThreads:"), status_field(status, "\nVmRSS:") * 1024, status_field(status, "\nVmHWM:") * 1024,
               status_field(status, "\nRssAnon:") * 1024);
    buf_printf(out, ",\"heap\":{\"used\":%zu,\"kept\":%zu,\"mapped\":%zu}}}", heap.uordblks, heap.fordblks, heap.hblkhd);
}
