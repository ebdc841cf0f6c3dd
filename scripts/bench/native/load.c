// The benchmark's load generator: sends requests to a proxy or a server and checks every digest. One thread, epoll.
//
// It is in C because a generator in Node takes more CPU for a request than the proxy that it measures: the figures
// would be its own. For the same reason it makes no system call that is not needed. A request on a connection of its
// own is socket, connect, send, epoll_ctl, recv, close, since on loopback a connection stands when connect returns (and
// two more where connections come from several addresses); on a kept connection it is send and recv.
//
// Prints "start" when counting begins and one line of JSON when it ends.
#include "load.h"

#include <inttypes.h>
#include <math.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#define TIMEOUT_NS (5 * NS_PER_SECOND)
#define SWEEP_NS (250 * NS_PER_MS)
// Connections that have failed are opened again at most 1,000 times a second.
#define REOPEN_NS NS_PER_MS
#define MAX_EVENTS 512
// So many are opened at once; then a moment is spent on what happens on them, because a listener's backlog is short.
#define OPENING_BATCH 64
#define OPENING_PAUSE_NS NS_PER_MS
#define SPARE_DESCRIPTORS 16
#define PAYLOADS 64
#define MAX_PAYLOAD_BYTES 1024

// Two hex digits tell the payloads apart, letters make up the rest.
static void write_payload(char *payload, uint32_t length, uint32_t number)
{
    payload[0] = "0123"[number / 16];
    payload[1] = "0123456789abcdef"[number % 16];
    for (uint32_t i = 2; i < length; i++) payload[i] = (char)('a' + (i * 7 + number) % 26);
}

// Policy after policy, each with another payload than the 63 before it, so that an answer that belongs to another
// request is noticed by its digest.
static void prepare_requests(struct generator *g, uint32_t policies, uint32_t payload_bytes)
{
    static const char FORMAT[] =
        "{\"type\":0,\"srcid\":\"bench\",\"privPoliId\":%u,\"payloadsize\":%u,\"payload\":\"%.*s\"}\n";
    EVP_MD_CTX *hasher = open_hasher();
    char payload[MAX_PAYLOAD_BYTES];
    g->request_count = (PAYLOADS + policies - 1) / policies * policies;
    g->requests = allocate(g->request_count, sizeof *g->requests);
    for (uint32_t i = 0; i < g->request_count; i++) {
        struct request *request = &g->requests[i];
        write_payload(payload, payload_bytes, i % PAYLOADS);
        int length =
            asprintf(&request->bytes, FORMAT, i % policies + 1, payload_bytes, (int)payload_bytes, payload);
        if (length < 0) fail("memory");
        request->length = (size_t)length;
        write_digest(hasher, payload, payload_bytes, request->digest);
    }
}

