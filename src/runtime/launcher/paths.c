/*
 * Paths inside the container's root. All go through openat2(RESOLVE_IN_ROOT): whatever links an image holds, the answer
 * lies in the image or in what the plan has mounted there (CVE-2021-30465, CVE-2019-18837).
 */
#include "launch.h"

int open_in_root(const char *path, uint64_t flags)
{
    struct open_how how = { .flags = flags | O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
    return (int)syscall(SYS_openat2, launch.root, path, &how, sizeof how);
}

/* Opens the directory that holds the last component, making what is missing (a read-only root refuses that itself). */
int open_parent(const char *path, const char **last)
{
    char prefix[4096];
    const char *slash = path;
    int parent = open_in_root("/", 0);
    for (; parent >= 0 && (*last = slash + 1, slash = strchr(slash + 1, '/'));) {
        size_t length = (size_t)(slash - path);
        memcpy(prefix, path, length);
        prefix[length] = 0;
        int next = open_in_root(prefix, O_DIRECTORY);
        if (next < 0 && errno == ENOENT && mkdirat(parent, prefix + (*last - path), 0755) == 0) {
            next = open_in_root(prefix, O_DIRECTORY);
        }
        close(parent);
        parent = next;
    }
    return parent;
}

/* Opens what a mount goes on, made if it is not there. */
int open_target(const char *path, bool directory)
{
    const char *last;
    int target = open_in_root(path, 0), parent;
    if (target >= 0) return target;
    if (errno != ENOENT) fail(STATUS_MOUNT, "opening the mount point", path);
    if ((parent = open_parent(path, &last)) < 0) fail(STATUS_MOUNT, "making the mount point", path);
    if (directory ? mkdirat(parent, last, 0755) : mknodat(parent, last, S_IFREG | 0644, 0)) {
        fail(STATUS_MOUNT, "making the mount point", path);
    }
    close(parent);
    if ((target = open_in_root(path, 0)) < 0) fail(STATUS_MOUNT, "opening the mount point", path);
    return target;
}

/* Writes a file of a kernel file system below `directory`; links and mounts on the way are refused. */
void write_file(int directory, const char *path, const char *text, int status)
{
    struct open_how how = { .flags = O_WRONLY | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV };
    int fd = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) fail(status, "writing to", path);
    close(fd);
}
