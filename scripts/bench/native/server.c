// The benchmark's server: answers every request with the SHA-1 of its payload. One thread, epoll.
//
// It is in C because six servers in Node would take the CPU that the proxy needs, and the figures would be theirs.
// Answers to the requests of one read leave in one write. A connection is read as soon as it is accepted, since a
// client that has one request has sent it by then. It knows the payloads of the generator and of health probes, which
// have no escapes; whoever sends others is refused.
#include "packet.h"
#include "session.h"

#include <getopt.h>
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
#define HEAD_CAPACITY (JSON_NAME_CAPACITY + 32)

static const char ANSWER_MIDDLE[] = ",\"payloadsize\":40,\"payload\":\"";
static const char ANSWER_END[] = "\"}\n";
static const char REFUSAL[] =
    "{\"type\":-1,\"code\":\"BAD_PACKET\",\"retryable\":false,\"sent\":false,\"payloadsize\":67,"
    "\"payload\":\"The benchmark's server takes requests whose payload has no escapes.\"}\n";

// What is left over between two reads of a connection, and what its peer has not taken yet.
struct connection {
    char *held;
    size_t held_bytes;
    char *unsent;
    size_t unsent_bytes;
    size_t unsent_offset;
};

struct server {
    int epoll_fd;
    int listener_fd;
    uint16_t port;
    uint16_t proxy_port;
    char id[JSON_NAME_CAPACITY];
    char policy[JSON_NAME_CAPACITY];
    bool is_ready;
    struct session session;
    struct hasher hasher;
    // `{"type":2,"srcid":…,"destid":`
    char head[HEAD_CAPACITY];
    size_t head_bytes;
    // By descriptor.
    struct connection connections[MAX_DESCRIPTORS];
    char incoming[READ_CAPACITY];
    char outgoing[WRITE_CAPACITY];
    size_t outgoing_bytes;
};

static void append(struct server *s, const char *bytes, size_t length)
{
    memcpy(s->outgoing + s->outgoing_bytes, bytes, length);
    s->outgoing_bytes += length;
}

// False when the connection is to be closed after what is in `outgoing`.
static bool answer(struct server *s, const struct packet *packet)
{
    struct slice payload = packet->payload;
    if (is_type(packet, "-2")) return true;
    bool is_request = is_type(packet, "0") && packet->client_id.length > 0;
    bool is_text = payload.length >= 2 && payload.bytes[0] == '"';
    bool is_plain = is_text && memchr(payload.bytes, '\\', payload.length) == NULL;
    if (!is_request || !is_plain) {
        append(s, REFUSAL, sizeof REFUSAL - 1);
        return false;
    }
    append(s, s->head, s->head_bytes);
    append(s, packet->client_id.bytes, packet->client_id.length);
    append(s, ANSWER_MIDDLE, sizeof ANSWER_MIDDLE - 1);
    write_digest(&s->hasher, payload.bytes + 1, payload.length - 2, s->outgoing + s->outgoing_bytes);
    s->outgoing_bytes += DIGEST_LENGTH;
    append(s, ANSWER_END, sizeof ANSWER_END - 1);
    return true;
}

static void close_connection(struct server *s, int fd)
{
    struct connection *c = &s->connections[fd];
    free(c->held);
    free(c->unsent);
    *c = (struct connection){0};
    close(fd);
}

static void watch(const struct server *s, int operation, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLRDHUP | EPOLLET, .data.fd = fd};
    if (epoll_ctl(s->epoll_fd, operation, fd, &event) != 0) fail("epoll_ctl");
}

static char *copy(const char *bytes, size_t length)
{
    return memcpy(allocate(1, length), bytes, length);
}

