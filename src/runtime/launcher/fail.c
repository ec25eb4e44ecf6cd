/* Messages: one line on standard error, put together without stdio, which would treble the program. */
#include <sys/uio.h>

#include "launch.h"

static void say(const char *priority, const char *const parts[], int count)
{
    struct iovec pieces[12];
    int used = 0;
    /* journald reads <N> as the priority of a line; people at a terminal should not. */
    if (getenv("JOURNAL_STREAM")) pieces[used++] = (struct iovec){ (void *)priority, strlen(priority) };
    for (int i = 0; i < count; i++) pieces[used++] = (struct iovec){ (void *)parts[i], strlen(parts[i]) };
    if (writev(STDERR_FILENO, pieces, used) < 0) return; /* nobody listens: the status says it too */
}

void fail(int status, const char *doing, const char *what)
{
    const char *why = strerrordesc_np(errno);
    const char *const parts[] = { "berth: cannot start ", launch.name, ": ", doing, " '", what, "': ", why ? why : "?", "\n" };
    say("<3>", parts, 9);
    _exit(status);
}

void warn(const char *what, const char *why)
{
    const char *const parts[] = { "berth: ", launch.name, ": ", what, " ", why, "\n" };
    say("<4>", parts, 7);
}

void nothing(struct step *step) { (void)step; }
