/* Namespaces: opened on the host's side, entered together; the mount namespace last, by the container's process alone. */
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "launch.h"

void open_namespace(struct step *step)
{
    step->fd = must(open(step->field[1].text, O_RDONLY | O_CLOEXEC), STATUS_NAMESPACE, "opening the namespace", step->field[1].text);
    if (step->field[0].number == CLONE_NEWUSER) launch.user_namespace = step->fd;
}

void take_namespaces(struct step *step)
{
    launch.unshare = (uint32_t)step->field[0].number;
    launch.time_offsets = step->field[1].text;
}

static void write_map(pid_t child, const char *file, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)child, file);
    int fd = must(open(path, O_WRONLY | O_CLOEXEC), STATUS_NAMESPACE, "opening", path);
    must(write(fd, text, strlen(text)), STATUS_NAMESPACE, "mapping the ids in", path);
    close(fd);
}

/* A child that only waits carries the new namespace until it is mapped and held by a descriptor. */
void make_user_namespace(struct step *step)
{
    char path[64];
    int ready[2];
    must(pipe2(ready, O_CLOEXEC), STATUS_SYSTEM, "making", "a pipe");
    pid_t child = must(fork(), STATUS_SYSTEM, "forking for", "the user namespace");
    if (child == 0) {
        must(unshare(CLONE_NEWUSER), STATUS_NAMESPACE, "making", "the user namespace");
        if (write(ready[1], "", 1) == 1) pause();
        _exit(0);
    }
    close(ready[1]);
    if (read(ready[0], path, 1) != 1) errno = EPERM, fail(STATUS_NAMESPACE, "making", "the user namespace");
    close(ready[0]);
    write_map(child, "uid_map", step->field[0].text);
    write_map(child, "gid_map", step->field[1].text);
    snprintf(path, sizeof path, "/proc/%d/ns/user", (int)child);
    launch.user_namespace = must(open(path, O_RDONLY | O_CLOEXEC), STATUS_NAMESPACE, "opening", path);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* Gives whether a process of its own is needed: only a child is inside a new or joined pid namespace. */
bool enter_namespaces(void)
{
    bool child = (launch.unshare & CLONE_NEWPID) != 0;
    for (struct step *step = launch.steps; step < launch.steps + launch.count; step++) {
        int type = (int)step->field[0].number;
        if (step->op != OP_JOIN || type == CLONE_NEWUSER || type == CLONE_NEWNS) continue;
        must(setns(step->fd, type), STATUS_NAMESPACE, "joining", step->field[1].text);
        child |= type == CLONE_NEWPID;
    }
    if (launch.user_namespace >= 0) {
        must(setns(launch.user_namespace, CLONE_NEWUSER), STATUS_NAMESPACE, "entering", "the user namespace");
        must(setresgid(0, 0, 0) | setresuid(0, 0, 0), STATUS_NAMESPACE, "becoming root in", "the user namespace");
        /* Else our own files in /proc are the host root's. What runs in there already must not look into us, though. */
        if (!launch.entering) prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    }
    must(unshare((int)(launch.unshare & ~(uint32_t)CLONE_NEWNS)), STATUS_NAMESPACE, "making", "the namespaces");
    if (launch.time_offsets && *launch.time_offsets) {
        int fd = must(open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC), STATUS_NAMESPACE, "opening", "the clocks");
        must(write(fd, launch.time_offsets, strlen(launch.time_offsets)), STATUS_NAMESPACE, "setting", "the clocks");
        close(fd);
    }
    return child;
}

/*
 * The parent stays in the host's mounts. /proc is one of our own, out of reach: what is written to an image's idea of it
 * would go elsewhere (CVE-2025-52881).
 */
void enter_mount_namespace(void)
{
    bool proc = false;
    for (struct step *step = launch.steps; step < launch.steps + launch.count; step++) {
        if (step->op == OP_JOIN && step->field[0].number == CLONE_NEWNS) must(setns(step->fd, CLONE_NEWNS), STATUS_NAMESPACE, "joining", step->field[1].text);
        proc |= step->op == OP_PROC_WRITE && step->fd == 0;
    }
    must(unshare((int)(launch.unshare & CLONE_NEWNS)), STATUS_NAMESPACE, "making", "the mount namespace");
    if (proc) launch.proc = finish_file_system(new_file_system("proc"), MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, "/proc");
}

void begin_entering(struct step *step)
{
    launch.entering = true;
    step->fd = must(open(step->field[0].text, O_PATH | O_DIRECTORY | O_CLOEXEC), STATUS_NAMESPACE, "opening the root", step->field[0].text);
}

/* Who runs in there must find nothing of the host's in us, should he get to look (CVE-2016-9962, CVE-2024-21626). */
void enter_container(struct step *step)
{
    must(fchdir(step->fd) | chroot("."), STATUS_DIRECTORY, "entering", step->field[0].text);
    close_others(launch.parent_pipe);
}

void set_host_name(struct step *step)
{
    must(sethostname(step->field[0].text, strlen(step->field[0].text)), STATUS_NAMESPACE, "setting the host name", step->field[0].text);
}

void set_domain_name(struct step *step)
{
    must(setdomainname(step->field[0].text, strlen(step->field[0].text)), STATUS_NAMESPACE, "setting the domain name", step->field[0].text);
}

void raise_loopback(struct step *unused)
{
    (void)unused;
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    int fd = must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), STATUS_NAMESPACE, "raising", request.ifr_name);
    must(ioctl(fd, SIOCSIFFLAGS, &request), STATUS_NAMESPACE, "raising", request.ifr_name);
    close(fd);
}
