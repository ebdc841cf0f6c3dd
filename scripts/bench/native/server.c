// The benchmark's servers: answer every request with the SHA-1 of its payload. One thread, epoll.
//
// They are in C because servers in Node would take the CPU that the proxy needs, and the figures would be theirs.
// Answers to the requests of one read leave in one write. A connection is read as soon as it is accepted, since a
// client that has one request has sent it by then. Packets are those of the generator and of the proxy: a line of JSON
// without blanks, whose payload has no escapes. One process is one server or many: then each has a loopback address of
// its own, and they share a port.
#include "common.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096
#define MAX_EVENTS 512
#define MAX_DESCRIPTORS 65536
#define READ_CAPACITY 65536
// Takes the answers to the requests of any read: the shortest request has 33 bytes, its answer 170 and its id again.
#define WRITE_CAPACITY 1048576
#define MAX_LINE_BYTES 2048
#define HEAD_CAPACITY 64

// A server with its session: it registers over a connection that stays open, and echoes the heartbeats. A session that
// ends, ends the process: with a server less, the figures would be others.
struct server {
    uint32_t id;
    uint32_t policy;
    // `{"type":2,"srcid":…,"destid":`
    char head[HEAD_CAPACITY];
    size_t head_bytes;
    int session_fd;
};

// A connection for requests, or a session: what is left over between two reads.
struct connection {
    struct server *server;
    size_t held_bytes;
    char held[MAX_LINE_BYTES];
};

struct process {
    int epoll_fd;
    int listener_fd;
    uint32_t first;
    uint32_t server_count;
    struct server *servers;
    uint16_t port;
    uint16_t proxy_port; // 0: they do not register
    uint32_t opened_sessions;
    uint32_t registered;
    EVP_MD_CTX *hasher;
    // By descriptor.
    struct connection connections[MAX_DESCRIPTORS];
    char incoming[READ_CAPACITY];
    char outgoing[WRITE_CAPACITY];
    size_t outgoing_bytes;
};

