/*
 * Standard output and error as pipes that the parent empties. What systemd gives is a socket of the journal, and programs
 * of many images open theirs by path (/dev/stdout, /proc/self/fd/2): the kernel allows that for a pipe, not for a socket.
 */
#include "launch.h"

static int ends[2] = { -1, -1 };

/* Opening a pipe by path asks for its owner: the program's user has to be that. */
void open_streams(struct step *step) {
    for (int i = 0; i < 2; i++) {
        int pair[2];
        must(pipe2(pair, O_CLOEXEC), STATUS_SYSTEM, "making", "a pipe");
        must(fchown(pair[1], (uid_t)step->field[0].number, (gid_t)step->field[1].number), STATUS_SYSTEM, "owning", "a pipe");
        launch.streams[i] = pair[0];
        ends[i] = pair[1];
    }
}

void use_streams(__attribute__((unused)) struct step *step) { for (int i = 0; i < 2; i++) must(dup2(ends[i], i + 1), STATUS_SYSTEM, "using", "a pipe"); }

/*
 * Passes on what a stream has that poll(2) told of. At its end it is closed, and poll(2) passes over it from then on. A reader that takes nothing
 * must hold up the program alone, not the signals and notifications that pass here too: until it takes something again, it
 * is waited for in the place of the stream. What poll(2) calls writable takes a page at once.
 */
void relay_stream(int i, struct pollfd *wait) {
    struct pollfd reader = { .fd = i + 1, .events = POLLOUT };
    char text[4096];
    ssize_t length;
    if (wait->events == POLLOUT) *wait = (struct pollfd){ .fd = launch.streams[i], .events = POLLIN };
    else if (!poll(&reader, 1, 0)) *wait = reader;
    else if ((length = read(wait->fd, text, sizeof text)) == 0) close(wait->fd), wait->fd = -1;
    else for (ssize_t done = 0, some; done < length; done += some < 0 ? 0 : some)
        if ((some = write(i + 1, text + done, (size_t)(length - done))) < 0 && errno != EINTR) break; /* nobody listens: as natively */
}
