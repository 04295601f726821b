/* SPDX-License-Identifier: Apache-2.0 */
/* Homes, the fewest outstanding, moving, sending again; see spread.h. */
#include "spread.h"

#include <stdlib.h>

/** The weight of the newest part in `usual_ns`, one in so many. */
#define USUAL_WEIGHT 8

unsigned spread_places(const struct spread *spread)
{
    return spread->options.partitions < SPREAD_PLACES ? (unsigned)spread->options.partitions : SPREAD_PLACES;
}

/* Neighbours at home have their second places in different partitions, so that a dead one's parts go to all others. */
int32_t spread_partition(const struct spread *spread, size_t part, unsigned place)
{
    size_t n = (size_t)spread->options.partitions, home = ((size_t)spread->options.first + part) % n;
    if (place == 0)
        return (int32_t)home;
    return (int32_t)((home + 1 + (part / n + place - 1) % (n - 1)) % n);
}

bool spread_init(struct spread *spread, const struct spread_options *options)
{
    *spread = (struct spread){.options = *options, .unsent = options->parts};
    spread->parts = calloc(options->parts, sizeof(*spread->parts));
    spread->partitions = calloc((size_t)options->partitions, sizeof(*spread->partitions));
    if (!spread->parts || !spread->partitions) {
        spread_free(spread);
        return false;
    }
    for (size_t i = 0; i < options->parts; i++)
        spread->partitions[spread_partition(spread, i, 0)].at_home++;
    return true;
}

void spread_free(struct spread *spread)
{
    free(spread->parts);
    free(spread->partitions);
    spread->parts = NULL;
    spread->partitions = NULL;
}

/* ---- sending ---- */

/* Until it is known what is usual, only what may have been lost is sent again. */
static int64_t patience_ns(const struct spread *spread, bool anew)
{
    const struct spread_options *options = &spread->options;
    int64_t twice = 2 * spread->usual_ns;
    if (!anew || spread->usual_ns == 0)
        return options->resend_ns > twice ? options->resend_ns : twice;
    return options->hedge_ns > twice ? options->hedge_ns : twice;
}

static struct spread_order send(struct spread *spread, size_t index, unsigned place, int64_t now_ns)
{
    struct spread_part *part = &spread->parts[index];
    int32_t partition = spread_partition(spread, index, place);
    bool first = part->sent == 0;
    if (first) {
        spread->unsent--;
        spread->out++;
        spread->partitions[spread_partition(spread, index, 0)].at_home--;
        part->sent_ns = now_ns;
    }
    if (!(part->open >> place & 1))
        spread->partitions[partition].outstanding++;
    part->sent |= (uint8_t)(1U << place);
    part->open |= (uint8_t)(1U << place);
    part->due_ns = now_ns + patience_ns(spread, first);
    return (struct spread_order){index, place, partition};
}

static size_t load_of(const struct spread *spread, size_t part, unsigned place)
{
    return spread->partitions[spread_partition(spread, part, place)].outstanding;
}

/* Where a part goes that is late, or failed: a place it was not sent to yet, else one that it was. Each time the one with the least to do. */
static unsigned next_place(const struct spread *spread, size_t index)
{
    const struct spread_part *part = &spread->parts[index];
    unsigned best = 0, count = spread_places(spread), all = (1U << count) - 1;
    unsigned choice = ((part->sent | part->gone) & all) == all ? part->gone : part->sent | part->gone;
    while (choice >> best & 1)
        best++;
    for (unsigned place = best + 1; place < count; place++) {
        if (!(choice >> place & 1) && load_of(spread, index, place) < load_of(spread, index, best))
            best = place;
    }
    return best;
}

static bool next_late(struct spread *spread, int64_t now_ns, struct spread_order *ret_order)
{
    for (size_t i = 0; spread->out > 0 && i < spread->options.parts; i++) {
        const struct spread_part *part = &spread->parts[i];
        if (part->done || part->sent == 0 || part->due_ns > now_ns)
            continue;
        *ret_order = send(spread, i, next_place(spread, i), now_ns);
        return true;
    }
    return false;
}

static bool take_home(struct spread *spread, int32_t partition, int64_t now_ns, struct spread_order *ret_order)
{
    size_t n = (size_t)spread->options.partitions;
    size_t from = ((size_t)partition + n - (size_t)spread->options.first % n) % n;
    for (size_t i = from; i < spread->options.parts; i += n) {
        if (spread->parts[i].sent)
            continue;
        *ret_order = send(spread, i, 0, now_ns);
        return true;
    }
    return false;
}

