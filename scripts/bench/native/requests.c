// Writes out every request of a run and what its answer has to carry.
#include "requests.h"

#include "load-options.h"

#define PAYLOADS 64

static uint32_t count_names(const char *list)
{
    uint32_t count = 1;
    for (const char *at = list; *at != '\0'; at++) count += *at == ',';
    return count;
}

// Two hex digits tell the payloads apart, letters make up the rest.
static void write_payload(char *payload, uint32_t length, uint32_t number)
{
    payload[0] = "0123"[number / 16];
    payload[1] = "0123456789abcdef"[number % 16];
    for (uint32_t i = 2; i < length; i++) payload[i] = (char)('a' + (i * 7 + number) % 26);
}

static void write_request(struct request *request, const char *policy, const char *payload, uint32_t length)
{
    static const char FORMAT[] =
        "{\"type\":0,\"srcid\":\"bench\",\"privPoliId\":%s,\"payloadsize\":%u,\"payload\":\"%.*s\"}\n";
    int written = asprintf(&request->bytes, FORMAT, policy, length, (int)length, payload);
    if (written < 0) fail("memory");
    request->length = (size_t)written;
}

void prepare_requests(struct requests *requests, const char *policies, uint32_t payload_bytes)
{
    struct hasher hasher;
    open_hasher(&hasher);
    char payload[MAX_PAYLOAD_BYTES];
    uint32_t policy_count = count_names(policies);
    requests->next = 0;
    requests->count = (PAYLOADS + policy_count - 1) / policy_count * policy_count;
    requests->items = allocate(requests->count, sizeof *requests->items);
    const char *policy = policies;
    for (uint32_t i = 0; i < requests->count; i++) {
        char json[JSON_NAME_CAPACITY];
        size_t length = strcspn(policy, ",");
        write_json_name(json, policy, length, "--policies");
        write_payload(payload, payload_bytes, i % PAYLOADS);
        write_request(&requests->items[i], json, payload, payload_bytes);
        write_digest(&hasher, payload, payload_bytes, requests->items[i].digest);
        policy = policy[length] == '\0' ? policies : policy + length + 1;
    }
}