// Sends what is in `outgoing`, and keeps what the peer does not take at once. False when the connection has failed.
static bool send_answers(struct server *s, int fd)
{
    struct connection *c = &s->connections[fd];
    if (s->outgoing_bytes == 0) return true;
    ssize_t sent = send(fd, s->outgoing, s->outgoing_bytes, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return false;
    size_t taken = sent < 0 ? 0 : (size_t)sent;
    c->unsent_bytes = s->outgoing_bytes - taken;
    if (c->unsent_bytes > 0) c->unsent = copy(s->outgoing + taken, c->unsent_bytes);
    return true;
}

// Sends the rest of what was kept. False when the connection has failed.
static bool send_rest(struct connection *c, int fd)
{
    ssize_t sent = send(fd, c->unsent + c->unsent_offset, c->unsent_bytes - c->unsent_offset, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    c->unsent_offset += (size_t)sent;
    if (c->unsent_offset == c->unsent_bytes) {
        free(c->unsent);
        c->unsent = NULL;
        c->unsent_bytes = c->unsent_offset = 0;
    }
    return true;
}

// Answers the first `length` bytes of `incoming`. False when the connection is to be closed.
static bool answer_all(struct server *s, int fd, size_t length)
{
    struct connection *c = &s->connections[fd];
    const char *cursor = s->incoming;
    const char *end = cursor + length;
    struct packet packet;
    enum framing framing = FRAMING_INCOMPLETE;
    bool is_trusted = true;
    s->outgoing_bytes = 0;
    while (is_trusted && (framing = read_packet(&cursor, end, &packet)) == FRAMING_COMPLETE) {
        is_trusted = answer(s, &packet);
    }
    bool is_sent = send_answers(s, fd);
    size_t rest = (size_t)(end - cursor);
    if (!is_sent || !is_trusted || framing == FRAMING_INVALID || rest > MAX_PACKET_BYTES) return false;
    free(c->held);
    c->held = rest > 0 ? copy(cursor, rest) : NULL;
    c->held_bytes = rest;
    return true;
}

// Reads and answers what has come. A read that was not filled has taken all there is, but for the connection's end.
// False when the connection is to be closed.
static bool serve(struct server *s, int fd, bool has_peer_ended)
{
    struct connection *c = &s->connections[fd];
    for (bool is_more = true; is_more && c->unsent == NULL;) {
        size_t room = READ_CAPACITY - c->held_bytes;
        if (c->held_bytes > 0) memcpy(s->incoming, c->held, c->held_bytes);
        ssize_t got = recv(fd, s->incoming + c->held_bytes, room, 0);
        if (got < 0 && errno == EAGAIN) return true;
        if (got <= 0 || !answer_all(s, fd, c->held_bytes + (size_t)got)) return false;
        is_more = has_peer_ended || (size_t)got == room;
    }
    return true;
}

// While a peer does not take its answers, nothing more is read from it.
static void on_event(struct server *s, int fd, uint32_t events)
{
    struct connection *c = &s->connections[fd];
    bool was_stuck = c->unsent != NULL;
    bool has_peer_ended = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    // What came while nothing was read has had its event: this time all of it has to be read.
    bool is_open = was_stuck ? send_rest(c, fd) && serve(s, fd, true) : serve(s, fd, has_peer_ended);
    bool is_stuck = c->unsent != NULL;
    if (!is_open) close_connection(s, fd);
    else if (is_stuck != was_stuck) watch(s, EPOLL_CTL_MOD, fd, is_stuck ? EPOLLOUT : EPOLLIN);
}

static void accept_all(struct server *s)
{
    for (;;) {
        int fd = accept4(s->listener_fd, NULL, NULL, SOCK_NONBLOCK);
        if (fd < 0 && errno == ECONNABORTED) continue;
        if (fd < 0 && errno == EAGAIN) return;
        if (fd < 0 || fd >= MAX_DESCRIPTORS) fail("accept");
        if (serve(s, fd, false)) watch(s, EPOLL_CTL_ADD, fd, s->connections[fd].unsent == NULL ? EPOLLIN : EPOLLOUT);
        else close_connection(s, fd);
    }
}

// Accepted sockets have the options of the listener, which spares a call for each.
static void listen_on_loopback(struct server *s)
{
    static const int ON = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(s->port),
        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)},
    };
    s->listener_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (s->listener_fd < 0) fail("socket");
    setsockopt(s->listener_fd, SOL_SOCKET, SO_REUSEADDR, &ON, sizeof ON);
    setsockopt(s->listener_fd, IPPROTO_TCP, TCP_NODELAY, &ON, sizeof ON);
    if (bind(s->listener_fd, (struct sockaddr *)&address, sizeof address) != 0) fail("bind");
    if (listen(s->listener_fd, BACKLOG) != 0) fail("listen");
    watch(s, EPOLL_CTL_ADD, s->listener_fd, EPOLLIN);
}

