/*
 * Notifications of a container. Were systemd's own socket bound in, any process in there could send MAINPID= of whatever
 * process it likes and have systemd kill it. So the container gets a socket of ours, and these lines alone pass on.
 */
#include "launch.h"

static bool may_pass(const char *line, size_t length) {
    static const char *const keys[] = { "READY=", "STATUS=", "RELOADING=", "STOPPING=", "WATCHDOG=", "EXTEND_TIMEOUT_USEC=", "MONOTONIC_USEC=" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (length > strlen(keys[i]) && memcmp(line, keys[i], strlen(keys[i])) == 0) return true;
    }
    return false;
}

/* Moves the lines that may pass to the front and gives their length. */
static size_t filter(char *text, size_t length) {
    size_t kept = 0;
    for (size_t start = 0, end; start < length; start = end + 1) {
        char *newline = memchr(text + start, '\n', length - start);
        end = newline ? (size_t)(newline - text) : length;
        if (!may_pass(text + start, end - start)) continue;
        if (kept) text[kept++] = '\n';
        memmove(text + kept, text + start, end - start);
        kept += end - start;
    }
    return kept;
}

/* Takes everything that waits. Of descriptors only the one that a barrier stands for passes, on its own. */
void relay_notifications(void) {
    for (;;) {
        char text[4096];
        union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
        struct iovec piece = { text, sizeof text };
        struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.bytes };
        ssize_t length = recvmsg(launch.notify_in, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (length < 0) return;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        int fd = -1;
        if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len >= CMSG_LEN(sizeof fd)) memcpy(&fd, CMSG_DATA(header), sizeof fd);
        bool barrier = fd >= 0 && length >= 9 && memcmp(text, "BARRIER=1", 9) == 0 && (length == 9 || text[9] == '\n');
        piece.iov_len = message.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? 0 : barrier ? 9 : filter(text, (size_t)length);
        struct msghdr onward = { .msg_iov = &piece, .msg_iovlen = 1 };
        if (barrier) onward.msg_control = &control, onward.msg_controllen = sizeof control.bytes;
        if (piece.iov_len && sendmsg(launch.notify_out, &onward, MSG_NOSIGNAL) < 0) warn("a notification", "cannot be passed on");
        if (fd >= 0) close(fd);
    }
}
