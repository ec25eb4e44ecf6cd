/* The process itself: limits, identity, privileges, and at last the program. */
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>

#include "launch.h"

/* A label is asked for only where its module is: published images name SELinux types, and run on hosts without it. */
void find_module(struct step *step) { step->fd = *step->field[2].text ? access(step->field[2].text, F_OK) : 0; }

void write_proc(struct step *step) { if (step->fd == 0) write_file(launch.proc, step->field[0].text, step->field[1].text, (int)step->field[3].number); }

void join_keyring(struct step *step) {
    const char *name = step->field[0].text;
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name) < 0 && errno != ENOSYS) fail(STATUS_SYSTEM, "making the keyring", name);
}

/* In the order of their numbers; a plan with others is refused. */
static const char *const limits[] = {
    "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_RSS", "RLIMIT_NPROC", "RLIMIT_NOFILE",
    "RLIMIT_MEMLOCK", "RLIMIT_AS", "RLIMIT_LOCKS", "RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
};

void set_rlimit(struct step *step) {
    const struct field *field = step->field;
    must(setrlimit((int)field[0].number, &(struct rlimit){ field[1].number, field[2].number }), STATUS_LIMITS, "setting the limit", limits[field[0].number]);
}

/* Instructions that are one system call: their fields are its arguments, texts with their length. */
void make_call(struct step *step) {
    static const struct { long number; int status; const char *what; } calls[] = {
        [OP_HOST_NAME] = { SYS_sethostname, STATUS_NAMESPACE, "the host name" },
        [OP_DOMAIN_NAME] = { SYS_setdomainname, STATUS_NAMESPACE, "the domain name" },
        [OP_PERSONALITY] = { SYS_personality, STATUS_SYSTEM, "the personality" },
        [OP_SCHEDULE] = { SYS_sched_setattr, STATUS_LIMITS, "the scheduler" },
        [OP_IO_PRIORITY] = { SYS_ioprio_set, STATUS_LIMITS, "the I/O priority" },
        [OP_AFFINITY] = { SYS_sched_setaffinity, STATUS_LIMITS, "the processors" },
        [OP_MEMORY_POLICY] = { SYS_set_mempolicy, STATUS_LIMITS, "the memory policy" },
    };
    long arguments[2 * MAX_FIELDS] = { 0 }, *next = arguments;
    const struct field *field = step->field;
    for (const char *shape = operations[step->op].fields; *shape; shape++, field++) {
        *next++ = field->text ? (long)field->text : (long)field->number;
        if (strchr("st", *shape)) *next++ = (long)strlen(field->text);
    }
    long result = syscall(calls[step->op].number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4]);
    must(result, calls[step->op].status, "setting", calls[step->op].what);
}

/* A directory that is open on the host must not become the working directory (CVE-2024-21626). */
void enter_directory(struct step *step) {
    char path[4096];
    must(chdir(step->field[0].text), STATUS_DIRECTORY, "entering the directory", step->field[0].text);
    if (!getcwd(path, sizeof path) || path[0] != '/') errno = EXDEV, fail(STATUS_DIRECTORY, "entering the directory", step->field[0].text);
}

void load_seccomp(struct step *step) {
    struct sock_fprog program = { .len = (unsigned short)(step->field[1].length / 8), .filter = (struct sock_filter *)step->field[1].text };
    int listener = must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, step->field[0].number, &program), STATUS_SECCOMP, "loading", "the system call filter");
    if (step->field[0].number & SECCOMP_FILTER_FLAG_NEW_LISTENER) offer_listener(listener);
}

void become_user(struct step *step) {
    const uid_t uid = (uid_t)step->field[0].number, gid = (gid_t)step->field[1].number;
    for (unsigned long i = 0; i < 64; i++) {
        if (step->field[4].number >> i & 1) continue; /* in the bounding set */
        if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0 && errno != EINVAL) fail(STATUS_CAPABILITIES, "dropping", "capabilities");
    }
    umask((mode_t)step->field[3].number);
    must(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), STATUS_USER, "keeping", "capabilities");
    /* A namespace that one user has made for himself alone lets nobody change groups. */
    if (!(step->field[3].number & KEEP_GROUPS)) must(setgroups(step->field[2].length / 4, (const gid_t *)step->field[2].text), STATUS_USER, "taking", "the groups");
    must(setresgid(gid, gid, gid), STATUS_USER, "becoming", "the group");
    must(setresuid(uid, uid, uid), STATUS_USER, "becoming", "the user");
    if (launch.rootless && !launch.entering) prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* as in namespaces.c, for the new owner */
}

