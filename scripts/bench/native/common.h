// What the load generator and the SHA-1 server share: the clock, how a program gives up, values of the command line,
// and digests. Has to be the first header that a file includes, because it asks for GNU's extensions.
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <math.h>
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

#define EXIT_USAGE 2

#define DIGEST_LENGTH 40

// Longest id or policy on a command line, and the space for it as a JSON value.
#define MAX_NAME_LENGTH 64
#define JSON_NAME_CAPACITY (MAX_NAME_LENGTH + 3)

// Monotonic nanoseconds.
static inline int64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

// Ends the program because a call of the system failed.
_Noreturn static inline void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

// Ends the program because of what stands on its command line.
_Noreturn static inline void refuse(const char *option, const char *wanted)
{
    fprintf(stderr, "%s must be %s.\n", option, wanted);
    exit(EXIT_USAGE);
}

static inline void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) fail("memory");
    return memory;
}

// The value of an option that has to be a number from `min` to `max`; `wanted` says so in words.
static inline double read_number(const char *text, double min, double max, const char *option, const char *wanted)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value) || value < min || value > max) refuse(option, wanted);
    return value;
}

static inline uint32_t read_whole(const char *text, double min, double max, const char *option, const char *wanted)
{
    double value = read_number(text, min, max, option, wanted);
    if (value != floor(value)) refuse(option, wanted);
    return (uint32_t)value;
}

// Writes an id or a policy as a JSON value: a number where it is one, as in the sample packets, a string elsewhere.
static inline void write_json_name(char json[JSON_NAME_CAPACITY], const char *name, size_t length,
                                   const char *option)
{
    bool is_number = length < 16 && (name[0] != '0' || length == 1);
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)name[i]) && strchr("-_.", name[i]) == NULL) length = 0;
        else if (!isdigit((unsigned char)name[i])) is_number = false;
    }
    static const char WANTED[] = "letters, digits, dashes, dots and underscores, at most 64";
    if (length == 0 || length > MAX_NAME_LENGTH) refuse(option, WANTED);
    const char *quote = is_number ? "" : "\"";
    snprintf(json, JSON_NAME_CAPACITY, "%s%.*s%s", quote, (int)length, name, quote);
}

// As many file descriptors as the system lets this process have. Returns how many that are.
static inline size_t raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) fail("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) fail("setrlimit");
    return limit.rlim_cur;
}

// SHA-1 with an algorithm that is looked up once: OpenSSL 3's plain SHA1() looks it up every time, which takes longer
// than the digest of a small payload.
struct hasher {
    EVP_MD_CTX *context;
};

static inline void open_hasher(struct hasher *hasher)
{
    EVP_MD *sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    hasher->context = EVP_MD_CTX_new();
    if (sha1 == NULL || hasher->context == NULL || EVP_DigestInit_ex2(hasher->context, sha1, NULL) != 1) {
        fputs("OpenSSL has no SHA-1.\n", stderr);
        exit(EXIT_FAILURE);
    }
}

// Writes the digest as 40 lower-case hex digits, without an end of string.
static inline void write_digest(const struct hasher *hasher, const char *bytes, size_t length,
                                char digest[DIGEST_LENGTH])
{
    static const char HEX[] = "0123456789abcdef";
    unsigned char raw[EVP_MAX_MD_SIZE];
    if (EVP_DigestInit_ex2(hasher->context, NULL, NULL) != 1 ||
        EVP_DigestUpdate(hasher->context, bytes, length) != 1 ||
        EVP_DigestFinal_ex(hasher->context, raw, NULL) != 1) {
        fputs("OpenSSL could not make a digest.\n", stderr);
        exit(EXIT_FAILURE);
    }
    for (size_t i = 0; i < DIGEST_LENGTH / 2; i++) {
        digest[2 * i] = HEX[raw[i] >> 4];
        digest[2 * i + 1] = HEX[raw[i] & 15];
    }
}

#endif
