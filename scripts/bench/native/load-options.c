// Reads the command line of the load generator and checks every value of it.
#include "load-options.h"

#include <arpa/inet.h>
#include <getopt.h>

static const char USAGE[] =
    "load --port PORT --mode oneshot|keep|pipeline|open [--host 127.0.0.1] [--connections 1] [--seconds 5]\n"
    "     [--payload 64] [--policies 1,2,3] [--rate REQUESTS_A_SECOND] [--depth 64] [--warmup-ms 300] [--sources 1]";

static const struct option OPTIONS[] = {
    {"port", required_argument, NULL, 'p'},        {"host", required_argument, NULL, 'h'},
    {"mode", required_argument, NULL, 'm'},        {"connections", required_argument, NULL, 'c'},
    {"seconds", required_argument, NULL, 's'},     {"payload", required_argument, NULL, 'b'},
    {"policies", required_argument, NULL, 'P'},    {"rate", required_argument, NULL, 'r'},
    {"depth", required_argument, NULL, 'd'},       {"warmup-ms", required_argument, NULL, 'w'},
    {"sources", required_argument, NULL, 'S'},      {NULL, 0, NULL, 0},
};

static enum mode read_mode(const char *text)
{
    static const char *const NAMES[] = {"oneshot", "keep", "pipeline", "open"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(text, NAMES[i]) == 0) return (enum mode)i;
    }
    refuse("--mode", "oneshot, keep, pipeline or open");
}

static void read_option(struct options *options, int letter, const char *text)
{
    switch (letter) {
    case 'p':
        options->target.sin_port = htons((uint16_t)read_whole(text, 1, 65535, "--port", "from 1 to 65535"));
        break;
    case 'h':
        if (inet_pton(AF_INET, text, &options->target.sin_addr) != 1) refuse("--host", "an IPv4 address");
        break;
    case 'm':
        options->mode = read_mode(text);
        break;
    case 'c':
        options->connections = read_whole(text, 1, 100000, "--connections", "from 1 to 100000");
        break;
    case 's':
        options->seconds = read_number(text, 0.01, 86400, "--seconds", "from 0.01 to 86400");
        break;
    case 'b':
        options->payload_bytes =
            read_whole(text, MIN_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES, "--payload", "from 2 to 1024 bytes");
        break;
    case 'P':
        options->policies = text;
        break;
    case 'r':
        options->rate = read_number(text, 0.1, 1e6, "--rate", "from 0.1 to 1000000 a second");
        break;
    case 'd':
        options->depth = read_whole(text, 1, MAX_DEPTH, "--depth", "from 1 to 1024");
        break;
    case 'w':
        options->warmup_ms = read_number(text, 0, 3.6e6, "--warmup-ms", "from 0 to 3600000");
        break;
    case 'S':
        options->sources = read_whole(text, 1, MAX_SOURCES, "--sources", "from 1 to 64");
        break;
    default:
        fprintf(stderr, "%s\n", USAGE);
        exit(EXIT_USAGE);
    }
}

struct options read_options(int count, char **words)
{
    struct options options = {
        .target = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}},
        .mode = MODE_OPEN,
        .connections = 1,
        .depth = 64,
        .sources = 1,
        .seconds = 5,
        .warmup_ms = 300,
        .payload_bytes = 64,
        .policies = "1,2,3",
    };
    bool has_mode = false;
    for (int letter; (letter = getopt_long(count, words, "", OPTIONS, NULL)) != -1;) {
        read_option(&options, letter, optarg);
        has_mode = has_mode || letter == 'm';
    }
    if (optind < count || options.target.sin_port == 0 || !has_mode) read_option(&options, '?', "");
    if (options.mode == MODE_OPEN && options.rate == 0) refuse("--rate", "given with --mode open");
    if (options.mode != MODE_PIPELINE) options.depth = 1;
    return options;
}
