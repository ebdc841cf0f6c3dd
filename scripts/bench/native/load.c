// The benchmark's load generator: sends requests to a proxy or a server and checks every digest. One thread, epoll.
//
// It is in C because a generator in Node takes more CPU for a request than the proxy that it measures: the figures
// would be its own. For the same reason it makes no system call that is not needed. A request on a connection of its
// own is socket, connect, send, epoll_ctl, recv, close, since on loopback a connection stands when connect returns (and
// two more where connections come from several addresses); on a kept connection it is send and recv.
//
// Prints "start" when counting begins and one line of JSON when it ends.
#include "common.h"

#include <inttypes.h>
#include <math.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
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
#define READ_CAPACITY 65536
#define MAX_REQUEST_BYTES (MAX_PAYLOAD_BYTES + 128)
// An answer is at most 1,024 bytes; a longer line is none.
#define HELD_CAPACITY 2048
// Latencies are counted in buckets of a microsecond; of longer ones only the maximum is known.
#define LATENCY_BUCKETS 2000000

enum mode {
    MODE_ONESHOT, // closed loop, a connection for each request
    MODE_KEEP,    // closed loop, `depth` requests in flight on each connection
    MODE_OPEN     // open loop, `rate` requests a second, each on a connection of its own
};

enum failure { FAILURE_ERROR_REPLY, FAILURE_RESET, FAILURE_TIMEOUT, FAILURE_WRONG_DIGEST, FAILURE_REFUSED, FAILURE_KINDS };

// Written out before the run, so that sending a request costs no more than sending its bytes. The bytes of the next ones
// follow, behind the last one those of the first ones again: several requests in turn are sent as they lie there.
struct request {
    const char *bytes;
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
    uint64_t answered;
    uint64_t failures[FAILURE_KINDS];
    int64_t max_latency_ns;
    uint32_t latencies[LATENCY_BUCKETS + 1];
};

// A process whose CPU time is measured meanwhile.
struct process {
    pid_t id; // 0: this one
    int64_t start_cpu_us;
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
    struct process *processes;
    uint32_t process_count;
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
};

static void count_answer(struct tally *tally, int64_t latency_ns)
{
    if (!tally->is_counting) return;
    int64_t bucket = latency_ns / NS_PER_US;
    tally->answered++;
    tally->latencies[bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS]++;
    if (latency_ns > tally->max_latency_ns) tally->max_latency_ns = latency_ns;
}

static void count_failures(struct tally *tally, enum failure kind, uint32_t count)
{
    if (tally->is_counting) tally->failures[kind] += count;
}

static struct flight *flight_of(const struct generator *g, const struct connection *c, uint32_t number)
{
    return &c->flights[number % g->depth];
}

static const struct request *request_of(const struct generator *g, const struct connection *c, uint32_t number)
{
    return flight_of(g, c, number)->request;
}

// Closes a connection and puts it among the idle ones.
static void retire(struct generator *g, struct connection *c)
{
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    g->idle[g->idle_count++] = c;
}

// Closes a connection that has failed; what was in flight on it has failed in the same way.
static void lose(struct generator *g, struct connection *c, enum failure kind)
{
    uint32_t in_flight = c->queued - c->answered;
    count_failures(&g->tally, kind, kind == FAILURE_REFUSED || in_flight == 0 ? 1 : in_flight);
    retire(g, c);
}

static enum failure failure_of(int error)
{
    return error == ECONNREFUSED || error == ETIMEDOUT ? FAILURE_REFUSED : FAILURE_RESET;
}

static void watch(const struct generator *g, struct connection *c, uint32_t events)
{
    if (c->watched_events == events) return;
    struct epoll_event event = {.events = events | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    int operation = c->watched_events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(g->epoll_fd, operation, c->fd, &event) != 0) fail("epoll_ctl");
    c->watched_events = events;
}

static void queue_requests(struct generator *g, struct connection *c, uint32_t count, int64_t start_ns)
{
    while (count-- > 0) {
        const struct request *request = &g->requests[g->next_request];
        g->next_request = g->next_request + 1 == g->request_count ? 0 : g->next_request + 1;
        *flight_of(g, c, c->queued++) = (struct flight){.request = request, .start_ns = start_ns};
    }
}

// Sends what is queued, at once or, while the connection is not established, later. What is in flight fits into the
// buffers of a socket: a connection that takes a part of it is broken. False when the connection is lost.
static bool send_queued(struct generator *g, struct connection *c)
{
    if (c->sent == c->queued) return true;
    size_t length = 0;
    for (uint32_t number = c->sent; number != c->queued; number++) length += request_of(g, c, number)->length;
    ssize_t sent = send(c->fd, request_of(g, c, c->sent)->bytes, length, MSG_NOSIGNAL);
    if (sent == (ssize_t)length) c->sent = c->queued;
    else if (sent < 0 && errno == EAGAIN) watch(g, c, EPOLLIN | EPOLLOUT);
    else lose(g, c, sent < 0 ? failure_of(errno) : FAILURE_RESET);
    return c->fd >= 0;
}

