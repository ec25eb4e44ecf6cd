/* What a container looks like from inside. Commands are words, ended by "," or the end; each prints lines of its own. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int result(const char *what, long value)
{
    printf("%s=%s\n", what, value < 0 ? strerrorname_np(errno) : "ok");
    return 0;
}

static void show_file(const char *path)
{
    char text[65536];
    int fd = open(path, O_RDONLY);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (length < 0) {
        printf("%s: %s\n", path, strerrorname_np(errno));
        return;
    }
    fwrite(text, 1, (size_t)length, stdout);
    if (length == 0 || text[length - 1] != '\n') putchar('\n');
    close(fd);
}

static void show_stat(const char *path)
{
    struct stat status;
    if (lstat(path, &status) < 0) {
        printf("stat %s=%s\n", path, strerrorname_np(errno));
        return;
    }
    printf("stat %s=%o uid=%u gid=%u rdev=%u:%u\n", path, status.st_mode, status.st_uid, status.st_gid,
           (unsigned)(status.st_rdev >> 8), (unsigned)(status.st_rdev & 255));
}

static void show_fds(void)
{
    for (int fd = 0; fd < 1024; fd++) if (fcntl(fd, F_GETFD) >= 0) printf("fd=%d\n", fd);
}

static void show_list(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory && (entry = readdir(directory))) if (entry->d_name[0] != '.') printf("entry %s/%s\n", path, entry->d_name);
    if (directory) closedir(directory);
}

static int notify(const char *text, int fd)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = { 0 };
    struct iovec piece = { (void *)text, strlen(text) };
    struct msghdr message = { .msg_name = &address, .msg_namelen = sizeof address, .msg_iov = &piece, .msg_iovlen = 1 };
    if (!path) return errno = ENOENT, -1;
    strcpy(address.sun_path, path);
    if (fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control.bytes;
        *CMSG_FIRSTHDR(&message) = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof fd);
    }
    int out = socket(AF_UNIX, SOCK_DGRAM, 0);
    int sent = (int)sendmsg(out, &message, 0), why = errno;
    close(out);
    return errno = why, sent;
}

/* Stands where systemd's notification socket is: prints who sent what, and lets descriptors go. */
static void receive(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0), on = 1;
    strcpy(address.sun_path, path);
    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) exit(1);
    printf("bound\n");
    for (;;) {
        char text[8192];
        union { char bytes[1024]; struct cmsghdr align; } control;
        struct iovec piece = { text, sizeof text - 1 };
        struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
        int fds = 0, pid = 0;
        fflush(stdout);
        ssize_t length = recvmsg(fd, &message, 0);
        if (length < 0) exit(1);
        text[length] = 0;
        for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
            if (header->cmsg_type == SCM_CREDENTIALS) pid = ((struct ucred *)CMSG_DATA(header))->pid;
            if (header->cmsg_type != SCM_RIGHTS) continue;
            fds = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            for (int i = 0; i < fds; i++) close(((int *)CMSG_DATA(header))[i]);
        }
        for (char *at = text; *at; at++) if (*at == '\n') *at = '|';
        printf("message pid=%d fds=%d %s\n", pid, fds, text);
    }
}

static volatile sig_atomic_t caught;
static void handler(int number) { caught = number; }

