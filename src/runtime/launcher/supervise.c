/* The process that stays beside a container: passes signals in, notifications out, and ends as the container ended. */
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "launch.h"

/*
 * Whether the kernel would drop the signal: PID 1 of a namespace gets none that it does not catch. Blocked signals are
 * waited for by signalfd or sigwait, ignored ones are meant to be ignored. The three fields stand together in the file.
 */
static bool would_be_dropped(pid_t child, int signal)
{
    char path[32] = "/proc/", text[4096], digits[16], *digit = digits + sizeof digits - 1;
    uint64_t handled = 0;
    *digit = 0;
    for (pid_t rest = child; rest; rest /= 10) *--digit = (char)('0' + rest % 10);
    strcat(strcat(path, digit), "/status");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    if (length <= 0) return false;
    text[length] = 0;
    static const char *const names[] = { "\nSigBlk:\t", "\nSigIgn:\t", "\nSigCgt:\t" };
    for (int i = 0; i < 3; i++) {
        const char *found = strstr(text, names[i]);
        if (!found) return false;
        handled |= strtoull(found + strlen(names[i]), NULL, 16);
    }
    return !(handled >> (signal - 1) & 1);
}

int supervise(pid_t child, bool relay)
{
    struct pollfd waits[2] = { { .events = POLLIN }, { .fd = relay ? launch.notify_in : -1, .events = POLLIN } };
    struct signalfd_siginfo signal;
    sigset_t all;
    int replaced = 0, status, ended = 0;
    sigfillset(&all);
    if ((waits[0].fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK)) < 0) fail(STATUS_SIGNAL, "waiting for", "signals");
    for (;;) {
        if (poll(waits, 2, -1) < 0 && errno != EINTR) fail(STATUS_SIGNAL, "waiting for", "signals");
        if (relay) relay_notifications();
        while (read(waits[0].fd, &signal, sizeof signal) == sizeof signal) {
            int number = (int)signal.ssi_signo;
            if (number == SIGCHLD) {
                for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
                    if (pid != child) continue;
                    if (relay) relay_notifications();
                    /* A death that we dealt out for an unheard stop signal counts as death of that signal. */
                    ended = replaced && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? replaced : status;
                    child = 0;
                }
                if (child == 0) return ended;
            } else if (number == (int)launch.stop_signal && launch.unshare & CLONE_NEWPID && would_be_dropped(child, number)) {
                replaced = number;
                kill(child, SIGKILL);
            } else kill(child, number);
        }
    }
}

void end_as(int status)
{
    if (WIFEXITED(status)) _exit(WEXITSTATUS(status));
    int number = WTERMSIG(status);
    sigset_t one;
    const struct rlimit none = { 0, 0 }; /* the container's core is the one of interest */
    setrlimit(RLIMIT_CORE, &none);
    signal(number, SIG_DFL);
    sigemptyset(&one);
    sigaddset(&one, number);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    _exit(128 + number);
}
