// What happens on the load generator's connections: requests go out, answers come in, in the same order, and each is
// checked. Events are edge-triggered: whatever there is to read is read, whatever can be sent is sent.
#include "load.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static struct flight *flight_of(const struct generator *g, const struct connection *c, uint32_t number)
{
    return &c->flights[number % g->depth];
}

static const struct request *request_of(const struct generator *g, const struct connection *c, uint32_t number)
{
    return flight_of(g, c, number)->request;
}

void retire(struct generator *g, struct connection *c)
{
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    g->idle[g->idle_count++] = c;
}

void lose(struct generator *g, struct connection *c, enum failure kind)
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

// The bytes of all queued requests: a request's own where it is the only one, otherwise joined.
static const char *gather(struct generator *g, const struct connection *c, size_t *length)
{
    const struct request *first = request_of(g, c, c->sent);
    *length = first->length;
    if (c->queued - c->sent == 1) return first->bytes;
    *length = 0;
    for (uint32_t number = c->sent; number != c->queued; number++) {
        const struct request *request = request_of(g, c, number);
        memcpy(g->outgoing + *length, request->bytes, request->length);
        *length += request->length;
    }
    return g->outgoing;
}

// Sends what is queued, at once or, while the connection is not established, later. What is in flight fits into the
// buffers of a socket: a connection that takes a part of it is broken. False when the connection is lost.
static bool send_queued(struct generator *g, struct connection *c)
{
    if (c->sent == c->queued) return true;
    size_t length;
    const char *bytes = gather(g, c, &length);
    ssize_t sent = send(c->fd, bytes, length, MSG_NOSIGNAL);
    if (sent == (ssize_t)length) c->sent = c->queued;
    else if (sent < 0 && errno == EAGAIN) watch(g, c, EPOLLIN | EPOLLOUT);
    else lose(g, c, sent < 0 ? failure_of(errno) : FAILURE_RESET);
    return c->fd >= 0;
}

// Lets the connections begin at several of loopback's addresses in turn.
static bool choose_source(struct generator *g, int fd)
{
    static const int ON = 1;
    if (g->sources == 1 || g->keeps_connections) return true;
    g->last_source = (g->last_source + 1) % g->sources;
    struct sockaddr_in source = {.sin_family = AF_INET};
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + g->last_source);
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

void open_connection(struct generator *g, struct connection *c, int64_t start_ns)
{
    static const int ON = 1;
    c->queued = c->sent = c->answered = c->watched_events = 0;
    c->held_bytes = 0;
    if (!start_connecting(g, c)) {
        lose(g, c, FAILURE_REFUSED);
        return;
    }
    // A single request needs no such call: Nagle's algorithm holds nothing back while nothing is unacknowledged.
    if (g->keeps_connections) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &ON, sizeof ON);
    queue_requests(g, c, g->depth, start_ns);
    if (send_queued(g, c) && c->watched_events == 0) watch(g, c, EPOLLIN);
}

static bool carries_digest(const char *line, size_t length, const char *digest)
{
    // Our own servers' answers end in the digest, a quote and a brace: the search is for others'.
    static const size_t TAIL_LENGTH = DIGEST_LENGTH + 2;
    if (length >= TAIL_LENGTH && memcmp(line + length - TAIL_LENGTH, digest, DIGEST_LENGTH) == 0) return true;
    return memmem(line, length, digest, DIGEST_LENGTH) != NULL;
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
    if (carries_digest(line, length, flight->request->digest)) count_answer(&g->tally, g->now_ns - flight->start_ns);
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
        if (!g->keeps_connections) {
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

void on_event(struct generator *g, struct connection *c, uint32_t events)
{
    if ((events & EPOLLOUT) && !send_queued(g, c)) return;
    if (events & ~(uint32_t)EPOLLOUT) read_answers(g, c, events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
}