/* What the unit itself lacks cannot be given: the program gets the rest, and the journal says so. */
void set_capabilities(struct step *step) {
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2];
    must(syscall(SYS_capget, &header, data), STATUS_CAPABILITIES, "reading", "capabilities");
    uint64_t ours = data[0].permitted | (uint64_t)data[1].permitted << 32, set[4];
    for (int i = 0; i < 4; i++) set[i] = step->field[i].number & ours;
    if (set[1] != step->field[1].number) warn("some capabilities", "cannot be granted here, going on without them");
    for (int i = 0; i < 2; i++) data[i] = (struct __user_cap_data_struct){ (uint32_t)(set[0] >> 32 * i), (uint32_t)(set[1] >> 32 * i), (uint32_t)(set[2] >> 32 * i) };
    must(syscall(SYS_capset, &header, data), STATUS_CAPABILITIES, "setting", "capabilities");
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    for (unsigned long i = 0; i < 64; i++) if (set[3] >> i & 1) must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0), STATUS_CAPABILITIES, "raising", "capabilities");
    if (step->field[4].number) must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), STATUS_PRIVILEGES, "forbidding", "new privileges");
}

void take_argument(struct step *step) { launch.arguments[launch.argument_count++] = (char *)step->field[0].text; }
void take_environment(struct step *step) { launch.environment[launch.environment_count++] = (char *)step->field[0].text; }

/*
 * Tries the program at its path, or in each directory of the search path, until one can be run; gives whether it could.
 * One that is there and may not be run is told of, as by shells, whatever is searched behind it.
 */
static bool find_program(const char *search, int (*attempt)(const char *path)) {
    const char *name = launch.arguments[0];
    int reason = ENOENT;
    char path[4096];
    if (strchr(name, '/')) return attempt(name) == 0;
    for (size_t length; *search; search += length + (search[length] == ':')) {
        length = strcspn(search, ":");
        if (snprintf(path, sizeof path, "%.*s/%s", (int)length, search, name) >= (int)sizeof path) continue;
        if (attempt(path) == 0) return true;
        if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) fail(STATUS_EXEC, "running", path);
        if (errno == EACCES) reason = errno;
    }
    errno = reason;
    return false;
}

static int run(const char *path) { return execve(path, launch.arguments, launch.environment); }
/* A directory may be searched, which is no reason to run it. A filter that does not know these calls leaves the answer to execve. */
static int look_at(const char *path) {
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) return errno = EACCES, -1;
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 || errno == EPERM || errno == ENOSYS ? 0 : -1;
}

void check_program(const char *search) { if (!find_program(search, look_at)) fail(STATUS_EXEC, "running", launch.arguments[0]); }

void run_program(struct step *step) {
    const char *name = launch.arguments[0];
    /* Where a parent stays, the container ends with it: a parent that was killed could no longer stop it. */
    if (launch.parent_pipe >= 0 && launch.pid_file < 0 && !launch.detach) prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    int gate[2] = { -1, -1 };
    char byte;
    if (step->field[0].number) must(pipe2(gate, O_CLOEXEC), STATUS_SYSTEM, "making", "a pipe");
    pid_t child = step->field[0].number ? must(fork(), STATUS_SYSTEM, "forking for", name) : 0;
    if (child > 0) {
        /* The container can take what its PID 1 holds: systemd's socket must not be there. */
        launch.notify_in = launch.notify_out = launch.streams[0] = launch.streams[1] = launch.proc = -1;
        close_others(launch.parent_pipe);
        int status = supervise(child, false);
        _exit(write(launch.parent_pipe, &status, sizeof status) < 0 ? STATUS_SYSTEM : 0);
    }
    /* The program does not begin before its PID 1 has let go: the gate's other end goes with all the rest. */
    close(gate[1]);
    if (read(gate[0], &byte, 1) == 0) close(gate[0]);
    complete_environment();
    sigprocmask(SIG_SETMASK, &launch.signals, NULL);
    find_program(step->field[1].text, run);
    fail(STATUS_EXEC, "running", name);
}
