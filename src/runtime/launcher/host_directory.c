/*
 * A small read-only tmpfs (/run/host) that holds what the service manager gives: credentials, in files of the program's
 * own user, and a notification socket. In a pid namespace that socket is ours: see relay.c.
 */
#include <dirent.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "launch.h"

enum { NOTIFY_RELAY = 1, NOTIFY_DIRECT = 2, CREDENTIALS = 4, PASS = 8 };

static const char *join(const char *directory, const char *name)
{
    char *path = malloc(strlen(directory) + strlen(name) + 2);
    if (!path) fail(STATUS_SYSTEM, "allocating for", name);
    stpcpy(stpcpy(stpcpy(path, directory), "/"), name);
    return path;
}

static socklen_t socket_address(struct sockaddr_un *address, const char *path)
{
    size_t length = strlen(path);
    if (length >= sizeof address->sun_path) errno = ENAMETOOLONG, fail(STATUS_NOTIFY, "using the socket", path);
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(address->sun_path, path, length + 1);
    if (path[0] == '@') address->sun_path[0] = 0;
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] != '@'));
}

static int notify_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail(STATUS_NOTIFY, "making", "a socket");
    return fd;
}

/* Binding through the descriptor puts the socket into the tmpfs before anyone can see either. */
static void make_relay(int tree, const char *host)
{
    struct sockaddr_un address;
    char place[] = "/proc/self/fd/0000000/notify", *digit = place + 20;
    for (int rest = tree; digit > place + 13; rest /= 10) *digit-- = (char)('0' + rest % 10);
    for (digit = place + 14; *digit == '0'; digit++) { }
    memmove(place + 14, digit, strlen(digit) + 1);
    launch.notify_in = notify_socket();
    launch.notify_out = notify_socket();
    socklen_t length = socket_address(&address, place);
    if (bind(launch.notify_in, (struct sockaddr *)&address, length) < 0) fail(STATUS_NOTIFY, "making", "the private socket");
    if (fchmodat(tree, "notify", 0666, 0) < 0) fail(STATUS_NOTIFY, "opening", "the private socket");
    length = socket_address(&address, host);
    if (connect(launch.notify_out, (struct sockaddr *)&address, length) < 0) fail(STATUS_NOTIFY, "connecting to", host);
}

static void copy_credentials(int tree, const char *source, const struct field *owner)
{
    DIR *directory = opendir(source);
    if (!directory || mkdirat(tree, "credentials", 0500) < 0) fail(STATUS_CREDENTIALS, "reading", source);
    int to = openat(tree, "credentials", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (struct dirent *entry; (entry = readdir(directory));) {
        struct stat status;
        if (entry->d_name[0] == '.') continue;
        int in = openat(dirfd(directory), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (in < 0 || fstat(in, &status) < 0) fail(STATUS_CREDENTIALS, "reading", entry->d_name);
        if (S_ISREG(status.st_mode)) {
            int out = openat(to, entry->d_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
            if (out < 0 || sendfile(out, in, NULL, (size_t)status.st_size) != status.st_size ||
                fchown(out, (uid_t)owner[0].number, (gid_t)owner[1].number) < 0) fail(STATUS_CREDENTIALS, "copying", entry->d_name);
            close(out);
        }
        close(in);
    }
    if (fchown(to, (uid_t)owner[0].number, (gid_t)owner[1].number) < 0) fail(STATUS_CREDENTIALS, "giving away", source);
    close(to);
    closedir(directory);
}

void make_host_directory(struct step *step)
{
    const struct field *field = step->field;
    uint64_t flags = field[1].number;
    const char *host = getenv("NOTIFY_SOCKET"), *credentials = getenv("CREDENTIALS_DIRECTORY");
    if (flags & PASS) {
        launch.notify_path = host;
        launch.credentials_path = credentials;
        return;
    }
    if (!(flags & (NOTIFY_RELAY | NOTIFY_DIRECT))) host = NULL;
    if (!(flags & CREDENTIALS)) credentials = NULL;
    if (!host && !credentials) return;
    int context = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
    syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "mode", "0755", 0);
    syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "size", "4m", 0); /* systemd takes 1 MiB of credentials */
    step->fd = finish_file_system(context, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, field[0].text);
    if (host && (flags & NOTIFY_RELAY)) make_relay(step->fd, host);
    if (host && (flags & NOTIFY_DIRECT)) {
        launch.host_socket = (int)open_tree(AT_FDCWD, host, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (launch.host_socket < 0 || mknodat(step->fd, "notify", S_IFREG | 0600, 0) < 0) fail(STATUS_NOTIFY, "opening", host);
    }
    if (credentials) copy_credentials(step->fd, credentials, field + 2);
    if (set_attributes(step->fd, 0, MOUNT_ATTR_RDONLY, 0, 0, 0) < 0) fail(STATUS_MOUNT, "making read-only", field[0].text);
    if (host) launch.notify_path = join(field[0].text, "notify");
    if (credentials) launch.credentials_path = join(field[0].text, "credentials");
}

void attach_host_directory(struct step *step)
{
    if (step->fd < 0) return;
    int target = open_target(step->field[0].text, true);
    attach(step->fd, target, step->field[0].text);
    close(target);
    if (launch.host_socket < 0) return;
    if ((target = openat(step->fd, "notify", O_PATH | O_CLOEXEC)) < 0) fail(STATUS_NOTIFY, "opening", "notify");
    attach(launch.host_socket, target, "notify");
}