// Lets the connections begin at several of loopback's addresses in turn.
static bool choose_source(struct generator *g, int fd)
{
    static const int ON = 1;
    if (g->sources == 1 || g->mode == MODE_KEEP) return true;
    g->last_source = (g->last_source + 1) % g->sources;
    struct sockaddr_in source = address_of(INADDR_LOOPBACK + g->last_source, 0);
    // The port is chosen when the other end is known, because one that is chosen before is taken for all of them.
    return setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &ON, sizeof ON) == 0 &&
           bind(fd, (const struct sockaddr *)&source, sizeof source) == 0;
}

static bool start_connecting(struct generator *g, struct connection *c)
{
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0 || !choose_source(g, c->fd)) return false;
    return connect(c->fd, (const struct sockaddr *)&g->target, sizeof g->target) == 0 || errno == EINPROGRESS;
}

// Opens a connection and sends its first requests, whose time began at `start_ns`.
static void open_connection(struct generator *g, struct connection *c, int64_t start_ns)
{
    static const int ON = 1;
    c->queued = c->sent = c->answered = c->watched_events = 0;
    c->held_bytes = 0;
    if (!start_connecting(g, c)) {
        lose(g, c, FAILURE_REFUSED);
        return;
    }
    // A single request needs no such call: Nagle's algorithm holds nothing back while nothing is unacknowledged.
    if (g->mode == MODE_KEEP) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &ON, sizeof ON);
    queue_requests(g, c, g->depth, start_ns);
    if (send_queued(g, c) && c->watched_events == 0) watch(g, c, EPOLLIN);
}

// What is wrong with a line that does not carry the digest: a blank may stand before the type's value.
static enum failure failure_in(const char *line, size_t length)
{
    static const char TYPE[] = "\"type\":";
    const char *type = memmem(line, length, TYPE, sizeof TYPE - 1);
    if (type == NULL) return FAILURE_WRONG_DIGEST;
    const char *value = type + sizeof TYPE - 1;
    const char *end = line + length;
    while (value < end && *value == ' ') value++;
    return value < end && *value == '-' ? FAILURE_ERROR_REPLY : FAILURE_WRONG_DIGEST;
}

// Answers come in the order of the requests, so this one is for the oldest in flight.
static void settle(struct generator *g, struct connection *c, const char *line, size_t length)
{
    const struct flight *flight = flight_of(g, c, c->answered);
    c->answered++;
    bool is_right = memmem(line, length, flight->request->digest, DIGEST_LENGTH) != NULL;
    if (is_right) count_answer(&g->tally, g->now_ns - flight->start_ns);
    else count_failures(&g->tally, failure_in(line, length), 1);
}

// The only request of a connection is answered: it is closed, and in the closed loop followed by the next.
static void finish(struct generator *g, struct connection *c)
{
    if (g->mode == MODE_OPEN) {
        retire(g, c);
        return;
    }
    close(c->fd);
    open_connection(g, c, g->now_ns);
}

// Takes the answers out of the first `length` bytes of `incoming` and sends as many new requests.
// False when the connection is not there any more, or is another one.
static bool take_answers(struct generator *g, struct connection *c, size_t length)
{
    const char *at = g->incoming;
    const char *end = at + length;
    uint32_t taken = 0;
    for (const char *newline; (newline = memchr(at, '\n', (size_t)(end - at))) != NULL; at = newline + 1) {
        size_t line_length = (size_t)(newline - at);
        if (c->answered == c->sent) {
            // Nobody has asked: the proxy refuses the connection itself, or answers twice.
            lose(g, c, failure_in(at, line_length));
            return false;
        }
        settle(g, c, at, line_length);
        if (g->mode != MODE_KEEP) {
            finish(g, c);
            return false;
        }
        taken++;
    }
    c->held_bytes = (size_t)(end - at);
    if (c->held_bytes > HELD_CAPACITY) {
        lose(g, c, FAILURE_WRONG_DIGEST);
        return false;
    }
    memcpy(c->held, at, c->held_bytes);
    queue_requests(g, c, taken, g->now_ns);
    return send_queued(g, c);
}

