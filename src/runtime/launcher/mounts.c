/*
 * Trees and file systems. Every mount is made detached and attached to a descriptor that was opened inside the root, so
 * nothing is ever mounted by a host path. What is bound from the host is cloned before the namespaces are entered: it
 * keeps its peer group, and the container's user needs no way to it.
 */
#include <linux/magic.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "launch.h"

enum { BIND_RECURSIVE = 1, BIND_OPTIONAL = 2, BIND_IDMAPPED = 4 };
enum { ROOT_READ_ONLY = 1, ROOT_IDMAPPED = 2, ROOT_VOLATILE = 4 };

static int clone_tree(const char *source, unsigned flags)
{
    return (int)open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
}

void attach(int tree, int target, const char *path)
{
    if (syscall(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
        fail(STATUS_MOUNT, "mounting", path);
    }
}

static void attach_to_path(int tree, const char *path)
{
    struct stat status;
    if (fstat(tree, &status) < 0) fail(STATUS_MOUNT, "looking at the source of", path);
    int target = open_target(path, S_ISDIR(status.st_mode));
    attach(tree, target, path);
    close(target);
    close(tree);
}

static void change(int tree, unsigned flags, uint64_t set, uint64_t clear, const char *path)
{
    if ((set | clear) && set_attributes(tree, flags, set, clear, 0, 0) < 0) fail(STATUS_MOUNT, "setting the options of", path);
}

static void map_owners(int tree, const char *path)
{
    if (set_attributes(tree, AT_RECURSIVE, MOUNT_ATTR_IDMAP, 0, 0, launch.user_namespace) < 0) {
        fail(STATUS_MOUNT, "mapping the owners of", path);
    }
}

void open_root(struct step *step)
{
    const char *path = step->field[0].text;
    uint64_t flags = step->field[1].number;
    struct stat status;
    step->fd = clone_tree(path, AT_RECURSIVE | AT_SYMLINK_NOFOLLOW);
    if (step->fd < 0 || fstat(step->fd, &status) < 0) fail(STATUS_MOUNT, "opening the root", path);
    if (!S_ISDIR(status.st_mode)) errno = ENOTDIR, fail(STATUS_MOUNT, "opening the root", path);
    if (set_attributes(step->fd, AT_RECURSIVE, 0, 0, MS_PRIVATE, 0) < 0) fail(STATUS_MOUNT, "taking the root from the host", path);
    /* A /var that is noexec would else stop every container below it. */
    change(step->fd, 0, MOUNT_ATTR_NODEV | (flags & ROOT_READ_ONLY ? MOUNT_ATTR_RDONLY : 0),
           MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID | (flags & ROOT_READ_ONLY ? 0 : MOUNT_ATTR_RDONLY), path);
    if (flags & ROOT_IDMAPPED) map_owners(step->fd, path);
}

/* The root goes over the namespace's own; nothing is mounted below it while it can propagate to the host. */
void attach_root(struct step *step)
{
    const char *path = step->field[0].text;
    if (syscall(SYS_mount, NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) fail(STATUS_MOUNT, "leaving the host's mounts for", path);
    launch.root = step->fd;
    if (step->field[1].number & ROOT_VOLATILE) return;
    int old = open("/", O_PATH | O_CLOEXEC);
    if (old < 0) fail(STATUS_MOUNT, "opening", "/");
    attach(launch.root, old, path);
    close(old);
}

static void option(int context, const char *key, const char *value)
{
    if (syscall(SYS_fsconfig, context, *value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, *value ? value : NULL, 0) < 0) {
        fail(STATUS_MOUNT, "setting the mount option", key);
    }
}

static int new_file_system(const char *type)
{
    int context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
    if (context < 0) fail(STATUS_MOUNT, "making a file system of type", type);
    return context;
}

int finish_file_system(int context, uint32_t attributes, const char *what)
{
    int tree = syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0
        ? -1 : (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
    if (tree < 0) fail(STATUS_MOUNT, "making the file system for", what);
    close(context);
    return tree;
}

/* A tmpfs at "/" takes lower, upper and work, because an overlay takes its parts only from where it is mounted itself. */
void overlay_root(struct step *step)
{
    static const char *const names[] = { "lower", "upper", "work" };
    int context = new_file_system("tmpfs"), old = open("/", O_PATH | O_CLOEXEC), lower;
    option(context, "mode", "0755");
    option(context, "size", step->field[0].text);
    int scratch = finish_file_system(context, MOUNT_ATTR_NODEV, "the volatile root");
    attach(scratch, old, "/");
    for (int i = 0; i < 3; i++) if (mkdirat(scratch, names[i], 0755) < 0) fail(STATUS_MOUNT, "making", names[i]);
    if ((lower = openat(scratch, "lower", O_PATH | O_CLOEXEC)) < 0) fail(STATUS_MOUNT, "opening", "lower");
    attach(launch.root, lower, "lower");
    if (fchdir(scratch) < 0) fail(STATUS_MOUNT, "entering", "the volatile root");
    context = new_file_system("overlay");
    option(context, "lowerdir", "lower");
    option(context, "upperdir", "upper");
    option(context, "workdir", "work");
    launch.root = finish_file_system(context, MOUNT_ATTR_NODEV, "the volatile root");
    attach(launch.root, scratch, "/");
    close(scratch);
    close(lower);
    close(old);
}

void open_bind(struct step *step)
{
    const struct field *field = step->field;
    const char *source = field[0].text;
    uint64_t flags = field[2].number;
    step->fd = clone_tree(source, flags & BIND_RECURSIVE ? AT_RECURSIVE : 0);
    if (step->fd < 0 && (errno == ENOENT || errno == ENOTDIR) && (flags & BIND_OPTIONAL)) return;
    if (step->fd < 0) fail(STATUS_MOUNT, "opening the bind source", source);
    if (flags & BIND_IDMAPPED) map_owners(step->fd, source);
    unsigned deep = flags & BIND_RECURSIVE ? AT_RECURSIVE : 0;
    if (set_attributes(step->fd, deep, 0, 0, field[7].number, 0) < 0) fail(STATUS_MOUNT, "setting the propagation of", source);
    change(step->fd, 0, field[3].number, field[4].number, source);
    change(step->fd, AT_RECURSIVE, field[5].number, field[6].number, source);
}

void attach_bind(struct step *step)
{
    if (step->fd >= 0) attach_to_path(step->fd, step->field[1].text);
}

void open_file_system(struct step *step) { launch.file_system = new_file_system(step->field[0].text); }
void set_option(struct step *step) { option(launch.file_system, step->field[0].text, step->field[1].text); }

void attach_file_system(struct step *step)
{
    const char *path = step->field[0].text;
    int tree = finish_file_system(launch.file_system, (uint32_t)step->field[1].number, path);
    if (step->field[2].number && set_attributes(tree, 0, 0, 0, step->field[2].number, 0) < 0) {
        fail(STATUS_MOUNT, "setting the propagation of", path);
    }
    attach_to_path(tree, path);
}

/* Without a cgroup namespace, or on a version 1 host, the container sees the host's hierarchy, and never writes to it. */
void open_cgroup(struct step *step)
{
    struct statfs host;
    if (statfs("/sys/fs/cgroup", &host) < 0) fail(STATUS_MOUNT, "looking at", "/sys/fs/cgroup");
    if (host.f_type == CGROUP2_SUPER_MAGIC && step->field[2].number) return;
    step->fd = clone_tree("/sys/fs/cgroup", AT_RECURSIVE);
    if (step->fd < 0) fail(STATUS_MOUNT, "opening", "/sys/fs/cgroup");
    if (set_attributes(step->fd, AT_RECURSIVE, step->field[1].number | MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, 0) < 0) {
        fail(STATUS_MOUNT, "setting the options of", "/sys/fs/cgroup");
    }
}

void attach_cgroup(struct step *step)
{
    if (step->fd < 0) step->fd = finish_file_system(new_file_system("cgroup2"), (uint32_t)step->field[1].number, "cgroup2");
    attach_to_path(step->fd, step->field[0].text);
}

void make_device(struct step *step)
{
    const struct field *field = step->field;
    const char *last, *path = field[0].text;
    struct stat status;
    dev_t device = makedev(field[2].number, field[3].number);
    int parent = open_parent(path, &last);
    if (parent < 0) fail(STATUS_DEVICE, "making the device", path);
    bool made = mknodat(parent, last, (mode_t)field[1].number, device) == 0;
    if (!made && errno != EEXIST) fail(STATUS_DEVICE, "making the device", path);
    if (made && fchownat(parent, last, (uid_t)field[4].number, (gid_t)field[5].number, AT_SYMLINK_NOFOLLOW) < 0) {
        fail(STATUS_DEVICE, "giving away the device", path);
    }
    if (fstatat(parent, last, &status, AT_SYMLINK_NOFOLLOW) < 0 || status.st_rdev != device ||
        (status.st_mode & S_IFMT) != (field[1].number & S_IFMT)) errno = EEXIST, fail(STATUS_DEVICE, "making the device", path);
    close(parent);
}

void make_symlink(struct step *step)
{
    const char *last;
    int parent = open_parent(step->field[1].text, &last);
    if (parent < 0 || (symlinkat(step->field[0].text, parent, last) < 0 && errno != EEXIST)) {
        fail(STATUS_DEVICE, "making the link", step->field[1].text);
    }
    close(parent);
}

void make_mount_read_only(struct step *step)
{
    int mount = open_in_root(step->field[0].text, 0);
    if (mount < 0) fail(STATUS_MOUNT, "opening", step->field[0].text);
    change(mount, 0, MOUNT_ATTR_RDONLY, 0, step->field[0].text);
    close(mount);
}

void make_path_read_only(struct step *step)
{
    const char *path = step->field[0].text;
    int target = open_in_root(path, 0);
    if (target < 0 && errno == ENOENT) return;
    int tree = target < 0 ? -1 : (int)open_tree(target, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
    if (tree < 0) fail(STATUS_MOUNT, "making read-only", path);
    change(tree, AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, path);
    attach(tree, target, path);
    close(target);
    close(tree);
}

/* The host's /dev/null, never the container's, and only if it is that (CVE-2025-31133). */
void open_null(struct step *step)
{
    struct stat status;
    step->fd = clone_tree("/dev/null", 0);
    if (step->fd < 0 || fstat(step->fd, &status) < 0) fail(STATUS_MOUNT, "opening", "/dev/null");
    if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3)) errno = ENODEV, fail(STATUS_MOUNT, "opening", "/dev/null");
}

void mask_path(struct step *step)
{
    const char *path = step->field[0].text;
    struct stat status;
    int target = open_in_root(path, 0), tree = step->fd;
    if (target < 0 && (errno == ENOENT || errno == ENOTDIR)) return;
    if (target < 0 || fstat(target, &status) < 0) fail(STATUS_MOUNT, "masking", path);
    if (S_ISDIR(status.st_mode)) {
        int context = new_file_system("tmpfs");
        option(context, "nr_inodes", "1");
        tree = finish_file_system(context, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, path);
    }
    attach(tree, target, path);
    close(target);
    close(tree);
}

void pivot(struct step *step)
{
    if (fchdir(launch.root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0) fail(STATUS_MOUNT, "changing to", "the root");
    if (syscall(SYS_umount2, ".", 2 /* MNT_DETACH */) < 0 || chdir("/") < 0) fail(STATUS_MOUNT, "leaving", "the host's root");
    uint64_t deep = step->field[1].number ? AT_RECURSIVE : 0;
    if (step->field[0].number && set_attributes(launch.root, (unsigned)deep, 0, 0, step->field[0].number, 0) < 0) {
        fail(STATUS_MOUNT, "setting the propagation of", "the root");
    }
}
