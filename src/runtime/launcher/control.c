/*
 * The conversation with a program that starts containers for others (berth-runtime). What we have to tell goes over one
 * socket, line by line, failures too; every byte that comes back lets the container's process go one step further.
 */

#include "launch.h"

enum { TERMINAL_AT_CONSOLE = 1, TERMINAL_IS_INPUT = 2 };

void take_control(struct step *step) {
    launch.control = (int)step->field[0].number;
    launch.listen_fds = (int)step->field[1].number;
    launch.detach = step->field[2].number;
    for (int fd = 3; fd < 3 + launch.listen_fds; fd++) must(fcntl(fd, F_SETFD, 0), STATUS_SYSTEM, "keeping", "a descriptor");
}

void wait_for_byte(int fd) {
    char byte;
    if (read(fd, &byte, 1) != 1) _exit(STATUS_SYSTEM); /* nobody is there any more who would want the container */
}

/* Says what has been reached, with the descriptor that goes with it, and waits. */
void tell(const char *what, int fd) {
    must(dprintf(launch.control, "%s %d\n", what, fd), STATUS_SYSTEM, "reporting", what);
    wait_for_byte(launch.control);
}

void begin_session(__attribute__((unused)) struct step *step) { setsid(); }

void synchronise(struct step *step) { tell(step->field[0].text, launch.root); }

/* Open for both directions: opening never waits, and whoever writes finds a reader as long as this process has not begun. */
void open_start(struct step *step) { step->fd = must(open(step->field[0].text, O_RDWR | O_NOFOLLOW | O_CLOEXEC), STATUS_SYSTEM, "opening", step->field[0].text); }

/* After this line the runtime may go; the program begins when a byte comes. */
void wait_for_start(struct step *step) {
    check_program(step->field[1].text);
    must(dprintf(launch.control, "created %d\n", (int)getpid()), STATUS_SYSTEM, "reporting", "created");
    close(launch.control);
    launch.control = -1;
    wait_for_byte(step->fd);
}

/*
 * The other end comes from the terminal itself, never by a path, so nothing that lies on the way counts, as long as what
 * was opened is a terminal multiplexer (CVE-2025-52565).
 */
void open_terminal(struct step *step) {
    struct stat status;
    /* It may be standard input already: opened by who could not fetch it from us. */
    if (step->field[3].number == TERMINAL_IS_INPUT) { must(fchown(0, (uid_t)step->field[0].number, (gid_t)-1) | ioctl(0, TIOCSCTTY, 0), STATUS_DEVICE, "taking", "the terminal"); return; }
    struct winsize size = { .ws_row = (unsigned short)step->field[1].number, .ws_col = (unsigned short)step->field[2].number };
    int locked = 0, terminal = must(open_resolved(launch.root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY, RESOLVE_IN_ROOT), STATUS_DEVICE, "opening", "/dev/pts/ptmx");
    must(fstat(terminal, &status), STATUS_DEVICE, "looking at", "/dev/pts/ptmx");
    if (!S_ISCHR(status.st_mode) || status.st_rdev != 0x502) errno = ENODEV, fail(STATUS_DEVICE, "opening", "/dev/pts/ptmx");
    must(ioctl(terminal, TIOCSPTLCK, &locked) | ioctl(terminal, TIOCSWINSZ, &size), STATUS_DEVICE, "setting up", "the terminal");
    int ours = must(ioctl(terminal, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC), STATUS_DEVICE, "opening", "the terminal");
    must(fchown(ours, (uid_t)step->field[0].number, (gid_t)-1), STATUS_DEVICE, "giving away", "the terminal");
    if (step->field[3].number == TERMINAL_AT_CONSOLE) attach(must(clone_tree(ours, "", AT_EMPTY_PATH), STATUS_MOUNT, "opening", "the terminal"), open_target("/dev/console", false), "/dev/console");
    tell("terminal", terminal);
    close(terminal);
    must(ioctl(ours, TIOCSCTTY, 0), STATUS_DEVICE, "taking", "the terminal");
    for (int fd = 0; fd < 3; fd++) must(dup2(ours, fd), STATUS_DEVICE, "using", "the terminal");
}

/* The descriptor by which somebody else answers for system calls: he has to have it before the first of them. */
void offer_listener(int fd) { if (launch.control >= 0) tell("listener", fd), close(fd); }
