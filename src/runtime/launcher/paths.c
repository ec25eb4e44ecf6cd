/*
 * Paths inside the container's root. All go through openat2(RESOLVE_IN_ROOT): whatever links an image holds, the answer
 * lies in the image or in what the plan has mounted there (CVE-2021-30465, CVE-2019-18837).
 */
#include "launch.h"

int open_resolved(int directory, const char *path, uint64_t flags, uint64_t resolve) {
    struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = resolve | RESOLVE_NO_MAGICLINKS };
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

int open_in_root(const char *path, uint64_t flags) { return open_resolved(launch.root, path, flags | O_PATH, RESOLVE_IN_ROOT); }

/* Opens the directory that holds the last component, making what is missing (a read-only root refuses that itself). */
int open_parent(const char *path, const char **last) {
    char prefix[4096];
    const char *slash = path;
    int parent = open_in_root("/", 0);
    for (; parent >= 0 && (*last = slash + 1, slash = strchr(slash + 1, '/'));) {
        *(char *)mempcpy(prefix, path, (size_t)(slash - path)) = 0;
        int next = open_in_root(prefix, O_DIRECTORY);
        if (next < 0 && errno == ENOENT && mkdirat(parent, prefix + (*last - path), 0755) == 0) next = open_in_root(prefix, O_DIRECTORY);
        close(parent), parent = next;
    }
    return parent;
}

/* Opens what a mount goes on, made if it is not there. */
int open_target(const char *path, bool directory) {
    const char *last;
    int target = open_in_root(path, 0);
    if (target >= 0) return target;
    if (errno != ENOENT) fail(STATUS_MOUNT, "opening the mount point", path);
    int parent = must(open_parent(path, &last), STATUS_MOUNT, "making the mount point", path);
    must(directory ? mkdirat(parent, last, 0755) : mknodat(parent, last, S_IFREG | 0644, 0), STATUS_MOUNT, "making the mount point", path);
    close(parent);
    return must(open_in_root(path, 0), STATUS_MOUNT, "opening the mount point", path);
}

/* Writes a file of a kernel file system below `directory`; other mounts and links out of it are refused. */
void write_file(int directory, const char *path, const char *text, int status) {
    int fd = must(open_resolved(directory, path, O_WRONLY, RESOLVE_BENEATH | RESOLVE_NO_XDEV), status, "opening", path);
    must(write(fd, text, strlen(text)), status, "writing to", path), close(fd);
}
