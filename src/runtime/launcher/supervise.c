/* The process that stays beside a container: passes signals in, notifications out, and ends as the container ended. */
#include <link.h>
#include <sys/signalfd.h>

#include "launch.h"

extern char __executable_start;

/*
 * Whether the signal would end a native program here, but the kernel would drop it: PID 1 of a namespace gets none that
 * it does not catch. Ignored signals are meant to be; blocked ones are waited for by signalfd or sigwait.
 */
static bool would_be_dropped(pid_t child, int signal) {
    static const char *const names[] = { "\nSigBlk:\t", "\nSigIgn:\t", "\nSigCgt:\t" };
    char path[32], text[4096], *found;
    uint64_t handled = 1 << (SIGCONT - 1) | 1 << (SIGURG - 1) | 1 << (SIGWINCH - 1) | 1 << (SIGTSTP - 1) | 1 << (SIGTTIN - 1) | 1 << (SIGTTOU - 1);
    snprintf(path, sizeof path, "/proc/%d/status", (int)child);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    text[length < 0 ? 0 : length] = 0;
    for (int i = 0; i < 3; i++) {
        if (!(found = strstr(text, names[i]))) return false;
        handled |= strtoull(found + strlen(names[i]), NULL, 16);
    }
    return !(handled >> (signal - 1) & 1);
}

/* What a process that stays held of sockets, pipes and trees would stay open with it. */
void close_others(int pipe) {
    const int keep[7] = { pipe, launch.control, launch.notify_in, launch.notify_out, launch.streams[0], launch.streams[1], launch.proc };
    for (unsigned first = 3 + (unsigned)launch.listen_fds, next = 0; next != ~0u; first = next + 1) {
        next = ~0u;
        for (int i = 0; i < 7; i++) if (keep[i] >= (int)first && (unsigned)keep[i] < next) next = (unsigned)keep[i];
        if (next > first) must(syscall(SYS_close_range, first, next - (next != ~0u), 0), STATUS_SYSTEM, "closing", "descriptors");
    }
}

int supervise(pid_t child, bool relay) {
    struct pollfd waits[4] = {
        { .events = POLLIN }, { .fd = relay ? launch.notify_in : -1, .events = POLLIN },
        { .fd = launch.streams[0], .events = POLLIN }, { .fd = launch.streams[1], .events = POLLIN },
    };
    const ElfW(Phdr) *text = (const ElfW(Phdr) *)getauxval(AT_PHDR);
    struct signalfd_siginfo signal;
    int dealt = 0, status, ready;
    waits[0].fd = must(signalfd(-1, &launch.all_signals, SFD_CLOEXEC | SFD_NONBLOCK), STATUS_SIGNAL, "waiting for", "signals");
    for (;;) {
        /* What starting took is not needed to stay: of the program's pages only those that wait come back. */
        madvise(&__executable_start, text->p_memsz, MADV_DONTNEED);
        if ((ready = poll(waits, 4, -1)) < 0 && errno != EINTR) fail(STATUS_SIGNAL, "waiting for", "signals");
        if (relay) relay_notifications();
        for (int i = 2; i < 4; i++) if (ready > 0 && waits[i].revents) relay_stream(i - 2, &waits[i]);
        if (read(waits[0].fd, &signal, sizeof signal) != sizeof signal) continue;
        int number = (int)signal.ssi_signo;
        if (number != SIGCHLD) {
            bool dropped = launch.unshare & CLONE_NEWPID && would_be_dropped(child, number);
            if (dropped) dealt = number;
            kill(child, dropped ? SIGKILL : number);
        } else for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
            if (pid != child) continue;
            if (relay) relay_notifications();
            /* What it said last waits two seconds for a reader that takes nothing. */
            while (poll(waits + 2, 2, (waits[2].events | waits[3].events) & POLLOUT ? 2000 : 0) > 0)
                for (int i = 2; i < 4; i++) if (waits[i].revents) relay_stream(i - 2, &waits[i]);
            close(waits[0].fd);
            /* A death that we dealt out for a signal that nobody heard is a death of that signal. */
            return dealt && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? dealt : status;
        }
    }
}

void end_as(int status) {
    if (WIFEXITED(status)) _exit(WEXITSTATUS(status));
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }); /* the container's core is the one of interest */
    raise(WTERMSIG(status));
    /* Not sigaddset: it knows none of those that libraries keep for themselves. */
    syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &(uint64_t){ 1ull << (WTERMSIG(status) - 1) }, NULL, sizeof(uint64_t));
    _exit(128 + WTERMSIG(status));
}