static void watch(const struct process *p, int fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = fd};
    if (fd >= MAX_DESCRIPTORS || epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

// All servers listen and, where that is asked for, are registered.
static void say_ready(void)
{
    puts("ready");
    fflush(stdout);
}

// 127.16.0.1 for the first of all servers, 127.16.1.1 for the 251st. A server that is alone has 127.0.0.1.
static uint32_t host_of(const struct process *p, const struct server *server)
{
    uint32_t number = server->id - 1;
    return p->server_count == 1 ? INADDR_LOOPBACK : 0x7f100001 + number / 250 * 256 + number % 250;
}

// Which server a connection was opened to, by its own address.
static struct server *server_of(const struct process *p, int fd)
{
    if (p->server_count == 1) return p->servers;
    struct sockaddr_in own;
    socklen_t length = sizeof own;
    if (getsockname(fd, (struct sockaddr *)&own, &length) != 0) fail("getsockname");
    uint32_t offset = ntohl(own.sin_addr.s_addr) - 0x7f100001;
    uint32_t index = offset / 256 * 250 + offset % 256 - p->first;
    return &p->servers[index < p->server_count ? index : 0];
}

static void append(struct process *p, const char *bytes, size_t length)
{
    memcpy(p->outgoing + p->outgoing_bytes, bytes, length);
    p->outgoing_bytes += length;
}

// Just behind `field` in the line, or NULL.
static const char *value_of(const char *line, const char *end, const char *field, size_t length)
{
    const char *found = memmem(line, (size_t)(end - line), field, length);
    return found == NULL ? NULL : found + length;
}

// False when the line is no request.
static bool answer(struct process *p, const struct server *server, const char *line, const char *end)
{
    static const char CLIENT[] = "\"srcid\":";
    static const char PAYLOAD[] = "\"payload\":\"";
    static const char MIDDLE[] = ",\"payloadsize\":40,\"payload\":\"";
    static const char END[] = "\"}\n";
    const char *client = value_of(line, end, CLIENT, sizeof CLIENT - 1);
    if (client == NULL) return false;
    const char *client_end = memchr(client, ',', (size_t)(end - client));
    const char *payload = client_end == NULL ? NULL : value_of(client_end, end, PAYLOAD, sizeof PAYLOAD - 1);
    const char *payload_end = payload == NULL ? NULL : memchr(payload, '"', (size_t)(end - payload));
    if (payload_end == NULL || memchr(payload, '\\', (size_t)(payload_end - payload)) != NULL) return false;
    append(p, server->head, server->head_bytes);
    append(p, client, (size_t)(client_end - client));
    append(p, MIDDLE, sizeof MIDDLE - 1);
    write_digest(p->hasher, payload, (size_t)(payload_end - payload), p->outgoing + p->outgoing_bytes);
    p->outgoing_bytes += DIGEST_LENGTH;
    append(p, END, sizeof END - 1);
    return true;
}

// What the protocol's loads have in flight fits into the buffers of a socket: a peer that does not take it is broken.
static bool send_answers(const struct process *p, int fd)
{
    size_t length = p->outgoing_bytes;
    return length == 0 || send(fd, p->outgoing, length, MSG_NOSIGNAL) == (ssize_t)length;
}

// Of a session: takes note that it is registered, and echoes heartbeats. False for anything else.
static bool on_proxy_line(struct process *p, const struct server *server, const char *line, const char *end)
{
    static const char REGISTERED[] = "{\"type\":1,";
    static const char HEARTBEAT[] = "{\"type\":3,";
    size_t length = (size_t)(end - line);
    if (length > sizeof HEARTBEAT && memcmp(line, HEARTBEAT, sizeof HEARTBEAT - 1) == 0) {
        p->outgoing_bytes += (size_t)sprintf(p->outgoing + p->outgoing_bytes, "{\"type\":3,\"srcid\":%u}\n", server->id);
        return true;
    }
    if (length > sizeof REGISTERED && memcmp(line, REGISTERED, sizeof REGISTERED - 1) == 0) {
        if (++p->registered == p->server_count) say_ready();
        return true;
    }
    fprintf(stderr, "The proxy says: %.*s\n", (int)length, line);
    return false;
}

// Answers the lines in the first `length` bytes of `incoming`. False when the connection is to be closed.
static bool answer_all(struct process *p, int fd, size_t length)
{
    struct connection *c = &p->connections[fd];
    bool is_session = fd == c->server->session_fd;
    const char *line = p->incoming;
    const char *end = line + length;
    bool is_valid = true;
    p->outgoing_bytes = 0;
    for (const char *newline; is_valid && (newline = memchr(line, '\n', (size_t)(end - line))) != NULL;) {
        is_valid = (is_session ? on_proxy_line : answer)(p, c->server, line, newline);
        line = newline + 1;
    }
    size_t rest = (size_t)(end - line);
    if (!send_answers(p, fd) || !is_valid || rest > MAX_LINE_BYTES) return false;
    memcpy(c->held, line, rest);
    c->held_bytes = rest;
    return true;
}

// Reads and answers what has come. A read that was not filled has taken all there is, but for the connection's end.
// False when the connection is to be closed.
static bool serve(struct process *p, int fd, bool has_peer_ended)
{
    struct connection *c = &p->connections[fd];
    for (bool is_more = true; is_more;) {
        size_t room = READ_CAPACITY - c->held_bytes;
        memcpy(p->incoming, c->held, c->held_bytes);
        ssize_t got = recv(fd, p->incoming + c->held_bytes, room, MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN) return true;
        if (got <= 0 || !answer_all(p, fd, c->held_bytes + (size_t)got)) return false;
        is_more = has_peer_ended || (size_t)got == room;
    }
    return true;
}

static void close_connection(struct process *p, int fd)
{
    struct connection *c = &p->connections[fd];
    if (fd == c->server->session_fd) {
        fprintf(stderr, "The session of server %u has ended.\n", c->server->id);
        exit(EXIT_FAILURE);
    }
    c->held_bytes = 0;
    close(fd);
}

static void accept_all(struct process *p)
{
    for (;;) {
        int fd = accept4(p->listener_fd, NULL, NULL, SOCK_NONBLOCK);
        if (fd < 0 && errno == ECONNABORTED) continue;
        if (fd < 0 && errno == EAGAIN) return;
        if (fd < 0 || fd >= MAX_DESCRIPTORS) fail("accept");
        p->connections[fd].server = server_of(p, fd);
        if (serve(p, fd, false)) watch(p, fd);
        else close_connection(p, fd);
    }
}

static void open_session(struct process *p, struct server *server)
{
    static const char SETUP[] = "{\"type\":1,\"id\":%u,\"privPoliId\":%u,\"listenport\":%u,\"session\":true,"
                                "\"keepAlive\":true,\"incarnation\":\"%d\"}\n";
    struct sockaddr_in own = address_of(host_of(p, server), 0);
    struct sockaddr_in proxy = address_of(INADDR_LOOPBACK, p->proxy_port);
    int fd = server->session_fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof own) != 0) fail("socket of a session");
    if (connect(fd, (struct sockaddr *)&proxy, sizeof proxy) != 0) fail("connection to the proxy");
    if (dprintf(fd, SETUP, server->id, server->policy, p->port, (int)getpid()) < 0) fail("registration");
    p->connections[fd].server = server;
    watch(p, fd);
}

