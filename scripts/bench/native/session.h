// The server's session with the proxy: it registers over a connection that stays open and echoes the heartbeats.
#ifndef BENCH_SESSION_H
#define BENCH_SESSION_H

#include "common.h"

#include <netinet/in.h>

#define SESSION_CAPACITY 4096
#define SETUP_CAPACITY 512

struct session {
    struct sockaddr_in proxy;
    char setup[SETUP_CAPACITY];
    char heartbeat[JSON_NAME_CAPACITY + 32];
    // -1 while there is no connection.
    int fd;
    int64_t next_try_ns;
    bool is_setup_sent;
    bool is_registered;
    size_t held_bytes;
    char held[SESSION_CAPACITY];
};

// Prepares what a server says to a proxy on loopback; ids and policies are JSON values.
void prepare_session(struct session *session, uint16_t proxy_port, const char *id, const char *policy, uint16_t port);

// Connects and watches the connection with epoll, which reports its descriptor. Fails by being tried again later.
void open_session(struct session *session, int epoll_fd);

// Does what the connection's events call for; when it ends, `fd` is -1 and `next_try_ns` says when to open it again.
void on_session_event(struct session *session);

#endif