/* Gives how many words it used. */
static int run(char **word)
{
    const char *command = word[0], *argument = word[1] ? word[1] : "";
    char buffer[4096];
    if (!strcmp(command, "cat")) return show_file(argument), 2;
    if (!strcmp(command, "stat")) return show_stat(argument), 2;
    if (!strcmp(command, "list")) return show_list(argument), 2;
    if (!strcmp(command, "fds")) return show_fds(), 1;
    if (!strcmp(command, "env")) { for (char **at = environ; *at; at++) printf("env %s\n", *at); return 1; }
    if (!strcmp(command, "ids")) {
        gid_t groups[64];
        int count = getgroups(64, groups);
        printf("uid=%u gid=%u groups=", getuid(), getgid());
        for (int i = 0; i < count; i++) printf("%s%u", i ? "," : "", groups[i]);
        printf(" pid=%d ppid=%d session=%d\n", getpid(), getppid(), getsid(0));
        return 1;
    }
    if (!strcmp(command, "cwd")) return printf("cwd=%s\n", getcwd(buffer, sizeof buffer)), 1;
    if (!strcmp(command, "umask")) { mode_t mask = umask(0); umask(mask); return printf("umask=%03o\n", mask), 1; }
    if (!strcmp(command, "hostname")) return gethostname(buffer, sizeof buffer), printf("hostname=%s\n", buffer), 1;
    if (!strcmp(command, "domainname")) { if (getdomainname(buffer, sizeof buffer)) return 1; return printf("domainname=%s\n", buffer), 1; }
    if (!strcmp(command, "link")) { ssize_t n = readlink(argument, buffer, sizeof buffer - 1); if (n < 0) return result(argument, -1), 2; buffer[n] = 0; return printf("link %s=%s\n", argument, buffer), 2; }
    if (!strcmp(command, "write")) { int fd = open(argument, O_WRONLY | O_CREAT, 0600); result("write", fd < 0 ? -1 : write(fd, "x", 1)); if (fd >= 0) close(fd); return 2; }
    if (!strcmp(command, "append")) { int fd = open(argument, O_WRONLY | O_APPEND); result("append", fd); return 2; }
    if (!strcmp(command, "mount")) return result("mount", mount("inner", argument, "tmpfs", 0, NULL)), 2;
    if (!strcmp(command, "mkdir")) return result("mkdir", mkdir(argument, 0755)), 2;
    if (!strcmp(command, "mknod")) return result("mknod", mknod(argument, S_IFCHR | 0600, 0x103)), 2;
    if (!strcmp(command, "chdir")) return result("chdir", chdir(argument)), 2;
    if (!strcmp(command, "receive")) return receive(argument), 2;
    if (!strcmp(command, "notify")) return result("notify", notify(argument, -1)), 2;
    if (!strcmp(command, "notify-fd")) return result("notify", notify(argument, 0)), 2;
    if (!strcmp(command, "connect")) { setenv("NOTIFY_SOCKET", argument, 1); return 2; }
    if (!strcmp(command, "barrier")) {
        int ends[2]; char byte;
        if (pipe(ends)) return 1;
        result("barrier", notify("BARRIER=1", ends[1])); close(ends[1]);
        fflush(stdout);
        return printf("released=%d\n", (int)read(ends[0], &byte, 1)), 1;
    }
    if (!strcmp(command, "limit")) {
        struct rlimit limit; getrlimit(atoi(argument), &limit);
        return printf("limit %s=%ld:%ld\n", argument, (long)limit.rlim_cur, (long)limit.rlim_max), 2;
    }
    if (!strcmp(command, "personality")) return printf("personality=%lx\n", syscall(SYS_personality, 0xffffffff)), 1;
    if (!strcmp(command, "chown")) return result("chown", syscall(SYS_fchmodat, AT_FDCWD, "/tmp", 0777, 0)), 1;
    if (!strcmp(command, "sched")) {
        int memory = -1;
        syscall(SYS_get_mempolicy, &memory, NULL, 0, NULL, 0);
        printf("policy=%lx nice=%d io=%lx memory=%x\n", syscall(SYS_sched_getscheduler, 0), getpriority(PRIO_PROCESS, 0), syscall(SYS_ioprio_get, 1, 0), memory);
        return 1;
    }
    if (!strcmp(command, "socket")) return result("socket", socket(AF_INET, SOCK_STREAM, 0)), 1;
    if (!strcmp(command, "say")) return printf("%s\n", argument), 2;
    if (!strcmp(command, "exit")) { fflush(stdout); exit(atoi(argument)); }
    if (!strcmp(command, "raise")) { fflush(stdout); signal(atoi(argument), SIG_DFL); raise(atoi(argument)); return 2; }
    if (!strcmp(command, "fault")) { fflush(stdout); *(volatile int *)8 = 1; }
    if (!strcmp(command, "ignore")) return signal(atoi(argument), SIG_IGN), 2;
    if (!strcmp(command, "catch")) return signal(atoi(argument), handler), 2;
    /* In small steps: a signal between the flush, by which the test knows that we are ready, and the sleep must count. */
    if (!strcmp(command, "sleep")) { fflush(stdout); for (int left = atoi(argument) * 100; left > 0 && !caught; left--) usleep(10000); return printf("caught=%d\n", caught), 2; }
    if (!strcmp(command, "orphan")) {
        /* A grandchild that outlives its parent: PID 1 has to collect it. */
        pid_t child = fork();
        if (child == 0) { if (fork() == 0) { usleep(50000); _exit(0); } _exit(0); }
        waitpid(child, NULL, 0); usleep(200000);
        return 1;
    }
    printf("unknown command %s\n", command);
    return 1;
}

int main(int count, char **words)
{
    (void)count;
    for (char **word = words + 1; *word;) {
        word += run(word);
        if (*word && !strcmp(*word, ",")) word++;
        fflush(stdout);
    }
    return 0;
}
