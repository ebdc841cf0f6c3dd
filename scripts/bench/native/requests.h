// The requests of a run, written out before it starts, so that sending one costs no more than sending its bytes.
#ifndef BENCH_REQUESTS_H
#define BENCH_REQUESTS_H

#include "common.h"

struct request {
    char *bytes;
    size_t length;
    char digest[DIGEST_LENGTH];
};

struct requests {
    struct request *items;
    uint32_t count;
    // The one that is sent next; they are taken in turn.
    uint32_t next;
};

// Makes the requests for policies that are given as "1,2,3": policy after policy, each with another payload than the
// 63 before it, so that an answer that belongs to another request is noticed by its digest.
void prepare_requests(struct requests *requests, const char *policies, uint32_t payload_bytes);

static inline uint32_t next_request(struct requests *requests)
{
    uint32_t index = requests->next;
    requests->next = index + 1 == requests->count ? 0 : index + 1;
    return index;
}

#endif
