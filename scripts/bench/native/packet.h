// Packets as the server reads them: JSON objects back to back, of which it needs three fields.
#ifndef BENCH_PACKET_H
#define BENCH_PACKET_H

#include "common.h"

#define MAX_PACKET_BYTES 8192

// A part of the bytes that were read; empty when there is none.
struct slice {
    const char *bytes;
    size_t length;
};

// Fields as they stand in the JSON, strings with their quotes.
struct packet {
    struct slice type;
    struct slice client_id;
    struct slice payload;
};

enum framing {
    FRAMING_COMPLETE,
    FRAMING_INCOMPLETE,
    FRAMING_INVALID
};

// Reads the packet that begins at *cursor and moves the cursor behind it; an incomplete one leaves it where the packet
// begins. Looks at strings and brackets only: what it takes for complete need not be JSON in every detail.
enum framing read_packet(const char **cursor, const char *end, struct packet *packet);

// Whether a type field says `number`, which peers write as a number or as a string.
bool is_type(const struct packet *packet, const char *number);

#endif
