/* SPDX-License-Identifier: Apache-2.0 */
/* The adaptive limit: counting, and its step at the end of a window. */
#include "limit.h"

#include <assert.h>

/** A window ends with so many samples after WINDOW_NS, or with any after WINDOW_MAX_NS. */
#define WINDOW_SAMPLES 16
#define WINDOW_NS      INT64_C(250000000)
#define WINDOW_MAX_NS  INT64_C(2000000000)
/** So many windows in a row must be bad: what waited for a takeover, or a pause of the machine, is answered in one burst. */
#define BAD_WINDOWS 3
/** When no window was bad for so long, what made the limit small is over. */
#define TRUST_NS INT64_C(30000000000)
/** What an idle service takes counts this many times before it is called slow. */
#define TOLERANCE 2
/** A step down is at most to one of this many. */
#define SHRINK_MOST 4
/** The weight of a new window in `base` is one of this many. */
#define BASE_WEIGHT 8

void limit_init(struct limit *limit, const struct limit_options *options)
{
    assert(options->floor >= 1 && options->floor <= options->ceiling && options->target > 0);
    *limit = (struct limit){.options = *options};
    atomic_init(&limit->limit, options->ceiling);
    pthread_mutex_init(&limit->lock, NULL);
}

void limit_done(struct limit *limit)
{
    pthread_mutex_destroy(&limit->lock);
}

static int64_t share_of(const struct limit *limit, int permille)
{
    int64_t most = (int64_t)limit_now(limit) * permille / 1000;
    return most < 1 ? 1 : most; /* some of each kind always pass, or nobody would learn that it goes again */
}

static bool enter(struct limit *limit, int permille)
{
    if (atomic_fetch_add(&limit->in_flight, 1) < share_of(limit, permille))
        return true;
    atomic_fetch_sub(&limit->in_flight, 1);
    return false;
}

/*
 * A limit that is not used does not grow, so one that was lowered in trouble would still refuse the first burst after hours of
 * quiet. Long after the last bad window the service is trusted as at first.
 */
static bool forgive(struct limit *limit, int64_t now_ns)
{
    if (now_ns - atomic_load_explicit(&limit->bad_ns, memory_order_relaxed) < TRUST_NS)
        return false;
    pthread_mutex_lock(&limit->lock);
    bool lifts = limit->bad == 0 && limit_now(limit) < limit->options.ceiling;
    if (lifts)
        atomic_store_explicit(&limit->limit, limit->options.ceiling, memory_order_relaxed);
    pthread_mutex_unlock(&limit->lock);
    return lifts;
}

bool limit_enter(struct limit *limit, int permille, int64_t now_ns)
{
    return enter(limit, permille) || (forgive(limit, now_ns) && enter(limit, permille));
}

bool limit_has_room(struct limit *limit, int permille, int64_t now_ns)
{
    return limit_in_flight(limit) < share_of(limit, permille) || forgive(limit, now_ns);
}

void limit_leave(struct limit *limit)
{
    int before = atomic_fetch_sub(&limit->in_flight, 1);
    assert(before > 0);
    (void)before;
}

static int square_root(int n)
{
    int root = 1;
    while ((int64_t)(root + 1) * (root + 1) <= n)
        root++;
    return root;
}

static int within(int value, const struct limit_options *options)
{
    return value < options->floor ? options->floor : value > options->ceiling ? options->ceiling : value;
}

/*
 * With `lock` held. What the service takes by itself is learnt from windows in which little was under way and all was well; and
 * at the floor: if it is slow even then, it is so by nature.
 */
static void learn_base(struct limit *limit, int64_t average, int64_t target, int current)
{
    bool light = limit->most * 2 <= current;
    if (limit->base == 0 || average < limit->base)
        limit->base = average;
    else if ((light && average <= target) || current == limit->options.floor)
        limit->base += (average - limit->base) / BASE_WEIGHT;
}

static int64_t target_of(const struct limit *limit)
{
    int64_t by_nature = limit->base * TOLERANCE;
    return by_nature > limit->options.target ? by_nature : limit->options.target;
}

/* With `lock` held: the window is over. */
static void step(struct limit *limit, int64_t now_ns)
{
    int current = atomic_load_explicit(&limit->limit, memory_order_relaxed), next = current;
    int64_t average = limit->sum / limit->count, target = target_of(limit);
    limit->bad = average > target ? limit->bad + 1 : 0;
    if (limit->bad)
        atomic_store_explicit(&limit->bad_ns, now_ns, memory_order_relaxed);
    if (limit->bad >= BAD_WINDOWS) {
        /* what was under way made it slow, which can be far less than the limit */
        int used = limit->most < current ? limit->most : current;
        next = average > SHRINK_MOST * target ? used / SHRINK_MOST : (int)(used * target / average);
    } else if (!limit->bad && limit->most * 2 >= current) {
        next = current + (average * 2 <= target ? current : square_root(current));
    }
    learn_base(limit, average, target, current);
    next = within(next, &limit->options);
    if (next == current)
        return;
    atomic_store_explicit(&limit->limit, next, memory_order_relaxed);
    limit->stepped_ns = now_ns;
    limit->bad = 0;
}

static void begin_window(struct limit *limit, int64_t now_ns)
{
    limit->began_ns = now_ns;
    limit->sum = 0;
    limit->count = limit->most = 0;
}

/* With `lock` held. */
static void take(struct limit *limit, int64_t value, int64_t now_ns)
{
    int in_flight = limit_in_flight(limit);
    if (limit->began_ns == 0)
        begin_window(limit, now_ns);
    limit->sum += value > 0 ? value : 0;
    limit->count++;
    if (in_flight > limit->most)
        limit->most = in_flight;
    int64_t lasted_ns = now_ns - limit->began_ns;
    if (lasted_ns >= WINDOW_MAX_NS || (lasted_ns >= WINDOW_NS && limit->count >= WINDOW_SAMPLES)) {
        step(limit, now_ns);
        begin_window(limit, now_ns);
    }
}

void limit_sample(struct limit *limit, int64_t value, int64_t began_ns, int64_t now_ns)
{
    pthread_mutex_lock(&limit->lock);
    if (began_ns >= limit->stepped_ns)
        take(limit, value, now_ns);
    else if (value > target_of(limit)) /* admitted under another limit, it says only that the trouble is not over */
        atomic_store_explicit(&limit->bad_ns, now_ns, memory_order_relaxed);
    pthread_mutex_unlock(&limit->lock);
}

int limit_now(const struct limit *limit)
{
    return atomic_load_explicit(&limit->limit, memory_order_relaxed);
}

int limit_in_flight(const struct limit *limit)
{
    return atomic_load_explicit(&limit->in_flight, memory_order_relaxed);
}
