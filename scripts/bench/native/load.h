// The state of the load generator, and what happens for every request.
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "common.h"

#include <netinet/in.h>

#define READ_CAPACITY 65536
// A pipeline has at most 64 requests of at most 1,200 bytes in flight.
#define WRITE_CAPACITY 131072
// An answer is at most 1,024 bytes; a longer line is none.
#define HELD_CAPACITY 2048
// Latencies are counted in buckets of a microsecond; of longer ones only the maximum is known.
#define LATENCY_BUCKETS 2000000

enum mode {
    MODE_ONESHOT,  // closed loop, a connection for each request
    MODE_KEEP,     // closed loop, one request after the other on each connection
    MODE_PIPELINE, // closed loop, `depth` requests in flight on each connection
    MODE_OPEN      // open loop, `rate` requests a second, each on a connection of its own
};

enum failure {
    FAILURE_ERROR_REPLY,
    FAILURE_RESET,
    FAILURE_TIMEOUT,
    FAILURE_WRONG_DIGEST,
    FAILURE_REFUSED,
    FAILURE_KINDS
};

// Written out before the run, so that sending a request costs no more than sending its bytes.
struct request {
    char *bytes;
    size_t length;
    char digest[DIGEST_LENGTH];
};

// A request on its way. In the open loop its time begins when it was due, not when it was sent.
struct flight {
    const struct request *request;
    int64_t start_ns;
};

// The counters run on from 0: those from `answered` to `sent` wait for their answers, those to `queued` to be sent.
struct connection {
    int fd; // -1 while it is not open
    uint32_t watched_events;
    uint32_t queued;
    uint32_t sent;
    uint32_t answered;
    struct flight *flights;
    // The beginning of an answer whose end has not come yet.
    size_t held_bytes;
    char held[HELD_CAPACITY];
};

// What the counted time has come to.
struct tally {
    bool is_counting;
    int64_t start_ns;
    int64_t start_cpu_us;
    uint64_t answered;
    uint64_t failures[FAILURE_KINDS];
    int64_t max_latency_ns;
    uint32_t latencies[LATENCY_BUCKETS + 1];
};

struct generator {
    enum mode mode;
    struct sockaddr_in target;
    uint32_t depth; // requests in flight on a connection
    double rate;    // requests a second of the open loop
    double seconds;
    double warmup_ms;
    // How many of loopback's addresses the connections for one request come from. A closed connection keeps its port for
    // a second and more, so that one address can open some 14,000 a second to one port.
    uint32_t sources;
    uint32_t last_source;
    bool keeps_connections;
    struct request *requests;
    uint32_t request_count;
    uint32_t next_request;
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
    struct tally tally;
    char incoming[READ_CAPACITY];
    char outgoing[WRITE_CAPACITY];
};

// Opens a connection and sends its first requests, whose time began at `start_ns`.
void open_connection(struct generator *g, struct connection *c, int64_t start_ns);

// Does what epoll's events on a connection call for.
void on_event(struct generator *g, struct connection *c, uint32_t events);

// Closes a connection and puts it among the idle ones.
void retire(struct generator *g, struct connection *c);

// Closes a connection that has failed; what was in flight on it has failed in the same way.
void lose(struct generator *g, struct connection *c, enum failure kind);

static inline void count_answer(struct tally *tally, int64_t latency_ns)
{
    if (!tally->is_counting) return;
    int64_t bucket = latency_ns / NS_PER_US;
    tally->answered++;
    tally->latencies[bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS]++;
    if (latency_ns > tally->max_latency_ns) tally->max_latency_ns = latency_ns;
}

static inline void count_failures(struct tally *tally, enum failure kind, uint32_t count)
{
    if (tally->is_counting) tally->failures[kind] += count;
}

#endif
