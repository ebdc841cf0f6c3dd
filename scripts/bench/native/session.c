// Registers the server with the proxy and keeps that up: whenever the session ends it is opened again a moment later.
#include "session.h"

#include "packet.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define RETRY_NS (200 * NS_PER_MS)

void prepare_session(struct session *session, uint16_t proxy_port, const char *id, const char *policy, uint16_t port)
{
    static const char SETUP[] =
        "{\"type\":1,\"id\":%s,\"privPoliId\":%s,\"listenport\":%u,"
        "\"session\":true,\"keepAlive\":true,\"incarnation\":\"%d-%lld\"}\n";
    session->fd = -1;
    session->proxy = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons(proxy_port),
        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)},
    };
    snprintf(session->setup, SETUP_CAPACITY, SETUP, id, policy, port, (int)getpid(), (long long)clock_ns());
    snprintf(session->heartbeat, sizeof session->heartbeat, "{\"type\":3,\"srcid\":%s}\n", id);
}

static void end_session(struct session *session)
{
    if (session->fd >= 0) close(session->fd);
    session->fd = -1;
    session->next_try_ns = clock_ns() + RETRY_NS;
}

void open_session(struct session *session, int epoll_fd)
{
    const struct sockaddr *proxy = (const struct sockaddr *)&session->proxy;
    session->is_setup_sent = session->is_registered = false;
    session->held_bytes = 0;
    session->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (session->fd < 0) fail("socket");
    if (connect(session->fd, proxy, sizeof session->proxy) != 0 && errno != EINPROGRESS) {
        end_session(session);
        return;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = session->fd};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, session->fd, &event) != 0) fail("epoll_ctl");
}

// A line of the session is short and the proxy reads it: what can't be sent at once is as good as an ended session.
static bool say(struct session *session, const char *line)
{
    size_t length = strlen(line);
    return send(session->fd, line, length, MSG_NOSIGNAL) == (ssize_t)length;
}

// Takes the packets out of what is held. False when the session is of no use any more.
static bool take_packets(struct session *session)
{
    const char *cursor = session->held;
    const char *end = cursor + session->held_bytes;
    struct packet packet;
    enum framing framing;
    while ((framing = read_packet(&cursor, end, &packet)) == FRAMING_COMPLETE) {
        if (is_type(&packet, "1")) {
            session->is_registered = true;
        } else if (is_type(&packet, "3")) {
            if (!say(session, session->heartbeat)) return false;
        } else {
            fprintf(stderr, "The proxy says: %.*s\n", (int)packet.payload.length, packet.payload.bytes);
            return false;
        }
    }
    session->held_bytes = (size_t)(end - cursor);
    memmove(session->held, cursor, session->held_bytes);
    return framing == FRAMING_INCOMPLETE && session->held_bytes < SESSION_CAPACITY;
}

void on_session_event(struct session *session)
{
    if (!session->is_setup_sent) {
        session->is_setup_sent = say(session, session->setup);
        if (!session->is_setup_sent && errno != EAGAIN) end_session(session);
        if (!session->is_setup_sent) return;
    }
    for (;;) {
        size_t room = SESSION_CAPACITY - session->held_bytes;
        ssize_t got = recv(session->fd, session->held + session->held_bytes, room, 0);
        if (got < 0 && errno == EAGAIN) return;
        if (got > 0) session->held_bytes += (size_t)got;
        if (got <= 0 || !take_packets(session)) {
            end_session(session);
            return;
        }
    }
}
