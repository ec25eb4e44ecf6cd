/* launch PLAN [INSTANCE]: starts what the plan describes. launch --check PLAN [INSTANCE]: only says whether it could. */
#include <linux/close_range.h>

#include "launch.h"

static const char sealed[] = "berth-launch";

struct launch launch = {
    .name = "a container", .instance = "", .root = -1, .file_system = -1, .proc = -1, .user_namespace = -1,
    .pid_file = -1, .parent_pipe = -1, .notify_in = -1, .notify_out = -1, .host_socket = -1,
    .streams = { -1, -1 }, .control = -1,
};

static void run_steps(enum side side) {
    for (uint32_t i = 0; i < launch.count; i++) operations[launch.steps[i].op].side[side](&launch.steps[i]);
}

void take_name(struct step *step) { launch.name = step->field[0].text; }

void open_pid_file(struct step *step) { launch.pid_file = must(open(step->field[0].text, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644), STATUS_PID_FILE, "opening the pid file", step->field[0].text); }

/* As with a unit that changed on disk: what is compiled starts, and the journal names the way to take the change over. */
void warn_of_edit(struct step *step) {
    struct stat status;
    if (stat(step->field[0].text, &status) < 0) return warn("config.json", "cannot be looked at; the container starts by its launch plan");
    uint64_t changed = (uint64_t)status.st_mtim.tv_sec * 1000000000u + (uint64_t)status.st_mtim.tv_nsec;
    if ((uint64_t)status.st_size == step->field[1].number && changed == step->field[2].number) return;
    warn("config.json was changed after its launch plan was made; to take the change over: berth apply", launch.name);
}

/* A user, who can mount nothing yet and may own the launcher, runs a copy in memory that nobody can change. */
static int sealed_copy(void) {
    struct stat status;
    int program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fstat(program, &status) < 0 || (status.st_uid == 0 && !(status.st_mode & 022))) return program; /* a user cannot write to it anyway */
    int copy = memfd_create(sealed, MFD_CLOEXEC | MFD_ALLOW_SEALING | 0x10 /* MFD_EXEC */);
    if (copy < 0 && errno == EINVAL) copy = memfd_create(sealed, MFD_CLOEXEC | MFD_ALLOW_SEALING); /* before 6.3 */
    while (sendfile(copy, program, NULL, 1 << 20) > 0) continue;
    return fcntl(copy, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0 ? -1 : copy;
}

/*
 * A container can open whatever runs in it through /proc/self/exe, and write to it when it no longer runs
 * (CVE-2019-5736). So the launcher runs itself again from a read-only mount that no one else can reach or remount.
 */
static _Noreturn void run_sealed(char **arguments) {
    struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY, .attr_clr = MOUNT_ATTR_NOEXEC, .propagation = MS_PRIVATE };
    int program = must(geteuid() ? sealed_copy() : clone_tree(AT_FDCWD, "/proc/self/exe", 0), STATUS_SYSTEM, "sealing", "the launcher");
    if (!geteuid()) must(set_attributes(program, 0, attr), STATUS_SYSTEM, "sealing", "the launcher");
    arguments[0] = (char *)sealed;
    syscall(SYS_execveat, program, "", arguments, environ, AT_EMPTY_PATH);
    fail(STATUS_SYSTEM, "running", "the launcher");
}

static void check_instance(const char *name) {
    size_t length = strlen(name);
    for (const char *at = name; *at; at++) if (*at == '/' || (unsigned char)*at < ' ' || *at == 127) length = 0;
    if (length == 0 || length > 200 || strstr(name, "..")) errno = EINVAL, fail(STATUS_PLAN, "taking the instance name", name);
    launch.instance = name;
}

static _Noreturn void stay(pid_t child, int pipe, bool stub) {
    int status;
    char byte;
    if (launch.control >= 0) must(dprintf(launch.control, "pid %d\n", (int)child), STATUS_SYSTEM, "reporting", "the process");
    if (launch.detach) _exit(0);
    launch.control = -1;
    /* Signals wait in our mask while the launcher's own code runs in the child: it ends with a program or a status. */
    bool failed = !stub && read(pipe, &byte, 1) != 0;
    if (launch.pid_file >= 0) {
        if (waitpid(child, &status, failed ? 0 : WNOHANG) == child) end_as(status);
        must(dprintf(launch.pid_file, "%d\n", (int)child), STATUS_PID_FILE, "writing", "the pid file");
        _exit(0);
    }
    close_others(pipe);
    must(chdir("/"), STATUS_SYSTEM, "entering", "/");
    status = supervise(child, launch.notify_in >= 0);
    /* The stub ends with 0 when it has told how the program ended. */
    if (stub && WIFEXITED(status) && WEXITSTATUS(status) == 0) must(read(pipe, &status, sizeof status), STATUS_SYSTEM, "reading", "the status");
    end_as(status);
}

static _Noreturn void start(void) {
    int pipe[2];
    count_listen_fds();
    /* Sockets that systemd passed are the first ones; nothing else that was open reaches the program (CVE-2024-21626). */
    must(syscall(SYS_close_range, 3 + launch.listen_fds, ~0u, CLOSE_RANGE_CLOEXEC), STATUS_SYSTEM, "closing", "descriptors");
    run_steps(ON_HOST);
    /* Not sigfillset: musl leaves out three signals that it uses between threads, and the third is glibc's SIGRTMIN. */
    memset(&launch.all_signals, 0xff, sizeof launch.all_signals);
    sigprocmask(SIG_BLOCK, &launch.all_signals, &launch.signals);
    if (enter_namespaces() | (launch.pid_file >= 0 || launch.control >= 0)) {
        must(pipe2(pipe, O_CLOEXEC), STATUS_SYSTEM, "making", "a pipe");
        pid_t child = must(fork(), STATUS_SYSTEM, "forking for", "the container");
        close(pipe[child > 0]);
        if (child > 0) stay(child, pipe[0], launch.steps[launch.count - 1].field[0].number != 0);
        launch.parent_pipe = pipe[1];
        if (launch.control >= 0) wait_for_byte(launch.control);
    }
    enter_mount_namespace();
    run_steps(IN_CONTAINER);
    _exit(STATUS_PLAN);
}

int main(int count, char **arguments) {
    bool check = count > 1 && strcmp(arguments[1], "--check") == 0;
    char **rest = arguments + 1 + check;
    if (count < 2 + check || count > 3 + check) errno = EINVAL, fail(STATUS_PLAN, "understanding", "the arguments; usage: launch [--check] PLAN [INSTANCE]");
    if (!check && strcmp(arguments[0], sealed) != 0) run_sealed(arguments);
    if (rest[1]) check_instance(rest[1]);
    read_plan(rest[0], !check);
    if (check) return 0;
    launch.arguments = calloc(2 * launch.count + 17, sizeof(char *));
    if (!launch.arguments) fail(STATUS_SYSTEM, "allocating for", "the program");
    launch.environment = launch.arguments + launch.count + 1;
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    umask(0);
    start();
}