static int64_t own_cpu_us(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) fail("getrusage");
    int64_t seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec;
    return seconds * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static void start_counting(struct tally *tally)
{
    puts("start");
    fflush(stdout);
    tally->start_ns = clock_ns();
    tally->start_cpu_us = own_cpu_us();
    tally->is_counting = true;
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

static void print_result(const struct tally *tally)
{
    static const char *const FAILURES[] = {"errorReply", "reset", "timeout", "wrongDigest", "refused"};
    static const struct { const char *name; double share; } QUANTILES[] = {
        {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999},
    };
    int64_t cpu_us = own_cpu_us() - tally->start_cpu_us;
    double seconds = (double)(clock_ns() - tally->start_ns) / NS_PER_SECOND;
    printf("{\"requests\":%" PRIu64 ",\"seconds\":%.6f,\"cpuUs\":%" PRId64, tally->answered, seconds, cpu_us);
    for (int i = 0; i < FAILURE_KINDS; i++) {
        printf("%s\"%s\":%" PRIu64, i == 0 ? ",\"errors\":{" : ",", FAILURES[i], tally->failures[i]);
    }
    printf("},\"latencyUs\":{");
    for (int i = 0; i < 4; i++) printf("\"%s\":%" PRId64 ",", QUANTILES[i].name, quantile_us(tally, QUANTILES[i].share));
    printf("\"max\":%" PRId64 "}}\n", tally->max_latency_ns / NS_PER_US);
    fflush(stdout);
}

static int64_t due_ns(const struct generator *g)
{
    return g->first_due_ns + (int64_t)((double)g->due_count * (NS_PER_SECOND / g->rate));
}

// All requests that are due, also those that are late: their time began when they were due.
static void send_due(struct generator *g)
{
    for (int64_t start_ns; (start_ns = due_ns(g)) <= g->now_ns; g->due_count++) {
        if (g->idle_count > 0) open_connection(g, g->idle[--g->idle_count], start_ns);
        else count_failures(&g->tally, FAILURE_REFUSED, 1);
    }
}

static void reopen(struct generator *g)
{
    if (g->idle_count == 0 || g->now_ns < g->next_reopen_ns) return;
    g->next_reopen_ns = g->now_ns + REOPEN_NS;
    open_connection(g, g->idle[--g->idle_count], g->now_ns);
}

static void sweep(struct generator *g)
{
    if (g->now_ns < g->next_sweep_ns) return;
    g->next_sweep_ns = g->now_ns + SWEEP_NS;
    for (uint32_t i = 0; i < g->connection_count; i++) {
        struct connection *c = &g->connections[i];
        int64_t oldest_start_ns = c->flights[c->answered % g->depth].start_ns;
        if (c->fd >= 0 && oldest_start_ns + TIMEOUT_NS < g->now_ns) lose(g, c, FAILURE_TIMEOUT);
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_wake_ns(const struct generator *g)
{
    if (g->mode == MODE_OPEN) return earlier(g->next_sweep_ns, due_ns(g));
    return g->idle_count > 0 ? earlier(g->next_sweep_ns, g->next_reopen_ns) : g->next_sweep_ns;
}

static void run_until(struct generator *g, int64_t end_ns)
{
    struct epoll_event events[MAX_EVENTS];
    while ((g->now_ns = clock_ns()) < end_ns) {
        // To the nanosecond: a whole millisecond is longer than most answers take.
        int64_t wait_ns = earlier(end_ns, next_wake_ns(g)) - g->now_ns;
        if (wait_ns < 0) wait_ns = 0;
        struct timespec timeout = {.tv_sec = wait_ns / NS_PER_SECOND, .tv_nsec = wait_ns % NS_PER_SECOND};
        int count = epoll_pwait2(g->epoll_fd, events, MAX_EVENTS, &timeout, NULL);
        if (count < 0 && errno != EINTR) fail("epoll_pwait2 (Linux 5.11)");
        g->now_ns = clock_ns();
        for (int i = 0; i < count; i++) on_event(g, events[i].data.ptr, events[i].events);
        sweep(g);
        if (g->mode == MODE_OPEN) send_due(g);
        else reopen(g);
    }
}

static struct generator *create_generator(int count, char **words)
{
    static const char USAGE[] =
        "load MODE PORT CONNECTIONS DEPTH RATE SECONDS WARMUP_MS PAYLOAD_BYTES POLICIES SOURCES\n"
        "MODE: 0 oneshot, 1 keep, 2 pipeline, 3 open";
    double numbers[10];
    read_numbers(count, words, numbers, 10, USAGE);
    struct generator *g = allocate(1, sizeof *g);
    g->mode = (enum mode)numbers[0];
    g->target.sin_family = AF_INET;
    g->target.sin_port = htons((uint16_t)numbers[1]);
    g->target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    g->connection_count = (uint32_t)numbers[2];
    g->depth = (uint32_t)numbers[3];
    g->rate = numbers[4];
    g->seconds = numbers[5];
    g->warmup_ms = numbers[6];
    prepare_requests(g, (uint32_t)numbers[8], (uint32_t)numbers[7]);
    g->sources = (uint32_t)numbers[9];
    g->keeps_connections = g->mode == MODE_KEEP || g->mode == MODE_PIPELINE;
    g->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (g->epoll_fd < 0) fail("epoll_create1");
    return g;
}

// In the open loop there are as many as can be waiting before the first of them has timed out.
static void allocate_connections(struct generator *g)
{
    double most = (double)raise_descriptor_limit() - SPARE_DESCRIPTORS;
    double seconds = (double)(TIMEOUT_NS + SWEEP_NS) / NS_PER_SECOND;
    if (g->mode == MODE_OPEN) g->connection_count = (uint32_t)fmin(most, ceil(g->rate * seconds));
    errno = EMFILE;
    if (g->connection_count > most) fail("connections");
    g->connections = allocate(g->connection_count, sizeof *g->connections);
    g->idle = allocate(g->connection_count, sizeof *g->idle);
    struct flight *flights = allocate((size_t)g->connection_count * g->depth, sizeof *flights);
    for (uint32_t i = 0; i < g->connection_count; i++) {
        g->connections[i].fd = -1;
        g->connections[i].flights = flights + (size_t)i * g->depth;
    }
}

static void open_connections(struct generator *g)
{
    for (uint32_t i = 0; i < g->connection_count; i++) {
        open_connection(g, &g->connections[i], clock_ns());
        if (i % OPENING_BATCH == OPENING_BATCH - 1) run_until(g, clock_ns() + OPENING_PAUSE_NS);
    }
}

int main(int count, char **words)
{
    struct generator *g = create_generator(count, words);
    allocate_connections(g);
    // Waits end when they should, and not up to 50 µs later, as is usual to save power.
    prctl(PR_SET_TIMERSLACK, 1L);
    if (g->mode != MODE_OPEN) open_connections(g);
    else for (uint32_t i = 0; i < g->connection_count; i++) retire(g, &g->connections[i]);
    g->first_due_ns = clock_ns();
    run_until(g, g->first_due_ns + (int64_t)(g->warmup_ms * NS_PER_MS));
    start_counting(&g->tally);
    run_until(g, g->tally.start_ns + (int64_t)(g->seconds * NS_PER_SECOND));
    print_result(&g->tally);
    return EXIT_SUCCESS;
}
