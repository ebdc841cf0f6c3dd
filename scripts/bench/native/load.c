// The benchmark's load generator: sends requests to a proxy or a server and checks every digest. One thread, epoll.
//
// It is in C because a generator in Node takes more CPU for a request than the proxy that it measures: the figures
// would be its own. For the same reason it makes no system call that is not needed. A request on a connection of its
// own is socket, connect, send, epoll_ctl, recv, close, since on loopback a connection stands when connect returns (and
// two more where connections come from several addresses); on a kept connection it is send and recv.
//
// Prints "start" when counting begins and one line of JSON when it ends.
#include "generator.h"

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

static int64_t due_ns(const struct generator *g)
{
    return g->first_due_ns + (int64_t)((double)g->due_count * (NS_PER_SECOND / g->options.rate));
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
        if (c->fd >= 0 && oldest_start_ns(g, c) + TIMEOUT_NS < g->now_ns) lose(g, c, FAILURE_TIMEOUT);
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_wake_ns(const struct generator *g)
{
    if (g->options.mode == MODE_OPEN) return earlier(g->next_sweep_ns, due_ns(g));
    return g->idle_count > 0 ? earlier(g->next_sweep_ns, g->next_reopen_ns) : g->next_sweep_ns;
}

// Waits to the nanosecond where the kernel can (5.11 and later): a whole millisecond is longer than most answers take.
static int wait_for_events(const struct generator *g, struct epoll_event *events, int64_t timeout_ns)
{
    static bool has_fine_wait = true;
    if (timeout_ns < 0) timeout_ns = 0;
    if (has_fine_wait) {
        struct timespec timeout = {.tv_sec = timeout_ns / NS_PER_SECOND, .tv_nsec = timeout_ns % NS_PER_SECOND};
        int count = epoll_pwait2(g->epoll_fd, events, MAX_EVENTS, &timeout, NULL);
        if (count >= 0 || errno != ENOSYS) return count;
        has_fine_wait = false;
    }
    return epoll_wait(g->epoll_fd, events, MAX_EVENTS, (int)((timeout_ns + NS_PER_MS - 1) / NS_PER_MS));
}

static void run_until(struct generator *g, int64_t end_ns)
{
    struct epoll_event events[MAX_EVENTS];
    while ((g->now_ns = clock_ns()) < end_ns) {
        int count = wait_for_events(g, events, earlier(end_ns, next_wake_ns(g)) - g->now_ns);
        if (count < 0 && errno != EINTR) fail("epoll_wait");
        g->now_ns = clock_ns();
        for (int i = 0; i < count; i++) on_event(g, events[i].data.ptr, events[i].events);
        sweep(g);
        if (g->options.mode == MODE_OPEN) send_due(g);
        else reopen(g);
    }
}

// In the open loop there are as many as can be waiting before the first of them has timed out.
static uint32_t wanted_connections(const struct options *options)
{
    double most = (double)raise_descriptor_limit() - SPARE_DESCRIPTORS;
    double seconds = (double)(TIMEOUT_NS + SWEEP_NS) / NS_PER_SECOND;
    if (options->mode == MODE_OPEN) return (uint32_t)fmin(most, ceil(options->rate * seconds));
    if (options->connections > most) refuse("--connections", "less than the limit of open files (ulimit -n)");
    return options->connections;
}

static struct generator *create_generator(int count, char **words)
{
    struct generator *g = allocate(1, sizeof *g);
    g->options = read_options(count, words);
    g->keeps_connections = g->options.mode == MODE_KEEP || g->options.mode == MODE_PIPELINE;
    prepare_requests(&g->requests, g->options.policies, g->options.payload_bytes);
    open_tally(&g->tally);
    g->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (g->epoll_fd < 0) fail("epoll_create1");
    g->connection_count = wanted_connections(&g->options);
    g->connections = allocate(g->connection_count, sizeof *g->connections);
    g->idle = allocate(g->connection_count, sizeof *g->idle);
    struct flight *flights = allocate((size_t)g->connection_count * g->options.depth, sizeof *flights);
    for (uint32_t i = 0; i < g->connection_count; i++) {
        g->connections[i].fd = -1;
        g->connections[i].flights = flights + (size_t)i * g->options.depth;
    }
    return g;
}

static void open_connections(struct generator *g)
{
    for (uint32_t i = 0; i < g->connection_count; i++) {
        open_connection(g, &g->connections[i], clock_ns());
        if (i % OPENING_BATCH == OPENING_BATCH - 1) run_until(g, clock_ns() + OPENING_PAUSE_NS);
    }
}

static void free_connections(struct generator *g)
{
    for (uint32_t i = 0; i < g->connection_count; i++) retire(g, &g->connections[i]);
}

int main(int count, char **words)
{
    struct generator *g = create_generator(count, words);
    // Waits end when they should, and not up to 50 µs later, as is usual to save power.
    prctl(PR_SET_TIMERSLACK, 1L);
    if (g->options.mode == MODE_OPEN) free_connections(g);
    else open_connections(g);
    g->first_due_ns = clock_ns();
    run_until(g, g->first_due_ns + (int64_t)(g->options.warmup_ms * NS_PER_MS));
    start_tally(&g->tally);
    run_until(g, g->tally.start_ns + (int64_t)(g->options.seconds * NS_PER_SECOND));
    print_tally(&g->tally);
    return EXIT_SUCCESS;
}
