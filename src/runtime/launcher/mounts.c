/*
 * Trees and file systems. Every mount is made detached and attached to a descriptor that was opened inside the root, so
 * nothing is ever mounted by a host path. What is bound from the host is cloned before the namespaces are entered: it
 * keeps its peer group, and the container's user needs no way to it.
 */
#include <linux/fsverity.h>
#include <sys/sysmacros.h>

#include "launch.h"

enum { BIND_RECURSIVE = 1, BIND_OPTIONAL = 2, BIND_IDMAPPED = 4 };
enum { ROOT_READ_ONLY = 1, ROOT_IDMAPPED = 2, ROOT_VOLATILE = 4, ROOT_SLAVE = 8, ROOT_LOCKED = 16 };
enum { PIVOT_BY_CHROOT = 1 }; /* the initial file system cannot be pivoted away from; there is nothing behind it */
enum { STRICT = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC };

/* Puts a tree on what `target` is open on, which is closed: one place for one mount. */
void attach(int tree, int target, const char *path) {
    must(syscall(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH), STATUS_MOUNT, "mounting", path);
    close(target);
}

static void attach_to_path(int tree, const char *path) {
    struct stat status;
    must(fstat(tree, &status), STATUS_MOUNT, "looking at the source of", path);
    attach(tree, open_target(path, S_ISDIR(status.st_mode)), path), close(tree);
}

static void change(int tree, unsigned flags, struct mount_attr attr, const char *path) {
    if (attr.attr_set | attr.attr_clr | attr.propagation) must(set_attributes(tree, flags, attr), STATUS_MOUNT, "setting the options of", path);
}

static void map_owners(int tree, const char *path) {
    must(set_attributes(tree, AT_RECURSIVE, (struct mount_attr){ .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)launch.user_namespace }), STATUS_MOUNT, "mapping the owners of", path);
}

/* A /var that is noexec would else stop every container below it. */
void open_root(struct step *step) {
    const char *path = step->field[0].text;
    uint64_t read_only = step->field[1].number & ROOT_READ_ONLY ? MOUNT_ATTR_RDONLY : 0;
    uint64_t lifted = step->field[1].number & ROOT_LOCKED ? 0 : MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID | (MOUNT_ATTR_RDONLY & ~read_only);
    step->fd = launch.root >= 0 ? launch.root : must(clone_tree(AT_FDCWD, path, AT_RECURSIVE | AT_SYMLINK_NOFOLLOW), STATUS_MOUNT, "opening the root", path);
    change(step->fd, AT_RECURSIVE, (struct mount_attr){ .propagation = step->field[1].number & ROOT_SLAVE ? MS_SLAVE : MS_PRIVATE }, path);
    change(step->fd, 0, (struct mount_attr){ .attr_set = MOUNT_ATTR_NODEV | read_only, .attr_clr = lifted }, path);
    if (step->field[1].number & ROOT_IDMAPPED) map_owners(step->fd, path);
}

/* Puts a tree on a directory of the namespace's own: its root, or what it works in. */
static void attach_over(int tree, const char *directory) { attach(tree, must(open(directory, O_PATH | O_CLOEXEC), STATUS_MOUNT, "opening", directory), directory); }

/* The root goes over the namespace's own; nothing is mounted while it could still propagate to the host. */
void attach_root(struct step *step) {
    launch.root = step->fd;
    if (launch.placed) return;
    must(syscall(SYS_mount, NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), STATUS_MOUNT, "leaving", "the host's mounts");
    if (!(step->field[1].number & ROOT_VOLATILE)) attach_over(launch.root, "/");
}

/* Without a mount namespace the container's mounts are the host's: all of them lie below this one, and go with it. */
void place_root(struct step *step) {
    attach_over(launch.root, step->field[0].text);
    change(launch.root, AT_RECURSIVE, (struct mount_attr){ .propagation = MS_PRIVATE }, step->field[0].text);
}

void option(int context, const char *key, const char *value) {
    long result = *value ? syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, value, 0)
                         : syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, key, NULL, 0);
    must(result, STATUS_MOUNT, "setting the mount option", key);
}

int new_file_system(const char *type) { return must(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC), STATUS_MOUNT, "making a file system of type", type); }

int finish_file_system(int context, uint64_t attributes, const char *what) {
    must(syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0), STATUS_MOUNT, "making the file system for", what);
    int tree = must(syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes), STATUS_MOUNT, "making the mount for", what);
    close(context);
    return tree;
}

/* A tmpfs at "/" takes lower, upper and work, because an overlay takes its parts only from where it is mounted itself. */
void overlay_root(struct step *step) {
    static const char *const keys[] = { "lowerdir", "upperdir", "workdir" };
    int context = new_file_system("tmpfs");
    option(context, "mode", "0755"), option(context, "size", step->field[0].text);
    int scratch = finish_file_system(context, MOUNT_ATTR_NODEV, "the volatile root");
    attach_over(scratch, "/");
    launch.layers++;
    must(fchdir(scratch), STATUS_MOUNT, "entering", "the volatile root");
    for (int i = 0; i < 3; i++) must(mkdir(keys[i], 0755), STATUS_MOUNT, "making", keys[i]);
    attach_over(launch.root, "lowerdir");
    context = new_file_system("overlay");
    for (int i = 0; i < 3; i++) option(context, keys[i], keys[i]);
    if (launch.rootless) option(context, "userxattr", ""); /* its other marks are for root of the host alone */
    launch.root = finish_file_system(context, MOUNT_ATTR_NODEV, "the volatile root");
    attach(launch.root, scratch, "the volatile root");
}

