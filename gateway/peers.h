/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clients of one HTTP thread: who has left while a request waits, and who sends too slowly.
 *
 * libmicrohttpd tells neither. It does not look at a suspended connection at all, and its time-out counts from the last
 * byte, so that a byte now and then keeps a connection for ever. So each connection is watched here as well, for its end
 * only: data does not wake this thread twice. And all are looked at in turn, a few at a time, once in PEERS_ROUND_NS.
 *
 * One thread only.
 */
#ifndef ROUNDTRIP_GATEWAY_PEERS_H
#define ROUNDTRIP_GATEWAY_PEERS_H

#include "flow.h"
#include "patience.h"

#define PEERS_ROUND_NS (INT64_C(2000) * CLOCK_NS_PER_MS)
/** Looked at in a row: so long nobody else is served. */
#define PEERS_BURST 64

/** One connection. */
struct peer {
    int fd;
    bool plain;                /* not encrypted: what is sent on `fd` is what the client reads */
    struct exchange *exchange; /* http.c's: made for its first request */
    uint32_t requests;         /* whose heads were complete */
    bool apart;                /* http.c's */
    /* the rest is peers.c's */
    bool asleep, stirred, asked, cut;
    uint32_t at;
    struct patience patience;
};

struct peers_options {
    struct flow *flow;
    int64_t read_timeout_ms;
    bool ask; /* a client that has closed its sending side is asked whether it is still there; else it has left */
};

struct peers {
    struct peers_options options;
    int epoll_fd;
    struct peer **list;
    uint32_t count, capacity, next; /* `next` is to be looked at */
    int64_t due_ns;
};

/** 0 or -errno. */
int peers_open(struct peers *peers, const struct peers_options *options) __attribute__((warn_unused_result));
void peers_close(struct peers *peers);

/** A new connection; NULL: there is no memory or no room to watch it. */
struct peer *peers_add(struct peers *peers, int fd, bool plain);
/** Before `fd` is closed. */
void peers_remove(struct peers *peers, struct peer *peer);

/** Its request waits from now on, or does no longer. */
void peers_sleep(struct peers *peers, struct peer *peer);
void peers_wake(struct peer *peer);

/** Readable when peers_take_departures() has something to do. */
int peers_fd(const struct peers *peers);
/** Ends the requests of those that have left. */
void peers_take_departures(struct peers *peers);
/** Cuts the connection off, with this answer where it can be read; no other may be on its way. */
void peers_cut(struct peer *peer, const struct answer *answer);
/** When peers_look() is to be called; INT64_MAX: nobody is here. */
int64_t peers_due_ns(const struct peers *peers);
/** Looks at some, and cuts off those that are too slow: 408. */
void peers_look(struct peers *peers, int64_t now_ns);

#endif
