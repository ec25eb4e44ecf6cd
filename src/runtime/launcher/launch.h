/* The launcher reads a launch plan and does what it says: it has no policy of its own. */
#ifndef BERTH_LAUNCH_H
#define BERTH_LAUNCH_H

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PLAN_FORMAT 1
#define MAX_PLAN_BYTES (4u << 20)    /* arguments and environment are at most 2 MiB in Linux; the rest is small */
#define MAX_INSTRUCTIONS 16384u
#define MAX_FIELDS 8
#define MAX_INSTANCE 200             /* NAME@INSTANCE.service has at most 255 bytes */

/* Exit statuses; where systemd has a name for the same failure, its number (launcher-status.ts is the table). */
enum {
    STATUS_DIRECTORY = 200, STATUS_EXEC = 203, STATUS_LIMITS = 205, STATUS_SIGNAL = 207, STATUS_USER = 217,
    STATUS_CAPABILITIES = 218, STATUS_NAMESPACE = 226, STATUS_PRIVILEGES = 227, STATUS_SECCOMP = 228, STATUS_LABEL = 229,
    STATUS_CREDENTIALS = 243, STATUS_PLAN = 245, STATUS_MOUNT = 246, STATUS_DEVICE = 247, STATUS_SYSCTL = 248,
    STATUS_NOTIFY = 249, STATUS_PID_FILE = 250, STATUS_SYSTEM = 251,
};

struct field { uint64_t number; const char *text; uint32_t length; };
struct step { uint32_t op; int fd; struct field field[MAX_FIELDS]; };
typedef void action(struct step *step);

enum {
#define OP(number, name, fields, host, container) OP_##name = number,
#include "ops.def"
#undef OP
};
#define OP(number, name, fields, host, container) action host, container;
#include "ops.def"
#undef OP

/* What the steps share. The process is single-threaded; one launch is one process. */
extern struct launch {
    const char *name, *instance;
    struct step *steps;
    uint32_t count;
    int root, file_system, proc, user_namespace, pid_file, status_pipe, listen_fds;
    int notify_in, notify_out, host_socket;       /* the private socket, systemd's, and a clone of systemd's */
    uint32_t unshare, stop_signal;
    const char *time_offsets, *notify_path, *credentials_path;
    sigset_t signals;                /* the mask that we were started with */
    char **arguments, **environment;
    uint32_t argument_count, environment_count;
} launch;

/* fail.c */
_Noreturn void fail(int status, const char *doing, const char *what);
void warn(const char *what, const char *why);
/* plan.c */
void read_plan(const char *path, bool owned);
/* paths.c */
int open_in_root(const char *path, uint64_t flags);
int open_target(const char *path, bool directory);
int open_parent(const char *path, const char **last);
void write_file(int directory, const char *path, const char *text, int status);
/* mounts.c */
void attach(int tree, int target, const char *path);
int finish_file_system(int context, uint32_t attributes, const char *what);
/* namespaces.c, relay.c, supervise.c, environment.c */
bool enter_namespaces(void);
void enter_mount_namespace(void);
void relay_notifications(void);
int supervise(pid_t child, bool relay);
_Noreturn void end_as(int status);
void complete_environment(void);
void count_listen_fds(void);

static inline long open_tree(int fd, const char *path, unsigned flags) { return syscall(SYS_open_tree, fd, path, flags); }
static inline long set_attributes(int fd, unsigned flags, uint64_t set, uint64_t clear, uint64_t propagation, int user)
{
    struct mount_attr attr = { .attr_set = set, .attr_clr = clear, .propagation = propagation, .userns_fd = (uint64_t)user };
    return syscall(SYS_mount_setattr, fd, "", flags | AT_EMPTY_PATH, &attr, sizeof attr);
}

#endif
