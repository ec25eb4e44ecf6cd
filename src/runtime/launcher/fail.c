/* Messages: one line on standard error, the status says the same in a number. */
#include "launch.h"

/* journald reads <N> as the priority of a line; people at a terminal should not. */
static const char *priority(const char *prefix) { return getenv("JOURNAL_STREAM") ? prefix : ""; }

void fail(int status, const char *doing, const char *what) {
    dprintf(launch.control >= 0 ? launch.control : STDERR_FILENO, "%sberth: cannot start %s: %s '%s': %s\n", priority("<3>"), launch.name, doing, what, strerrordesc_np(errno));
    /* A parent that is to end when the program runs has to know that it does not. */
    if (launch.pid_file >= 0 && launch.parent_pipe >= 0 && write(launch.parent_pipe, "", 1) < 0) _exit(STATUS_SYSTEM);
    _exit(status);
}

void warn(const char *what, const char *why) { dprintf(launch.control >= 0 ? launch.control : STDERR_FILENO, "%sberth: %s: %s %s\n", priority("<4>"), launch.name, what, why); }

void nothing(struct step *step) { (void)step; }
