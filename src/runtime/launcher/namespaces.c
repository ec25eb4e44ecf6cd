/* Namespaces: descriptors are opened on the host's side, entered together, and the process forks where one asks for it. */
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "launch.h"

void open_namespace(struct step *step)
{
    step->fd = open(step->field[1].text, O_RDONLY | O_CLOEXEC);
    if (step->fd < 0) fail(STATUS_NAMESPACE, "opening the namespace", step->field[1].text);
    if (step->field[0].number == CLONE_NEWUSER) launch.user_namespace = step->fd;
}

void take_namespaces(struct step *step)
{
    launch.unshare = (uint32_t)step->field[0].number;
    launch.time_offsets = step->field[1].text;
}

static void write_map(pid_t child, const char *file, const char *text)
{
    char path[64] = "/proc/", digits[16], *digit = digits + sizeof digits - 1;
    *digit = 0;
    for (pid_t rest = child; rest; rest /= 10) *--digit = (char)('0' + rest % 10);
    strcat(strcat(strcat(path, digit), "/"), file);
    if (!text) {
        launch.user_namespace = open(path, O_RDONLY | O_CLOEXEC);
        if (launch.user_namespace < 0) fail(STATUS_NAMESPACE, "opening", path);
        return;
    }
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) fail(STATUS_NAMESPACE, "mapping the ids in", path);
    close(fd);
}

/* A child that only waits carries the new namespace until it is mapped and held by a descriptor. */
void make_user_namespace(struct step *step)
{
    int ready[2];
    char byte;
    if (pipe2(ready, O_CLOEXEC) < 0) fail(STATUS_SYSTEM, "making", "a pipe");
    pid_t child = fork();
    if (child < 0) fail(STATUS_SYSTEM, "forking", "for the user namespace");
    if (child == 0) {
        if (unshare(CLONE_NEWUSER) < 0) fail(STATUS_NAMESPACE, "making", "the user namespace");
        if (write(ready[1], "", 1) == 1) pause();
        _exit(0);
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1) errno = EPERM, fail(STATUS_NAMESPACE, "making", "the user namespace");
    close(ready[0]);
    write_map(child, "uid_map", step->field[0].text);
    write_map(child, "gid_map", step->field[1].text);
    write_map(child, "ns/user", NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* Gives whether a process of its own is needed: only a child is inside a new or joined pid namespace. */
bool enter_namespaces(void)
{
    bool child = (launch.unshare & CLONE_NEWPID) != 0;
    for (uint32_t i = 0; i < launch.count; i++) {
        struct step *step = &launch.steps[i];
        if (step->op != OP_JOIN || step->field[0].number == CLONE_NEWUSER || step->field[0].number == CLONE_NEWNS) continue;
        if (setns(step->fd, (int)step->field[0].number) < 0) fail(STATUS_NAMESPACE, "joining", step->field[1].text);
        child |= step->field[0].number == CLONE_NEWPID;
    }
    if (launch.user_namespace >= 0) {
        if (setns(launch.user_namespace, CLONE_NEWUSER) < 0) fail(STATUS_NAMESPACE, "entering", "the user namespace");
        if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) fail(STATUS_NAMESPACE, "becoming root in", "the user namespace");
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* else our own files in /proc are the host root's */
    }
    if (unshare((int)(launch.unshare & ~(uint32_t)CLONE_NEWNS)) < 0) fail(STATUS_NAMESPACE, "making", "the namespaces");
    if (launch.unshare & 0x80 /* CLONE_NEWTIME */ && *launch.time_offsets) {
        int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, launch.time_offsets, strlen(launch.time_offsets)) < 0) fail(STATUS_NAMESPACE, "setting", "the clocks");
        close(fd);
    }
    return child;
}

/* /proc of our own, out of reach: labels and sysctls written to an image's idea of it would go elsewhere (CVE-2025-52881). */
static int private_proc(void)
{
    int context = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);
    return finish_file_system(context, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, "/proc");
}

/* The mount namespace is the container process's own: the parent stays in the host's. */
void enter_mount_namespace(void)
{
    for (uint32_t i = 0; i < launch.count; i++) {
        struct step *step = &launch.steps[i];
        if (step->op != OP_JOIN || step->field[0].number != CLONE_NEWNS) continue;
        if (setns(step->fd, CLONE_NEWNS) < 0) fail(STATUS_NAMESPACE, "joining", step->field[1].text);
    }
    if ((launch.unshare & CLONE_NEWNS) && unshare(CLONE_NEWNS) < 0) fail(STATUS_NAMESPACE, "making", "the mount namespace");
    for (uint32_t i = 0; i < launch.count && launch.proc < 0; i++) {
        if (launch.steps[i].op == OP_PROC_WRITE || launch.steps[i].op == OP_LABEL) launch.proc = private_proc();
    }
}

void set_host_name(struct step *step)
{
    if (sethostname(step->field[0].text, strlen(step->field[0].text)) < 0) fail(STATUS_NAMESPACE, "setting the host name", step->field[0].text);
}

void set_domain_name(struct step *step)
{
    if (setdomainname(step->field[0].text, strlen(step->field[0].text)) < 0) fail(STATUS_NAMESPACE, "setting the domain name", step->field[0].text);
}

void raise_loopback(struct step *step)
{
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0) fail(STATUS_NAMESPACE, "raising", request.ifr_name);
    close(fd);
    (void)step;
}
