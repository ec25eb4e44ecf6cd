/*
 * Notifications of a container. Were systemd's own socket bound in, any process in there could send MAINPID= of whatever
 * process it likes and have systemd kill it. So the container gets a socket of ours, and these lines alone pass on.
 */
#include <sys/socket.h>

#include "launch.h"

static bool may_pass(const char *line, size_t length)
{
    static const char *const keys[] = { "READY=", "STATUS=", "RELOADING=", "STOPPING=", "WATCHDOG=", "EXTEND_TIMEOUT_USEC=", "MONOTONIC_USEC=" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (length > strlen(keys[i]) && memcmp(line, keys[i], strlen(keys[i])) == 0) return true;
    }
    return false;
}

/* Moves the lines that may pass to the front and gives their length. */
static size_t filter(char *text, size_t length)
{
    size_t kept = 0;
    for (size_t start = 0, end; start < length; start = end + 1) {
        char *newline = memchr(text + start, '\n', length - start);
        end = newline ? (size_t)(newline - text) : length;
        if (!may_pass(text + start, end - start)) continue;
        memmove(text + kept, text + start, end - start);
        kept += end - start;
        if (end < length) text[kept++] = '\n';
    }
    return kept;
}

static void forward(char *text, size_t length, int barrier)
{
    union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = { 0 };
    struct iovec piece = { text, length };
    struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
    if (barrier >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control.bytes;
        *CMSG_FIRSTHDR(&message) = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &barrier, sizeof barrier);
    }
    if (sendmsg(launch.notify_out, &message, MSG_NOSIGNAL) < 0) warn("a notification", "cannot be passed on");
}

/* Takes everything that waits. Descriptors are closed again, but for the one that a barrier stands for. */
void relay_notifications(void)
{
    for (;;) {
        char text[4096];
        union { char bytes[CMSG_SPACE(16 * sizeof(int))]; struct cmsghdr align; } control;
        struct iovec piece = { text, sizeof text };
        struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.bytes };
        ssize_t length = recvmsg(launch.notify_in, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (length < 0) return;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        int fds[16] = { 0 }, count = 0;
        if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
            count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            memcpy(fds, CMSG_DATA(header), (size_t)count * sizeof(int));
        }
        bool whole = !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
        if (whole && count == 1 && length >= 9 && memcmp(text, "BARRIER=1", 9) == 0 && (length == 9 || text[9] == '\n')) forward(text, 9, fds[0]);
        else if (whole && (length = (ssize_t)filter(text, (size_t)length)) > 0) forward(text, (size_t)length, -1);
        while (count > 0) close(fds[--count]);
    }
}
