// Runs a command in a network of its own, in which there is nothing but loopback: own-network COMMAND [ARGUMENTS].
//
// Where Docker or a firewall has rules, the kernel tracks every connection. That costs CPU for every packet, and each is
// remembered for two minutes after its end: a benchmark with a connection per request fills that table, and then new
// connections are dropped, for everybody on the machine. A network of its own has no rules, and tracks nothing.
//
// In C, because util-linux' unshare does not bring loopback up, and not every machine has a program that does.
// Exit code 125 when there can be no such network, 127 when the command can't be started; otherwise the command's own.
#include "common.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXIT_NO_NETWORK 125
#define EXIT_NO_COMMAND 127

_Noreturn static void give_up(const char *what, int exit_code)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(exit_code);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0) give_up(path, EXIT_NO_NETWORK);
    close(fd);
}

static void map_id(const char *path, unsigned id)
{
    char line[32];
    snprintf(line, sizeof line, "%u %u 1\n", id, id);
    write_file(path, line);
}

// Whoever is not root may have a network in a user namespace, in which the ids stay what they are.
static void unshare_network(void)
{
    unsigned user = geteuid(), group = getegid();
    if (unshare(CLONE_NEWNET) == 0) return;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) give_up("unshare", EXIT_NO_NETWORK);
    write_file("/proc/self/setgroups", "deny");
    map_id("/proc/self/uid_map", user);
    map_id("/proc/self/gid_map", group);
}

static void bring_loopback_up(void)
{
    struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &loopback) != 0) give_up("loopback", EXIT_NO_NETWORK);
    close(fd);
}

int main(int count, char **words)
{
    if (count < 2) {
        fputs("own-network COMMAND [ARGUMENTS]\n", stderr);
        return EXIT_USAGE;
    }
    unshare_network();
    bring_loopback_up();
    execvp(words[1], words + 1);
    give_up(words[1], EXIT_NO_COMMAND);
}
