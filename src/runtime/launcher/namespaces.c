/* Namespaces: opened on the host's side, entered together; the mount namespace last, by the container's process alone. */
#include <net/if.h>

#include "launch.h"

/* What only the container's process leaves: a cgroup namespace begins in the cgroup that it has been put into by then. */
#define IN_CHILD ((uint32_t)(CLONE_NEWNS | CLONE_NEWCGROUP))

void open_namespace(struct step *step) {
    step->fd = must(open(step->field[1].text, O_RDONLY | O_CLOEXEC), STATUS_NAMESPACE, "opening the namespace", step->field[1].text);
    if (step->field[0].number == CLONE_NEWUSER) launch.user_namespace = step->fd;
}

void take_namespaces(struct step *step) { launch.unshare = (uint32_t)step->field[0].number, launch.time_offsets = step->field[1].text; }

/* A child that only waits carries the new namespace until it is mapped and held by a descriptor. */
static int make_mapped_namespace(const struct field *maps) {
    char path[32];
    int status;
    pid_t child = must(fork(), STATUS_SYSTEM, "forking for", "the user namespace");
    if (child == 0) {
        if (unshare(CLONE_NEWUSER) < 0) fail(STATUS_FORBIDDEN, "making a user namespace, which this host does not permit; see the sysctl", errno == ENOSPC ? "user.max_user_namespaces" : "kernel.unprivileged_userns_clone");
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* else its maps are the host root's */
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        raise(SIGSTOP), _exit(0);
    }
    if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status)) _exit(STATUS_FORBIDDEN); /* the child has said why */
    snprintf(path, sizeof path, "/proc/%d", (int)child);
    int process = must(open(path, O_PATH | O_CLOEXEC), STATUS_NAMESPACE, "opening", path);
    if (!*maps[0].text) tell("unmapped", (int)child); /* by who started us: an ordinary user's maps are made by other programs */
    else if (geteuid()) write_file(process, "setgroups", "deny", STATUS_NAMESPACE); /* he could leave a group that keeps him from a file */
    if (*maps[0].text) write_file(process, "uid_map", maps[0].text, STATUS_NAMESPACE), write_file(process, "gid_map", maps[1].text, STATUS_NAMESPACE);
    int made = must(openat(process, "ns/user", O_RDONLY | O_CLOEXEC), STATUS_NAMESPACE, "opening", path);
    close(process), kill(child, SIGKILL), waitpid(child, NULL, 0);
    return made;
}

void make_user_namespace(struct step *step) { launch.user_namespace = make_mapped_namespace(step->field); }

/* The bind before this step, if its source is there, shows other owners than that has. */
void map_bind(struct step *step) {
    int tree = step[-1].fd;
    if (tree < 0) return;
    struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)make_mapped_namespace(step->field) };
    must(set_attributes(tree, step->field[2].number ? AT_RECURSIVE : 0, attr), STATUS_MOUNT, "mapping the owners of", step[-1].field[0].text);
    close((int)attr.userns_fd);
}

static void become_root(void) {
    must(setns(launch.user_namespace, CLONE_NEWUSER), STATUS_NAMESPACE, "entering", "the user namespace");
    /* Who knows of no root there, because he has mapped himself to another id, has all capabilities as that. */
    if ((setresgid(0, 0, 0) | setresuid(0, 0, 0)) < 0 && !(launch.rootless && errno == EINVAL)) fail(STATUS_NAMESPACE, "becoming root in", "the user namespace");
    launch.user_namespace = -1;
    /* Else our own files in /proc are the host root's. What runs in there already must not look into us, though. */
    if (!launch.entering) prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

/* Who may mount nothing on the host opens all that follows as root of the container's namespace, in a copy of the host's mounts. */
void become_root_first(__attribute__((unused)) struct step *step) {
    launch.rootless = true;
    become_root();
    must(unshare(CLONE_NEWNS), STATUS_NAMESPACE, "copying", "the host's mounts");
}

/* Gives whether a process of its own is needed: only a child is inside a new or joined pid namespace. */
bool enter_namespaces(void) {
    bool child = (launch.unshare & CLONE_NEWPID) != 0;
    for (struct step *step = launch.steps; step < launch.steps + launch.count; step++) {
        int type = (int)step->field[0].number;
        if (step->op != OP_JOIN || type == CLONE_NEWUSER || type == CLONE_NEWNS) continue;
        must(setns(step->fd, type), STATUS_NAMESPACE, "joining", step->field[1].text);
        child |= type == CLONE_NEWPID;
    }
    if (launch.user_namespace >= 0) become_root();
    must(unshare((int)(launch.unshare & ~IN_CHILD)), STATUS_NAMESPACE, "making", "the namespaces");
    if (launch.time_offsets && *launch.time_offsets) {
        int self = must(open("/proc/self", O_PATH | O_CLOEXEC), STATUS_NAMESPACE, "opening", "/proc/self");
        write_file(self, "timens_offsets", launch.time_offsets, STATUS_NAMESPACE);
        close(self);
    }
    return child;
}

/*
 * The parent stays in the host's mounts. /proc is one of our own, out of reach: what is written to an image's idea of it
 * would go elsewhere (CVE-2025-52881). Where the processes are the host's, only the host's own can show them.
 */
void enter_mount_namespace(void) {
    int host = must(open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC), STATUS_NAMESPACE, "opening", "/proc"), context;
    bool proc = false;
    for (struct step *step = launch.steps; step < launch.steps + launch.count; step++) {
        if (step->op == OP_JOIN && step->field[0].number == CLONE_NEWNS) must(setns(step->fd, CLONE_NEWNS), STATUS_NAMESPACE, "joining", step->field[1].text);
        proc |= step->op == OP_PROC_WRITE && step->fd == 0;
    }
    must(unshare((int)(launch.unshare & IN_CHILD)), STATUS_NAMESPACE, "making", "the mount namespace");
    if (proc && syscall(SYS_fsconfig, context = new_file_system("proc"), FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        launch.proc = must(syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC), STATUS_MOUNT, "making the mount for", "/proc");
    else if (proc) launch.proc = host;
    if (launch.proc != host) close(host);
}

void begin_entering(struct step *step) {
    launch.entering = true;
    step->fd = must(open(step->field[0].text, O_PATH | O_DIRECTORY | O_CLOEXEC), STATUS_NAMESPACE, "opening the root", step->field[0].text);
}

/* Who runs in there must find nothing of the host's in us, should he get to look (CVE-2016-9962, CVE-2024-21626). */
void enter_container(struct step *step) {
    must(fchdir(step->fd) | chroot("."), STATUS_DIRECTORY, "entering", step->field[0].text);
    launch.root = AT_FDCWD;
    close_others(launch.parent_pipe);
}

void raise_loopback(__attribute__((unused)) struct step *step) {
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    int fd = must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), STATUS_NAMESPACE, "raising", request.ifr_name);
    must(ioctl(fd, SIOCSIFFLAGS, &request), STATUS_NAMESPACE, "raising", request.ifr_name);
}
