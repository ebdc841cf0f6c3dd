// The beginning and the end of the counted time. What happens for every request is inline in the header.
#include "tally.h"

#include <inttypes.h>

static int64_t own_cpu_us(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) fail("getrusage");
    int64_t seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec;
    return seconds * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

// The smallest latency in microseconds that at least `share` of the answers did not exceed.
static int64_t quantile_us(const struct tally *tally, double share)
{
    uint64_t rank = (uint64_t)ceil(share * (double)tally->answered);
    uint64_t seen = 0;
    for (int64_t us = 0; us < LATENCY_BUCKETS; us++) {
        seen += tally->latencies[us];
        if (seen >= rank) return us;
    }
    return tally->max_latency_ns / NS_PER_US;
}

void open_tally(struct tally *tally)
{
    memset(tally, 0, sizeof *tally);
    tally->latencies = allocate(LATENCY_BUCKETS + 1, sizeof *tally->latencies);
}

void start_tally(struct tally *tally)
{
    puts("start");
    fflush(stdout);
    tally->start_ns = clock_ns();
    tally->start_cpu_us = own_cpu_us();
    tally->is_counting = true;
}

void print_tally(const struct tally *tally)
{
    int64_t cpu_us = own_cpu_us() - tally->start_cpu_us;
    double seconds = (double)(clock_ns() - tally->start_ns) / NS_PER_SECOND;
    const uint64_t *failures = tally->failures;
    printf("{\"requests\":%" PRIu64 ",\"seconds\":%.6f,", tally->answered, seconds);
    printf("\"errors\":{\"errorReply\":%" PRIu64 ",\"reset\":%" PRIu64 ",\"timeout\":%" PRIu64 ",",
           failures[FAILURE_ERROR_REPLY], failures[FAILURE_RESET], failures[FAILURE_TIMEOUT]);
    printf("\"wrongDigest\":%" PRIu64 ",\"refused\":%" PRIu64 "},", failures[FAILURE_WRONG_DIGEST],
           failures[FAILURE_REFUSED]);
    printf("\"latencyUs\":{\"p50\":%" PRId64 ",\"p90\":%" PRId64 ",\"p99\":%" PRId64 ",\"p999\":%" PRId64 ",",
           quantile_us(tally, 0.5), quantile_us(tally, 0.9), quantile_us(tally, 0.99), quantile_us(tally, 0.999));
    printf("\"max\":%" PRId64 "},", tally->max_latency_ns / NS_PER_US);
    printf("\"noLocalPort\":%" PRIu64 ",\"cpuUs\":%" PRId64 "}\n", tally->port_shortages, cpu_us);
    fflush(stdout);
}
