/* SPDX-License-Identifier: Apache-2.0 */
/* Remembering good tokens: one place for each, by the first bytes of its digest. */
#include "seen.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct place {
    unsigned char digest[CRYPTO_SHA256_LEN];
    int64_t until_s; /* 0: free */
    struct principal principal;
};

struct seen {
    pthread_mutex_t lock;
    struct place places[SEEN_MAX]; /* guarded by lock */
};

int seen_new(struct seen **ret_seen)
{
    struct seen *seen = calloc(1, sizeof(*seen));
    if (!seen)
        return -ENOMEM;
    pthread_mutex_init(&seen->lock, NULL);
    *ret_seen = seen;
    return 0;
}

void seen_free(struct seen *seen)
{
    if (!seen)
        return;
    pthread_mutex_destroy(&seen->lock);
    free(seen);
}

static struct place *place_of(struct seen *seen, const unsigned char *digest)
{
    return &seen->places[((size_t)digest[0] << 8 | digest[1]) % SEEN_MAX];
}

bool seen_find(struct seen *seen, const unsigned char digest[CRYPTO_SHA256_LEN], int64_t now_s, struct principal *ret_principal)
{
    struct place *place = place_of(seen, digest);
    pthread_mutex_lock(&seen->lock);
    bool found = now_s < place->until_s && crypto_same(place->digest, digest, sizeof(place->digest));
    if (found)
        *ret_principal = place->principal;
    pthread_mutex_unlock(&seen->lock);
    return found;
}

void seen_add(struct seen *seen, const unsigned char digest[CRYPTO_SHA256_LEN], int64_t until_s, const struct principal *principal)
{
    struct place *place = place_of(seen, digest);
    pthread_mutex_lock(&seen->lock);
    memcpy(place->digest, digest, sizeof(place->digest));
    place->until_s = until_s;
    place->principal = *principal;
    pthread_mutex_unlock(&seen->lock);
}
