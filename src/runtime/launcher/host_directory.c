/*
 * A small read-only tmpfs (/run/host) that holds what the service manager gives: credentials, in files of the program's
 * own user, and a notification socket. In a pid namespace that socket is ours: see relay.c.
 */
#include <dirent.h>
#include <sys/un.h>

#include "launch.h"

enum { NOTIFY_RELAY = 1, NOTIFY_DIRECT = 2, CREDENTIALS = 4, PASS = 8 };

/* Binds or connects a datagram socket; '@' at the start stands for the abstract names' NUL. */
static int notify_socket(int (*join)(int, const struct sockaddr *, socklen_t), const char *path) {
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t length = strlen(path);
    if (length >= sizeof address.sun_path) errno = ENAMETOOLONG, fail(STATUS_NOTIFY, "using the socket", path);
    memcpy(address.sun_path, path, length);
    if (path[0] == '@') address.sun_path[0] = 0;
    int fd = must(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), STATUS_NOTIFY, "making the socket", path);
    must(join(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)), STATUS_NOTIFY, "using the socket", path);
    return fd;
}

static void copy_credentials(int tree, const char *source, uid_t uid, gid_t gid) {
    DIR *directory = opendir(source);
    must(directory && mkdirat(tree, "credentials", 0500) == 0 ? 0 : -1, STATUS_CREDENTIALS, "reading", source);
    int to = must(openat(tree, "credentials", O_RDONLY | O_DIRECTORY | O_CLOEXEC), STATUS_CREDENTIALS, "copying", source);
    for (struct dirent *entry; (entry = readdir(directory));) {
        struct stat status;
        if (entry->d_name[0] == '.') continue;
        int in = must(openat(dirfd(directory), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), STATUS_CREDENTIALS, "reading", entry->d_name);
        must(fstat(in, &status), STATUS_CREDENTIALS, "reading", entry->d_name);
        if (S_ISREG(status.st_mode)) {
            int out = must(openat(to, entry->d_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400), STATUS_CREDENTIALS, "copying", entry->d_name);
            if (sendfile(out, in, NULL, (size_t)status.st_size) != status.st_size) fail(STATUS_CREDENTIALS, "copying", entry->d_name);
            must(fchown(out, uid, gid), STATUS_CREDENTIALS, "giving away", entry->d_name);
            close(out);
        }
        close(in);
    }
    must(fchown(to, uid, gid), STATUS_CREDENTIALS, "giving away", source);
    close(to);
    closedir(directory);
}

void make_host_directory(struct step *step) {
    const char *path = step->field[0].text, *host = getenv("NOTIFY_SOCKET"), *credentials = getenv("CREDENTIALS_DIRECTORY");
    uint64_t flags = step->field[1].number;
    char place[64];
    if (flags & PASS) launch.notify_path = host, launch.credentials_path = credentials;
    if (!(flags & (NOTIFY_RELAY | NOTIFY_DIRECT))) host = NULL;
    if (!(flags & CREDENTIALS)) credentials = NULL;
    if (!host && !credentials) return;
    int context = new_file_system("tmpfs");
    option(context, "mode", "0755");
    option(context, "size", "4m"); /* systemd takes 1 MiB of credentials */
    step->fd = finish_file_system(context, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, path);
    if (host && (flags & NOTIFY_RELAY)) {
        /* Binding through the descriptor puts the socket into the tmpfs before anyone can see either. */
        snprintf(place, sizeof place, "/proc/self/fd/%d/notify", step->fd);
        launch.notify_in = notify_socket(bind, place);
        must(fchmodat(step->fd, "notify", 0666, 0), STATUS_NOTIFY, "opening", "the private socket");
        launch.notify_out = notify_socket(connect, host);
    } else if (host) {
        launch.host_socket = must(clone_tree(AT_FDCWD, host, 0), STATUS_NOTIFY, "opening", host);
        must(mknodat(step->fd, "notify", S_IFREG | 0600, 0), STATUS_NOTIFY, "making the place of", host);
    }
    if (credentials) copy_credentials(step->fd, credentials, (uid_t)step->field[2].number, (gid_t)step->field[3].number);
    must(set_attributes(step->fd, 0, (struct mount_attr){ .attr_set = MOUNT_ATTR_RDONLY }), STATUS_MOUNT, "making read-only", path);
    if (host) must(asprintf((char **)&launch.notify_path, "%s/notify", path), STATUS_SYSTEM, "allocating for", path);
    if (credentials) must(asprintf((char **)&launch.credentials_path, "%s/credentials", path), STATUS_SYSTEM, "allocating for", path);
}

void attach_host_directory(struct step *step) {
    if (step->fd < 0) return;
    attach(step->fd, open_target(step->field[0].text, true), step->field[0].text);
    if (launch.host_socket < 0) return;
    attach(launch.host_socket, must(openat(step->fd, "notify", O_PATH | O_CLOEXEC), STATUS_NOTIFY, "opening", "notify"), "notify");
}