// Accepted sockets have the options of the listener, which spares a call for each.
static void start_listening(struct process *p)
{
    static const int ON = 1;
    struct sockaddr_in address = address_of(p->server_count == 1 ? INADDR_LOOPBACK : INADDR_ANY, p->port);
    p->listener_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (p->listener_fd < 0) fail("socket");
    setsockopt(p->listener_fd, SOL_SOCKET, SO_REUSEADDR, &ON, sizeof ON);
    setsockopt(p->listener_fd, IPPROTO_TCP, TCP_NODELAY, &ON, sizeof ON);
    if (bind(p->listener_fd, (struct sockaddr *)&address, sizeof address) != 0) fail("bind");
    if (listen(p->listener_fd, BACKLOG) != 0) fail("listen");
    watch(p, p->listener_fd);
}

static struct process *create_process(int count, char **words)
{
    double numbers[5];
    read_numbers(count, words, numbers, 5, "server FIRST_NUMBER SERVERS PORT PROXY_PORT POLICIES");
    struct process *p = allocate(1, sizeof *p);
    p->first = (uint32_t)numbers[0];
    p->server_count = (uint32_t)numbers[1];
    p->port = (uint16_t)numbers[2];
    p->proxy_port = (uint16_t)numbers[3];
    p->servers = allocate(p->server_count, sizeof *p->servers);
    for (uint32_t i = 0; i < p->server_count; i++) {
        struct server *server = &p->servers[i];
        server->id = p->first + i + 1;
        server->policy = (p->first + i) % (uint32_t)numbers[4] + 1;
        server->session_fd = -1;
        int length = snprintf(server->head, HEAD_CAPACITY, "{\"type\":2,\"srcid\":%u,\"destid\":", server->id);
        server->head_bytes = (size_t)length;
    }
    raise_descriptor_limit();
    p->hasher = open_hasher();
    p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (p->epoll_fd < 0) fail("epoll_create1");
    start_listening(p);
    if (p->proxy_port == 0) say_ready();
    return p;
}

int main(int count, char **words)
{
    struct process *p = create_process(count, words);
    struct epoll_event events[MAX_EVENTS];
    for (;;) {
        // One after the other, and probes are answered in between.
        bool is_opening = p->proxy_port != 0 && p->opened_sessions < p->server_count;
        if (is_opening) open_session(p, &p->servers[p->opened_sessions++]);
        int ready = epoll_wait(p->epoll_fd, events, MAX_EVENTS, is_opening ? 0 : -1);
        if (ready < 0 && errno != EINTR) fail("epoll_wait");
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            bool has_peer_ended = events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
            if (fd == p->listener_fd) accept_all(p);
            else if (!serve(p, fd, has_peer_ended)) close_connection(p, fd);
        }
    }
}