/*
 * A root that nobody can alter unnoticed (composefs): an EROFS image of names, owners, modes and links, over the objects that its files
 * have their content from. The image is the one with the digest that the plan says, and says itself what the content measures; so
 * nothing of either counts that fs-verity has not measured. Only root of the host may mount that, and an overlay takes its layers only
 * from where it is mounted itself: so both are done first, in a copy of the host's mounts that is gone afterwards.
 */
void open_sealed_root(struct step *step) {
    const char *path = step->field[0].text, *objects = step->field[1].text;
    uint16_t seal[18] = { 0, 32 /* bytes of a digest, which follows */ };
    char place[64];
    int home = must(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC), STATUS_NAMESPACE, "opening", "the host's mounts");
    int image = must(open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), STATUS_MOUNT, "opening the sealed root", path);
    must(ioctl(image, FS_IOC_MEASURE_VERITY, seal), STATUS_MOUNT, "measuring the sealed root", path);
    if (step->field[2].length != sizeof seal || memcmp(step->field[2].text, seal, sizeof seal)) errno = EKEYREJECTED, fail(STATUS_MOUNT, "refusing a root that is not the one that was sealed:", path);
    must(unshare(CLONE_NEWNS) | syscall(SYS_mount, NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), STATUS_NAMESPACE, "copying", "the host's mounts");
    int data = must(open(objects, O_PATH | O_DIRECTORY | O_CLOEXEC), STATUS_MOUNT, "opening the objects of the root", objects);
    int context = new_file_system("erofs");
    snprintf(place, sizeof place, "/proc/self/fd/%d", image);
    option(context, "source", place);
    int names = finish_file_system(context, MOUNT_ATTR_RDONLY, path);
    if (step->field[3].number & ROOT_IDMAPPED) map_owners(names, path);
    attach_over(names, "/");
    context = new_file_system("overlay");
    snprintf(place, sizeof place, "/proc/self/fd/%d::/proc/self/fd/%d", names, data);
    option(context, "lowerdir", place);
    option(context, "metacopy", "on"), option(context, "redirect_dir", "on"), option(context, "verity", "require");
    launch.root = finish_file_system(context, MOUNT_ATTR_RDONLY, path);
    must(setns(home, CLONE_NEWNS), STATUS_NAMESPACE, "returning to", "the host's mounts");
}

void open_folder(struct step *step) { step->fd = must(open(step->field[0].text, O_PATH | O_DIRECTORY | O_CLOEXEC), STATUS_MOUNT, "opening", step->field[0].text); }

