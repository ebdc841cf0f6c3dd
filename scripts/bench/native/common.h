// What the load generator and the server share. To be included first, because it asks for GNU's extensions.
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_US INT64_C(1000)
#define DIGEST_LENGTH 40

// Monotonic nanoseconds.
static inline int64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

// Ends the program because a system call failed.
_Noreturn static inline void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static inline void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) fail("memory");
    return memory;
}

// The first arguments as numbers, whose meaning is said in `usage`.
static inline void read_numbers(int count, char **words, double *numbers, int wanted, const char *usage)
{
    if (count < wanted + 1) {
        fprintf(stderr, "Usage: %s\n", usage);
        exit(2);
    }
    for (int i = 0; i < wanted; i++) numbers[i] = strtod(words[i + 1], NULL);
}

static inline struct sockaddr_in address_of(uint32_t host, uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(host)};
}

// Raises the limit of open files as far as the system allows. Returns the limit.
static inline size_t raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) fail("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) fail("setrlimit");
    return limit.rlim_cur;
}

// A context whose algorithm is looked up once: OpenSSL 3's plain SHA1() looks it up every time, which takes longer than
// the digest of a small payload.
static inline EVP_MD_CTX *open_hasher(void)
{
    EVP_MD *sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (sha1 == NULL || context == NULL || EVP_DigestInit_ex2(context, sha1, NULL) != 1) fail("SHA-1 of OpenSSL");
    return context;
}

// Writes the digest as 40 lower-case hex digits, without an end of string.
static inline void write_digest(EVP_MD_CTX *hasher, const char *bytes, size_t length, char digest[DIGEST_LENGTH])
{
    static const char HEX[] = "0123456789abcdef";
    unsigned char raw[EVP_MAX_MD_SIZE];
    if (EVP_DigestInit_ex2(hasher, NULL, NULL) != 1 || EVP_DigestUpdate(hasher, bytes, length) != 1 ||
        EVP_DigestFinal_ex(hasher, raw, NULL) != 1) fail("SHA-1 of OpenSSL");
    for (size_t i = 0; i < DIGEST_LENGTH / 2; i++) {
        digest[2 * i] = HEX[raw[i] >> 4];
        digest[2 * i + 1] = HEX[raw[i] & 15];
    }
}

#endif