/* The place that a part has in a partition, or none. */
static unsigned place_in(const struct spread *spread, size_t part, int32_t partition)
{
    unsigned place = 1;
    while (place < spread_places(spread) && spread_partition(spread, part, place) != partition)
        place++;
    return place;
}

/* From the end of what is left to the one that has most, of those with more to do: it goes on from the other end. */
static bool take_away(struct spread *spread, int32_t partition, int64_t now_ns, struct spread_order *ret_order)
{
    size_t best = 0, most = 0;
    unsigned best_place = 0;
    for (size_t i = spread->options.parts; i-- > 0;) {
        const struct spread_partition *home = &spread->partitions[spread_partition(spread, i, 0)];
        bool movable = !spread->parts[i].sent && home->at_home > most && home->outstanding > spread->partitions[partition].outstanding;
        unsigned place = movable ? place_in(spread, i, partition) : SPREAD_PLACES;
        if (place >= spread_places(spread))
            continue;
        most = home->at_home;
        best = i;
        best_place = place;
    }
    if (most > 0)
        *ret_order = send(spread, best, best_place, now_ns);
    return most > 0;
}

/* The partition with the fewest outstanding of those with more than `above`, or with as many and a number from `from` on; -1: none. */
static int32_t least_loaded(const struct spread *spread, size_t above, int32_t from)
{
    int32_t best = -1;
    for (int32_t p = 0; p < spread->options.partitions; p++) {
        size_t load = spread->partitions[p].outstanding;
        if (load < above || (load == above && p < from))
            continue;
        if (best < 0 || load < spread->partitions[best].outstanding)
            best = p;
    }
    return best;
}

static bool next_new(struct spread *spread, int64_t now_ns, struct spread_order *ret_order)
{
    if (spread->unsent == 0 || spread->out >= spread->options.in_flight)
        return false;
    int32_t p = least_loaded(spread, 0, 0);
    while (p >= 0) {
        size_t load = spread->partitions[p].outstanding;
        if (take_home(spread, p, now_ns, ret_order) || (spread->usual_ns > 0 && take_away(spread, p, now_ns, ret_order)))
            return true;
        p = least_loaded(spread, load, p + 1);
    }
    return false;
}

bool spread_next(struct spread *spread, int64_t now_ns, struct spread_order *ret_order)
{
    return next_late(spread, now_ns, ret_order) || next_new(spread, now_ns, ret_order);
}

int64_t spread_due_ns(const struct spread *spread)
{
    int64_t due_ns = INT64_MAX;
    for (size_t i = 0; spread->out > 0 && i < spread->options.parts; i++) {
        const struct spread_part *part = &spread->parts[i];
        if (!part->done && part->sent && part->due_ns < due_ns)
            due_ns = part->due_ns;
    }
    return due_ns;
}

/* ---- answers ---- */

static void close_place(struct spread *spread, size_t index, unsigned place)
{
    struct spread_part *part = &spread->parts[index];
    if (!(part->open >> place & 1))
        return; /* one more answer from there */
    part->open &= (uint8_t)~(1U << place);
    spread->partitions[spread_partition(spread, index, place)].outstanding--;
}

bool spread_done(struct spread *spread, size_t index, unsigned place, bool computed, int64_t now_ns)
{
    struct spread_part *part = &spread->parts[index];
    close_place(spread, index, place);
    if (part->done)
        return false;
    part->done = true;
    spread->out--;
    spread->done++;
    int64_t took_ns = now_ns - part->sent_ns;
    if (computed && took_ns > 0)
        spread->usual_ns += spread->usual_ns == 0 ? took_ns : (took_ns - spread->usual_ns) / USUAL_WEIGHT;
    return true;
}

bool spread_gone(struct spread *spread, size_t index, unsigned place, int64_t now_ns)
{
    struct spread_part *part = &spread->parts[index];
    unsigned all = (1U << spread_places(spread)) - 1;
    close_place(spread, index, place);
    part->gone |= (uint8_t)(1U << place);
    if (part->open == 0)
        part->due_ns = now_ns;
    return part->done || (part->gone & all) != all;
}

bool spread_failed(struct spread *spread, size_t index, unsigned place, int64_t again_ns)
{
    struct spread_part *part = &spread->parts[index];
    close_place(spread, index, place);
    if (part->done)
        return true;
    if (part->open == 0)
        part->due_ns = again_ns;
    return ++part->failures < SPREAD_FAILURES;
}
