// The command line of the load generator.
#ifndef BENCH_LOAD_OPTIONS_H
#define BENCH_LOAD_OPTIONS_H

#include "common.h"

#include <netinet/in.h>

// Payloads begin with two characters that tell them apart.
#define MIN_PAYLOAD_BYTES 2
#define MAX_PAYLOAD_BYTES 1024

#define MAX_DEPTH 1024
#define MAX_SOURCES 64

enum mode {
    MODE_ONESHOT,  // closed loop, a connection for each request
    MODE_KEEP,     // closed loop, one request after the other on each connection
    MODE_PIPELINE, // closed loop, `depth` requests in flight on each connection
    MODE_OPEN      // open loop, `rate` requests a second, each on a connection of its own
};

struct options {
    struct sockaddr_in target;
    enum mode mode;
    uint32_t connections;
    // Requests in flight on one connection: 1 but for pipelining.
    uint32_t depth;
    // Requests a second of the open loop.
    double rate;
    double seconds;
    double warmup_ms;
    // How many of loopback's addresses the connections for one request come from. A closed connection keeps its port for
    // a second and more, so that one address can open some 14,000 a second to one port.
    uint32_t sources;
    uint32_t payload_bytes;
    const char *policies;
};

// Reads the command line; ends the program with 2 when it can't be understood.
struct options read_options(int count, char **words);

#endif
