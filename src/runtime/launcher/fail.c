/* Messages: one line each on standard error or to the program that we start a container for; the status says the same in a number. */
#include <stdarg.h>

#include "launch.h"

/*
 * Texts in a message are an image's: a working directory or a program with a line end in it would make the rest a line of
 * its own, which to berth-runtime may mean "pid 1", and to journald a message of another priority.
 */
__attribute__((format(printf, 2, 3))) static void say(const char *priority, const char *format, ...) {
    char line[8192] = "";
    va_list texts;
    /* journald reads <N> as the priority of a line; people at a terminal should not. */
    size_t begin = getenv("JOURNAL_STREAM") ? strlen(strcpy(line, priority)) : 0;
    va_start(texts, format);
    int length = vsnprintf(line + begin, sizeof line - begin, format, texts);
    va_end(texts);
    size_t end = begin + (length < 0 ? 0 : (size_t)length);
    if (end > sizeof line - 1) end = sizeof line - 1;
    for (size_t i = begin; i < end; i++) if ((unsigned char)line[i] < ' ' || line[i] == 127) line[i] = '?';
    line[end] = '\n';
    if (write(launch.control >= 0 ? launch.control : STDERR_FILENO, line, end + 1) < 0) return; /* nobody listens */
}

void fail(int status, const char *doing, const char *what) {
    /* Who waits for one program knows the statuses of shells; a service has systemd's. */
    if (status == STATUS_EXEC && getenv("BERTH_SHELL_STATUS")) status = errno == ENOENT ? 127 : 126;
    say("<3>", "berth: cannot start %s: %s '%s': %s", launch.name, doing, what, strerror(errno));
    /* A parent that is to end when the program runs has to know that it does not. */
    _exit(launch.pid_file >= 0 && launch.parent_pipe >= 0 && write(launch.parent_pipe, "", 1) < 0 ? STATUS_SYSTEM : status);
}

void warn(const char *what, const char *why) { say("<4>", "berth: %s: %s %s", launch.name, what, why); }

void nothing(struct step *step) { (void)step; }