// A read that was not filled has taken all there is, but for the end of the connection.
static void read_answers(struct generator *g, struct connection *c, bool has_peer_ended)
{
    for (bool is_more = true; is_more;) {
        size_t room = READ_CAPACITY - c->held_bytes;
        memcpy(g->incoming, c->held, c->held_bytes);
        ssize_t got = recv(c->fd, g->incoming + c->held_bytes, room, 0);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) {
            lose(g, c, got == 0 ? FAILURE_RESET : failure_of(errno));
            return;
        }
        g->now_ns = clock_ns();
        is_more = take_answers(g, c, c->held_bytes + (size_t)got) && (has_peer_ended || (size_t)got == room);
    }
}

// Events are edge-triggered: whatever there is to read is read.
static void on_event(struct generator *g, struct connection *c, uint32_t events)
{
    if ((events & EPOLLOUT) && !send_queued(g, c)) return;
    if (events & ~(uint32_t)EPOLLOUT) read_answers(g, c, events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
}

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
    char *at = allocate(2 * (size_t)g->request_count, MAX_REQUEST_BYTES);
    for (uint32_t i = 0; i < 2 * g->request_count; i++) {
        struct request *request = &g->requests[i % g->request_count];
        write_payload(payload, payload_bytes, i % g->request_count % PAYLOADS);
        uint32_t policy = i % policies + 1;
        int length = snprintf(at, MAX_REQUEST_BYTES, FORMAT, policy, payload_bytes, (int)payload_bytes, payload);
        if (i < g->request_count) *request = (struct request){.bytes = at, .length = (size_t)length};
        write_digest(hasher, payload, payload_bytes, request->digest);
        at += length;
    }
}

// CPU time in µs of a process with all its threads, those that have ended too; -1 when it has ended itself.
static int64_t cpu_us_of(pid_t id)
{
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(id, &clock) != 0 || clock_gettime(clock, &time) != 0) return -1;
    return (time.tv_sec * NS_PER_SECOND + time.tv_nsec) / NS_PER_US;
}

static void start_counting(struct generator *g)
{
    puts("start");
    fflush(stdout);
    for (uint32_t i = 0; i < g->process_count; i++) g->processes[i].start_cpu_us = cpu_us_of(g->processes[i].id);
    g->tally.start_ns = clock_ns();
    g->tally.is_counting = true;
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

static void print_result(const struct generator *g)
{
    static const char *const FAILURES[] = {"errorReply", "reset", "timeout", "wrongDigest", "refused"};
    static const struct { const char *name; double share; } QUANTILES[] = {
        {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999},
    };
    const struct tally *tally = &g->tally;
    double seconds = (double)(clock_ns() - tally->start_ns) / NS_PER_SECOND;
    printf("{\"requests\":%" PRIu64 ",\"seconds\":%.6f,\"cpuUs\":[", tally->answered, seconds);
    for (uint32_t i = 0; i < g->process_count; i++) {
        int64_t cpu_us = cpu_us_of(g->processes[i].id);
        if (i > 0) printf(",");
        if (cpu_us < 0) printf("null");
        else printf("%" PRId64, cpu_us - g->processes[i].start_cpu_us);
    }
    printf("],\"errors\":{");
    for (int i = 0; i < FAILURE_KINDS; i++) {
        printf("%s\"%s\":%" PRIu64, i == 0 ? "" : ",", FAILURES[i], tally->failures[i]);
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
        "load MODE PORT CONNECTIONS DEPTH RATE SECONDS WARMUP_MS PAYLOAD_BYTES POLICIES SOURCES [PROCESS...]\n"
        "MODE: 0 oneshot, 1 keep, 2 open. The CPU time of the processes is measured as well.";
    double numbers[10];
    read_numbers(count, words, numbers, 10, USAGE);
    struct generator *g = allocate(1, sizeof *g);
    g->mode = (enum mode)numbers[0];
    g->target = address_of(INADDR_LOOPBACK, (uint16_t)numbers[1]);
    g->connection_count = (uint32_t)numbers[2];
    g->depth = (uint32_t)numbers[3];
    g->rate = numbers[4];
    g->seconds = numbers[5];
    g->warmup_ms = numbers[6];
    prepare_requests(g, (uint32_t)numbers[8], (uint32_t)numbers[7]);
    g->sources = (uint32_t)numbers[9];
    // The first one is this process.
    g->process_count = (uint32_t)count - 10;
    g->processes = allocate(g->process_count, sizeof *g->processes);
    for (uint32_t i = 1; i < g->process_count; i++) g->processes[i].id = atoi(words[10 + i]);
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
    start_counting(g);
    run_until(g, g->tally.start_ns + (int64_t)(g->seconds * NS_PER_SECOND));
    print_result(g);
    return EXIT_SUCCESS;
}