/* Who writes in a folder of the host, or has made the image, could put a link to anywhere there: what is bound from below is reached without. */
static int clone_beneath(const struct step *folder, const char *source, unsigned deep) {
    int place = open_resolved(folder->fd, source + strlen(folder->field[0].text) + 1, O_PATH, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    int tree = place < 0 ? place : clone_tree(place, "", deep | AT_EMPTY_PATH);
    if (place >= 0) close(place), close(folder->fd);
    return tree;
}

void open_bind(struct step *step) {
    const struct field *field = step->field;
    const char *source = field[0].text;
    unsigned deep = field[2].number & BIND_RECURSIVE ? AT_RECURSIVE : 0;
    step->fd = step[-1].op == OP_BENEATH ? clone_beneath(step - 1, source, deep) : clone_tree(AT_FDCWD, source, deep);
    if (step->fd < 0 && (errno == ENOENT || errno == ENOTDIR) && (field[2].number & BIND_OPTIONAL)) return;
    must(step->fd, STATUS_MOUNT, step[-1].op == OP_BENEATH && errno == ELOOP ? "refusing a link of its own on the way to the bind source" : "opening the bind source", source);
    if (field[2].number & BIND_IDMAPPED) map_owners(step->fd, source);
    change(step->fd, deep, (struct mount_attr){ .propagation = field[7].number }, source);
    change(step->fd, 0, (struct mount_attr){ .attr_set = field[3].number, .attr_clr = field[4].number }, source);
    change(step->fd, AT_RECURSIVE, (struct mount_attr){ .attr_set = field[5].number, .attr_clr = field[6].number }, source);
}

static void check_device(int fd, uint64_t type, dev_t device, const char *path) {
    struct stat status;
    must(fstat(fd, &status), STATUS_DEVICE, "looking at", path);
    if ((status.st_mode & S_IFMT) != type || status.st_rdev != device) errno = ENODEV, fail(STATUS_DEVICE, "refusing what is not the device that it is said to be:", path);
}

/* A file or folder of the host under the name of a device would be the container's by the bind before this step. */
void check_bound_node(struct step *step) { check_device(step[-1].fd, step->field[0].number, makedev(step->field[1].number, step->field[2].number), step[-1].field[0].text); }

void attach_bind(struct step *step) { if (step->fd >= 0) attach_to_path(step->fd, step->field[1].text); }

void open_file_system(struct step *step) { launch.file_system = new_file_system(step->field[0].text); }
void set_option(struct step *step) { option(launch.file_system, step->field[0].text, step->field[1].text); }

/* Without SELinux in the kernel no file system knows the option. */
void label_content(struct step *step) { if (step->fd == 0) set_option(step); }

void attach_file_system(struct step *step) {
    const char *path = step->field[0].text;
    int tree = finish_file_system(launch.file_system, step->field[1].number, path);
    change(tree, 0, (struct mount_attr){ .propagation = step->field[2].number }, path);
    attach_to_path(tree, path);
}

/* A device node, a pipe or a link; one that is there already must be the same. */
void make_node(struct step *step) {
    const struct field *field = step->field;
    const char *last, *path = field[0].text;
    struct stat status;
    mode_t mode = (mode_t)field[1].number;
    dev_t device = makedev(field[2].number, field[3].number);
    int parent = must(open_parent(path, &last), STATUS_DEVICE, "making", path);
    if ((S_ISLNK(mode) ? symlinkat(field[6].text, parent, last) : mknodat(parent, last, mode, device)) == 0) {
        must(fchownat(parent, last, (uid_t)field[4].number, (gid_t)field[5].number, AT_SYMLINK_NOFOLLOW), STATUS_DEVICE, "giving away", path);
    } else if (errno != EEXIST) fail(STATUS_DEVICE, "making", path);
    must(fstatat(parent, last, &status, AT_SYMLINK_NOFOLLOW), STATUS_DEVICE, "looking at", path);
    if (!S_ISLNK(mode) && (status.st_rdev != device || (status.st_mode ^ mode) & S_IFMT)) errno = EEXIST, fail(STATUS_DEVICE, "making", path);
    close(parent);
}

void change_mount(struct step *step) {
    const struct field *field = step->field;
    int mount = must(open_in_root(field[0].text, 0), STATUS_MOUNT, "opening", field[0].text);
    change(mount, 0, (struct mount_attr){ .attr_set = field[1].number, .attr_clr = field[2].number }, field[0].text), close(mount);
}

void make_mount_read_only(struct step *step) { step->field[1].number = MOUNT_ATTR_RDONLY, change_mount(step); }

/* What is to be hidden or protected may not be there at all. */
static int open_if_there(const char *path) {
    int target = open_in_root(path, 0);
    if (target < 0 && errno != ENOENT && errno != ENOTDIR) fail(STATUS_MOUNT, "opening", path);
    return target;
}

void make_path_read_only(struct step *step) {
    const char *path = step->field[0].text;
    int target = open_if_there(path);
    if (target < 0) return;
    int tree = must(clone_tree(target, "", AT_EMPTY_PATH | AT_RECURSIVE), STATUS_MOUNT, "making read-only", path);
    change(tree, AT_RECURSIVE, (struct mount_attr){ .attr_set = MOUNT_ATTR_RDONLY }, path);
    attach(tree, target, path), close(tree);
}

/* The host's /dev/null, never the container's, and only if it is that (CVE-2025-31133). */
void open_null(struct step *step) { check_device(step->fd = must(clone_tree(AT_FDCWD, "/dev/null", 0), STATUS_MOUNT, "opening", "/dev/null"), S_IFCHR, makedev(1, 3), "/dev/null"); }

void mask_path(struct step *step) {
    const char *path = step->field[0].text;
    struct stat status;
    int target = open_if_there(path), tree = step->fd;
    if (target < 0) return;
    must(fstat(target, &status), STATUS_MOUNT, "looking at", path);
    if (S_ISDIR(status.st_mode)) tree = finish_file_system(new_file_system("tmpfs"), MOUNT_ATTR_RDONLY | STRICT, path);
    attach(tree, target, path), close(tree);
}

void pivot(struct step *step) {
    must(fchdir(launch.root), STATUS_MOUNT, "entering", "the root");
    if (step->field[0].number & PIVOT_BY_CHROOT) launch.layers = -1;
    must(launch.layers < 0 ? chroot(".") : syscall(SYS_pivot_root, ".", "."), STATUS_MOUNT, "changing to", "the root");
    /* The old root lies on the new one, and on it, what a volatile root was made in: what stays is a way out (setns). */
    for (int i = 0; i <= launch.layers; i++) must(syscall(SYS_umount2, ".", 2 /* MNT_DETACH */), STATUS_MOUNT, "leaving", "the host's root");
    must(chdir("/"), STATUS_MOUNT, "entering", "the root");
    change(launch.root, 0, (struct mount_attr){ .propagation = step->field[0].number & ~PIVOT_BY_CHROOT }, "the root");
}
