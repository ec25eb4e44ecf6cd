/*
 * The other side of a socket that a runtime sends a descriptor over: `agent SOCKET terminal` is an engine's terminal,
 * `agent SOCKET listener` answers for system calls. What came with the descriptor is printed first, in a line of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static void must(int done, const char *what) {
    if (!done) perror(what), exit(1);
}

/* Gives the descriptor of the first message. */
static int receive(const char *path) {
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char text[65536], control[CMSG_SPACE(sizeof(int))];
    struct iovec piece = { text, sizeof text - 1 };
    struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    int socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    must(bind(socket_fd, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    must(listen(socket_fd, 1) == 0, "listen");
    printf("listening\n");
    int peer = accept(socket_fd, NULL, NULL);
    ssize_t length = recvmsg(peer, &message, MSG_CMSG_CLOEXEC);
    must(length > 0, "recvmsg");
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    must(header && header->cmsg_type == SCM_RIGHTS, "no descriptor");
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
    text[length] = 0;
    printf("text %s\n", text);
    return fd;
}

/* Every line of standard input is typed; "size ROWS COLUMNS" changes the window instead. */
static void serve_terminal(int fd) {
    struct winsize size;
    char text[4096];
    must(ioctl(fd, TIOCGWINSZ, &size) == 0, "TIOCGWINSZ");
    printf("window %d %d\n", size.ws_row, size.ws_col);
    for (struct pollfd ends[2] = { { fd, POLLIN, 0 }, { 0, POLLIN, 0 } }; poll(ends, 2, -1) > 0;) {
        if (ends[1].revents) {
            ssize_t length = read(0, text, sizeof text - 1);
            if (length <= 0) ends[1].fd = -1, length = 0;
            text[length] = 0;
            if (sscanf(text, "size %hu %hu", &size.ws_row, &size.ws_col) == 2) must(ioctl(fd, TIOCSWINSZ, &size) == 0, "TIOCSWINSZ");
            else must(write(fd, text, (size_t)length) == length, "typing");
        }
        if (!ends[0].revents) continue;
        ssize_t length = read(fd, text, sizeof text);
        if (length <= 0) break; /* EIO: nobody has the other end any more */
        fwrite(text, 1, (size_t)length, stdout);
    }
    printf("end\n");
}

/* mkdir(2) and mkdirat(2) fail with an error that the kernel has no reason to give; all else goes on. */
static void answer_calls(int fd) {
    for (;;) {
        struct seccomp_notif question = { 0 };
        if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &question) < 0) {
            if (errno == EINTR || errno == ENOENT) continue;
            break;
        }
        struct seccomp_notif_resp answer = { .id = question.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
        int is_mkdir = question.data.nr == SYS_mkdirat;
#ifdef SYS_mkdir
        is_mkdir |= question.data.nr == SYS_mkdir;
#endif
        if (is_mkdir) answer.flags = 0, answer.error = -ENOMEDIUM;
        printf("asked %d\n", is_mkdir);
        ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
}

int main(int count, char **arguments) {
    must(count == 3, "agent SOCKET terminal|listener");
    setvbuf(stdout, NULL, _IOLBF, 0);
    int fd = receive(arguments[1]);
    if (strcmp(arguments[2], "terminal") == 0) {
        setvbuf(stdout, NULL, _IONBF, 0);
        serve_terminal(fd);
    } else answer_calls(fd);
    return 0;
}