static void read_options(struct server *s, int count, char **words)
{
    static const struct option OPTIONS[] = {
        {"id", required_argument, NULL, 'i'},   {"policy", required_argument, NULL, 'P'},
        {"port", required_argument, NULL, 'p'}, {"proxy", required_argument, NULL, 'x'},
        {NULL, 0, NULL, 0},
    };
    int letter;
    while ((letter = getopt_long(count, words, "", OPTIONS, NULL)) != -1) {
        if (letter == 'i') write_json_name(s->id, optarg, strlen(optarg), "--id");
        else if (letter == 'P') write_json_name(s->policy, optarg, strlen(optarg), "--policy");
        else if (letter == 'p') s->port = (uint16_t)read_whole(optarg, 1, 65535, "--port", "from 1 to 65535");
        else if (letter == 'x') s->proxy_port = (uint16_t)read_whole(optarg, 1, 65535, "--proxy", "from 1 to 65535");
        else break;
    }
    if (letter == -1 && optind == count && s->id[0] != '\0' && s->policy[0] != '\0' && s->port != 0) return;
    fputs("server --id ID --policy POLICY --port PORT [--proxy PORT]\n", stderr);
    exit(EXIT_USAGE);
}

static struct server *create_server(int count, char **words)
{
    struct server *s = allocate(1, sizeof *s);
    read_options(s, count, words);
    raise_descriptor_limit();
    open_hasher(&s->hasher);
    s->head_bytes = (size_t)snprintf(s->head, HEAD_CAPACITY, "{\"type\":2,\"srcid\":%s,\"destid\":", s->id);
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll_fd < 0) fail("epoll_create1");
    listen_on_loopback(s);
    prepare_session(&s->session, s->proxy_port, s->id, s->policy, s->port);
    return s;
}

// Says once that it listens and, where that is asked for, is registered.
static void tell_ready(struct server *s)
{
    if (s->is_ready || (s->proxy_port != 0 && !s->session.is_registered)) return;
    s->is_ready = true;
    puts("ready");
    fflush(stdout);
}

// Opens the session when it is due. Returns for how many milliseconds there is nothing to do, -1 when for ever.
static int look_after_session(struct server *s)
{
    struct session *session = &s->session;
    if (s->proxy_port == 0) return -1;
    if (session->fd < 0 && session->next_try_ns <= clock_ns()) open_session(session, s->epoll_fd);
    if (session->fd >= 0) return -1;
    return (int)((session->next_try_ns - clock_ns()) / NS_PER_MS) + 1;
}

int main(int count, char **words)
{
    struct server *s = create_server(count, words);
    struct epoll_event events[MAX_EVENTS];
    for (;;) {
        tell_ready(s);
        int ready = epoll_wait(s->epoll_fd, events, MAX_EVENTS, look_after_session(s));
        if (ready < 0 && errno != EINTR) fail("epoll_wait");
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == s->listener_fd) accept_all(s);
            else if (fd == s->session.fd) on_session_event(&s->session);
            else on_event(s, fd, events[i].events);
        }
    }
}
