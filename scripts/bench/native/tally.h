// What a run of the load generator has come to: answers, failures by kind, latencies, and its own CPU time.
#ifndef BENCH_TALLY_H
#define BENCH_TALLY_H

#include "common.h"

enum failure {
    FAILURE_ERROR_REPLY,
    FAILURE_RESET,
    FAILURE_TIMEOUT,
    FAILURE_WRONG_DIGEST,
    FAILURE_REFUSED,
    FAILURE_KINDS
};

// Latencies are counted in buckets of a microsecond; what takes longer than the last is known by the maximum only.
#define LATENCY_BUCKETS 2000000

struct tally {
    bool is_counting;
    int64_t start_ns;
    int64_t start_cpu_us;
    uint64_t answered;
    uint64_t failures[FAILURE_KINDS];
    // Of the refused ones, those that this machine is to blame for.
    uint64_t port_shortages;
    int64_t max_latency_ns;
    // One more than there are buckets, for everything beyond.
    uint32_t *latencies;
};

void open_tally(struct tally *tally);

// From here on is counted; says so with the line "start".
void start_tally(struct tally *tally);

// Prints the result as one line of JSON.
void print_tally(const struct tally *tally);

// A request was answered right. Inline because this is done for every one.
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

// A connection found no free local port, which is nobody's failure but this machine's. It counts as refused as well.
static inline void count_port_shortage(struct tally *tally)
{
    if (tally->is_counting) tally->port_shortages++;
}

#endif
