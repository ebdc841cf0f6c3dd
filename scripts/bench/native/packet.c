// Cuts packets out of a stream of bytes, in one pass over each. Strings are jumped over with memchr, so that a payload
// of 1,000 bytes costs little more than one of 64.
#include "packet.h"

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && is_space(*at)) at++;
    return at;
}

// A quote is escaped by an odd number of backslashes; they can't reach past the string's own first quote.
static bool is_escaped(const char *quote)
{
    const char *at = quote - 1;
    while (*at == '\\') at--;
    return (quote - at) % 2 == 0;
}

// Just behind the string that begins at `at`, or NULL when its end has not come yet.
static const char *after_string(const char *at, const char *end)
{
    for (const char *quote = at + 1; (quote = memchr(quote, '"', (size_t)(end - quote))) != NULL; quote++) {
        if (!is_escaped(quote)) return quote + 1;
    }
    return NULL;
}

// Just behind the value that begins at `at`, or NULL when its end has not come yet.
static const char *after_value(const char *at, const char *end)
{
    int depth = 0;
    if (*at == '"') return after_string(at, end);
    while (at != NULL && at < end) {
        bool is_outside = depth == 0;
        if (is_outside && (*at == ',' || *at == '}' || is_space(*at))) return at;
        if (*at == '"') {
            at = after_string(at, end);
            continue;
        }
        if (*at == '{' || *at == '[') depth++;
        if ((*at == '}' || *at == ']') && --depth <= 0) return at + 1;
        at++;
    }
    return NULL;
}

static struct slice slice_of(const char *start, const char *end)
{
    return (struct slice){.bytes = start, .length = (size_t)(end - start)};
}

static bool equals(struct slice slice, const char *text)
{
    return slice.length == strlen(text) && memcmp(slice.bytes, text, slice.length) == 0;
}

static void keep_field(struct packet *packet, struct slice name, struct slice value)
{
    if (equals(name, "\"type\"")) packet->type = value;
    else if (equals(name, "\"srcid\"")) packet->client_id = value;
    else if (equals(name, "\"payload\"")) packet->payload = value;
}

// Reads a field, its name at *cursor, and moves the cursor behind it.
static enum framing read_field(const char **cursor, const char *end, struct packet *packet)
{
    const char *name = *cursor;
    if (*name != '"') return FRAMING_INVALID;
    const char *name_end = after_string(name, end);
    if (name_end == NULL) return FRAMING_INCOMPLETE;
    const char *colon = skip_space(name_end, end);
    if (colon == end) return FRAMING_INCOMPLETE;
    if (*colon != ':') return FRAMING_INVALID;
    const char *value = skip_space(colon + 1, end);
    if (value == end) return FRAMING_INCOMPLETE;
    const char *value_end = after_value(value, end);
    if (value_end == NULL) return FRAMING_INCOMPLETE;
    if (value_end == value) return FRAMING_INVALID;
    keep_field(packet, slice_of(name, name_end), slice_of(value, value_end));
    *cursor = value_end;
    return FRAMING_COMPLETE;
}

enum framing read_packet(const char **cursor, const char *end, struct packet *packet)
{
    *packet = (struct packet){0};
    *cursor = skip_space(*cursor, end);
    const char *at = *cursor;
    if (at == end) return FRAMING_INCOMPLETE;
    if (*at++ != '{') return FRAMING_INVALID;
    for (;;) {
        at = skip_space(at, end);
        if (at == end) return FRAMING_INCOMPLETE;
        if (*at == '}') break;
        if (*at == ',') {
            at++;
            continue;
        }
        enum framing framing = read_field(&at, end, packet);
        if (framing != FRAMING_COMPLETE) return framing;
    }
    *cursor = at + 1;
    return FRAMING_COMPLETE;
}

bool is_type(const struct packet *packet, const char *number)
{
    struct slice type = packet->type;
    if (type.length >= 2 && type.bytes[0] == '"') {
        type.bytes++;
        type.length -= 2;
    }
    return equals(type, number);
}
