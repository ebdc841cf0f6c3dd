// The state of the load generator: its connections and what is in flight on them.
#ifndef BENCH_GENERATOR_H
#define BENCH_GENERATOR_H

#include "load-options.h"
#include "requests.h"
#include "tally.h"

#define READ_CAPACITY 65536
#define WRITE_CAPACITY 65536
// An answer is at most 1,024 bytes; a longer line is none.
#define HELD_CAPACITY 2048

// A request on its way. In the open loop its time begins when it was due, not when it was sent.
struct flight {
    uint32_t request;
    int64_t start_ns;
};

// The counters run on from 0: those from `answered` to `sent` wait for their answers, those to `queued` to be sent.
struct connection {
    // -1 while it is not open.
    int fd;
    uint32_t watched_events;
    uint32_t queued;
    uint32_t sent;
    uint32_t answered;
    // How much of the first request that is not wholly sent is sent.
    size_t sent_bytes;
    struct flight *flights;
    // The beginning of an answer whose end has not come yet.
    size_t held_bytes;
    char held[HELD_CAPACITY];
};

struct generator {
    struct options options;
    struct requests requests;
    struct tally tally;
    bool keeps_connections;
    int epoll_fd;
    // The time of the latest answer or wake-up: the clock is read once for each.
    int64_t now_ns;
    int64_t next_sweep_ns;
    struct connection *connections;
    uint32_t connection_count;
    // Those that are not open: failed and to be opened again, or free for a request of the open loop.
    struct connection **idle;
    uint32_t idle_count;
    int64_t next_reopen_ns;
    // Of the open loop: when it began, and how many requests have been due.
    int64_t first_due_ns;
    uint64_t due_count;
    // Which of the addresses the latest connection came from.
    uint32_t last_source;
    char incoming[READ_CAPACITY];
    char outgoing[WRITE_CAPACITY];
};

// Opens a connection and sends its first requests, whose time began at `start_ns`.
void open_connection(struct generator *g, struct connection *c, int64_t start_ns);

// Does what epoll's events on a connection call for.
void on_event(struct generator *g, struct connection *c, uint32_t events);

// Ends a connection and puts it among the idle ones.
void retire(struct generator *g, struct connection *c);

// Ends a connection because it failed; whatever was in flight on it has failed in the same way.
void lose(struct generator *g, struct connection *c, enum failure kind);

// When the oldest request in flight began. There has to be one.
static inline int64_t oldest_start_ns(const struct generator *g, const struct connection *c)
{
    return c->flights[c->answered % g->options.depth].start_ns;
}

#endif
