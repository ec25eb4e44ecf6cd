/* The launcher reads a launch plan and does what it says; it has no policy of its own. */
#ifndef BERTH_LAUNCH_H
#define BERTH_LAUNCH_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_FIELDS 8

/* Exit statuses; where systemd has a name for the same failure, its number (launcher-status.ts is the table). */
enum {
    STATUS_DIRECTORY = 200, STATUS_EXEC = 203, STATUS_LIMITS = 205, STATUS_SIGNAL = 207, STATUS_USER = 217,
    STATUS_CAPABILITIES = 218, STATUS_NAMESPACE = 226, STATUS_PRIVILEGES = 227, STATUS_SECCOMP = 228, STATUS_LABEL = 229,
    STATUS_CREDENTIALS = 243, STATUS_PLAN = 245, STATUS_MOUNT = 246, STATUS_DEVICE = 247, STATUS_SYSCTL = 248,
    STATUS_NOTIFY = 249, STATUS_PID_FILE = 250, STATUS_SYSTEM = 251, STATUS_FORBIDDEN = 252,
};

struct field { uint64_t number; const char *text; uint32_t length; };
struct step { uint32_t op; int fd; struct field field[MAX_FIELDS]; };
typedef void action(struct step *step);

#define OP(number, name, fields, rule, host, container) OP_##name = number,
enum {
#include "ops.def"
};
#undef OP
#define OP(number, name, fields, rule, host, container) action host, container;
#include "ops.def"
#undef OP

enum side { ON_HOST, IN_CONTAINER }; enum { KEEP_GROUPS = 01000 /* beside the umask */ };
struct operation { const char *fields, *rule; action *side[2]; };
extern const struct operation operations[];

/* What the steps share. The process is single-threaded; one launch is one process. */
extern struct launch {
    const char *name, *instance, *time_offsets, *notify_path, *credentials_path;
    struct step *steps;
    uint32_t count, unshare, argument_count, environment_count;
    int root, file_system, proc, user_namespace, pid_file, parent_pipe, listen_fds;
    int notify_in, notify_out, host_socket; /* the private socket, systemd's, and a mount of systemd's */
    int control, layers;                    /* see control.c; what lies between the root and the host's */
    int streams[2];                         /* what the program writes to standard output and error */
    bool entering, detach, placed, rootless; /* runs already; we end; mounts are the host's; the caller is not root */
    sigset_t signals, all_signals;          /* the mask that we were started with */
    char **arguments, **environment;
} launch;

_Noreturn void fail(int status, const char *doing, const char *what);
void warn(const char *what, const char *why);
void read_plan(const char *path, bool owned);
int open_resolved(int directory, const char *path, uint64_t flags, uint64_t resolve);
int open_in_root(const char *path, uint64_t flags);
int open_target(const char *path, bool directory);
int open_parent(const char *path, const char **last);
void write_file(int directory, const char *path, const char *text, int status);
void attach(int tree, int target, const char *path);
int new_file_system(const char *type);
void option(int context, const char *key, const char *value);
int finish_file_system(int context, uint64_t attributes, const char *what);
bool enter_namespaces(void);
void enter_mount_namespace(void);
void relay_notifications(void);
void relay_stream(int i, struct pollfd *wait);
void close_others(int pipe);
int supervise(pid_t child, bool relay);
_Noreturn void end_as(int status);
void complete_environment(void);
void wait_for_byte(int fd);
void tell(const char *what, int number);
void offer_listener(int fd);
void check_program(const char *search);
void count_listen_fds(void);

static inline int must(long result, int status, const char *doing, const char *what) { if (result < 0) fail(status, doing, what); return (int)result; }
static inline int clone_tree(int directory, const char *path, unsigned flags) { return (int)syscall(SYS_open_tree, directory, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags); }
static inline long set_attributes(int tree, unsigned flags, struct mount_attr attr) { return syscall(SYS_mount_setattr, tree, "", flags | AT_EMPTY_PATH, &attr, sizeof attr); }

#endif
