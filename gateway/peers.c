/* SPDX-License-Identifier: Apache-2.0 */
/* Watching clients. The decisions are patience.c's. */
#include "peers.h"

#include <errno.h>
#include <linux/tcp.h> /* not netinet/tcp.h, whose tcp_info does not count bytes */
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bypass.h"
#include "clock.h"

#define EVENTS_MAX 64
/* Edge-triggered, and without EPOLLIN: what a client sends is libmicrohttpd's to notice. */
#define DEPARTURE (EPOLLRDHUP | EPOLLET)

int peers_open(struct peers *peers, const struct peers_options *options)
{
    *peers = (struct peers){.options = *options};
    peers->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return peers->epoll_fd < 0 ? -errno : 0;
}

void peers_close(struct peers *peers)
{
    if (peers->epoll_fd >= 0)
        close(peers->epoll_fd);
    free(peers->list);
    *peers = (struct peers){.epoll_fd = -1};
}

static bool make_room(struct peers *peers)
{
    if (peers->count < peers->capacity)
        return true;
    uint32_t capacity = peers->capacity ? 2 * peers->capacity : 64;
    struct peer **list = realloc(peers->list, capacity * sizeof(struct peer *));
    if (!list)
        return false;
    peers->list = list;
    peers->capacity = capacity;
    return true;
}

struct peer *peers_add(struct peers *peers, int fd, bool plain)
{
    struct peer *peer = make_room(peers) ? calloc(1, sizeof(*peer)) : NULL;
    struct epoll_event event = {.events = DEPARTURE, .data.ptr = peer};
    if (!peer)
        return NULL;
    if (epoll_ctl(peers->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        free(peer);
        return NULL;
    }
    peer->fd = fd;
    peer->plain = plain;
    peer->at = peers->count;
    peers->list[peers->count++] = peer;
    if (peers->count == 1)
        peers->due_ns = clock_mono_ns() + PEERS_ROUND_NS;
    return peer;
}

void peers_remove(struct peers *peers, struct peer *peer)
{
    struct peer *last = peers->list[--peers->count];
    peers->list[peer->at] = last;
    last->at = peer->at;
    epoll_ctl(peers->epoll_fd, EPOLL_CTL_DEL, peer->fd, NULL);
    free(peer);
}

void peers_sleep(struct peers *peers, struct peer *peer)
{
    struct epoll_event event = {.events = DEPARTURE, .data.ptr = peer};
    peer->asleep = true;
    if (peer->stirred) /* what was seen while it was awake is to be seen again, now that it matters */
        epoll_ctl(peers->epoll_fd, EPOLL_CTL_MOD, peer->fd, &event);
}

void peers_wake(struct peer *peer)
{
    peer->asleep = false;
}

int peers_fd(const struct peers *peers)
{
    return peers->epoll_fd;
}

/* ---- who has left ---- */

static void end_wait(struct peers *peers, struct peer *peer, enum outcome why)
{
    struct flow *flow = peers->options.flow;
    pending_fail(flow->pending, peer->exchange->ticket, why);
    replies_wake(flow->replies);
}

/* Its exchange is the bus thread's; what is read of it here does not change while it waits. */
static void take_departure(struct peers *peers, struct peer *peer, uint32_t events)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct departure seen = {.reset = events & (EPOLLERR | EPOLLHUP),
                                   .half_closed = events & EPOLLRDHUP,
                                   .asked = peer->asked,
                                   .may_ask = peers->options.ask && peer->plain,
                                   .http11 = peer->exchange->req.http11,
                                   .streaming = peer->exchange->streaming};
    switch (patience_departure(&seen)) {
    case PATIENCE_WAIT:
        return;
    case PATIENCE_ASK: /* a client must take it even where it did not ask for it (RFC 9110 section 15.2) */
        peer->asked = true;
        if (send(peer->fd, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof(go_on) - 1)
            end_wait(peers, peer, OUTCOME_LEFT);
        return;
    case PATIENCE_NUDGE:
        peer->asked = true;
        end_wait(peers, peer, OUTCOME_NUDGED);
        return;
    case PATIENCE_LEFT:
        end_wait(peers, peer, OUTCOME_LEFT);
        return;
    }
}

void peers_take_departures(struct peers *peers)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(peers->epoll_fd, events, EVENTS_MAX, 0);
    for (int i = 0; i < n; i++) { /* more than that are said again */
        struct peer *peer = events[i].data.ptr;
        peer->stirred = true;
        if (peer->asleep)
            take_departure(peers, peer, events[i].events);
    }
}

/* ---- who is slow ---- */

int64_t peers_due_ns(const struct peers *peers)
{
    return peers->count ? peers->due_ns : INT64_MAX;
}

static uint64_t received_bytes(int fd)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof(info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 ? info.tcpi_bytes_received : 0;
}

static bool is_slow_head(struct peer *peer, int64_t now_ns, int64_t timeout_ns)
{
    uint64_t bytes = received_bytes(peer->fd);
    if (!peer->plain)
        patience_handshake(&peer->patience, peer->requests, bytes);
    return patience_head_overdue(&peer->patience, peer->requests, bytes, now_ns, timeout_ns);
}

static bool is_slow(struct peers *peers, struct peer *peer, int64_t now_ns)
{
    const struct exchange *x = peer->exchange;
    int64_t timeout_ns = peers->options.read_timeout_ms * CLOCK_NS_PER_MS;
    if (!x || x->state == EXCHANGE_IDLE)
        return is_slow_head(peer, now_ns, timeout_ns);
    if (x->state == EXCHANGE_READING || x->state == EXCHANGE_REFUSED)
        return patience_body_overdue(x->started_ns, x->req.body.len + x->dropped, now_ns, timeout_ns);
    return false;
}

void peers_cut(struct peer *peer, const struct answer *answer)
{
    peer->cut = true;
    if (peer->plain)
        bypass_send(peer->fd, answer);
    shutdown(peer->fd, SHUT_RDWR); /* libmicrohttpd finds it closed then */
}

/* No answer is on its way: no request is complete. */
static void cut_slow(struct peers *peers, struct peer *peer)
{
    struct answer answer = {0};
    stats_add(&peers->options.flow->stats->slow);
    answer_problem(&answer, 408, "The request was not complete in time: send it faster, on a new connection.");
    peers_cut(peer, &answer);
    answer_done(&answer);
}

void peers_look(struct peers *peers, int64_t now_ns)
{
    uint32_t burst = peers->count < PEERS_BURST ? peers->count : PEERS_BURST;
    for (uint32_t i = 0; i < burst; i++) {
        if (peers->next >= peers->count)
            peers->next = 0;
        struct peer *peer = peers->list[peers->next++];
        if (!peer->asleep && !peer->cut && is_slow(peers, peer, now_ns))
            cut_slow(peers, peer);
    }
    peers->due_ns = now_ns + (burst ? PEERS_ROUND_NS / peers->count * burst : PEERS_ROUND_NS);
}
