/*
 * Reads a plan and checks it whole: header, checksum, every field of every instruction. Nothing on the system has been
 * changed when this returns, and nothing is read from the plan's bytes afterwards without having been checked here.
 */
#include "launch.h"

enum { FORMAT = 1, HEADER = 24 };
enum { MAX_PLAN = 4 << 20, MAX_INSTRUCTIONS = 32768 }; /* arguments and environment are 2 MiB at most in Linux, the rest is small */

static const char *const shapes[] = {
#define OP(number, name, fields, host, container) [number] = fields,
#include "ops.def"
#undef OP
};
#define KNOWN_OPS (sizeof shapes / sizeof *shapes)

static _Noreturn void refuse(const char *why)
{
    errno = EBADMSG;
    fail(STATUS_PLAN, "the launch plan is damaged, refusing it:", why);
}

/* FNV-1a: every step is a bijection, so no change of a single byte goes unseen. The checksum's own place counts as 0. */
static uint32_t checksum(const unsigned char *bytes, uint32_t length)
{
    uint32_t hash = 2166136261u;
    for (uint32_t i = 0; i < length; i++) hash = (hash ^ (i - 16 < 4 ? 0 : bytes[i])) * 16777619u;
    return hash;
}

static uint32_t word(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* The text with every slot replaced by the instance name; both lengths have been bounded by their readers. */
static const char *fill_slots(const char *text, uint32_t length)
{
    uint32_t slots = 0, size = (uint32_t)strlen(launch.instance);
    for (uint32_t i = 0; i < length; i++) slots += text[i] == '\xff';
    if (slots == 0) return text;
    if (size == 0) refuse("it is for instances, and no instance is given");
    if (slots > 64) refuse("too many slots in one text");
    char *filled = malloc((size_t)length + (size_t)slots * size + 1), *to = filled;
    if (!filled) fail(STATUS_SYSTEM, "allocating for", text);
    for (uint32_t i = 0; i < length; i++) {
        if (text[i] != '\xff') *to++ = text[i];
        else to = mempcpy(to, launch.instance, size);
    }
    *to = 0;
    return filled;
}

/* Checks one field and gives the place after it. */
static const unsigned char *read_field(char shape, struct field *field, const unsigned char *at, const unsigned char *end)
{
    uint32_t left = (uint32_t)(end - at), length, padded;
    if (left < 4) refuse("a field is cut short");
    length = word(at);
    if (shape == 'u') return field->number = length, at + 4;
    if (shape == 'q') {
        if (left < 8) refuse("a field is cut short");
        return field->number = length | (uint64_t)word(at + 4) << 32, at + 8;
    }
    if (length > left - 4) refuse("a field is longer than its instruction");
    padded = (length + 3) & ~3u;
    if (padded > left - 4) refuse("a field is longer than its instruction");
    at += 4;
    field->text = (const char *)at;
    field->length = length;
    if (shape != 'b') {
        if (length == 0 || memchr(at, 0, length) != at + length - 1) refuse("a text does not end where it should");
        if (shape == 'p' && (*at != '/' || length > 4096)) refuse("a path is not absolute or too long");
        if (shape == 't') field->text = fill_slots(field->text, length - 1);
    }
    for (uint32_t i = length; i < padded; i++) if (at[i]) refuse("padding is not empty");
    return at + padded;
}

/* What cannot be seen field by field. */
static void check_step(const struct step *step)
{
    const struct field *field = step->field;
    if (step->op == OP_USER && (field[2].length % 4 || field[2].length > 4 * 65536)) refuse("the list of groups");
    if (step->op == OP_SECCOMP && (field[1].length % 8 || field[1].length == 0 || field[1].length > 8 * 4096)) refuse("the filter");
    if (step->op == OP_RLIMIT && field[0].number > 15) refuse("a limit has no such number");
    if (step->op == OP_USER && field[3].number > 0777) refuse("the umask");
}

static void check_whole(void)
{
    uint32_t seen[KNOWN_OPS] = { 0 };
    bool enters = false;
    for (uint32_t i = 0; i < launch.count; i++) {
        const struct step *step = &launch.steps[i];
        check_step(step);
        seen[step->op]++;
        enters |= step->op == OP_JOIN && step->field[0].number == CLONE_NEWNS;
        if (seen[OP_PIVOT] + seen[OP_ENTER] == 0 && step->op >= OP_HOST_NAME && step->op != OP_STREAMS) refuse("a step before the root is in place");
        if (step->op == OP_MOUNT && seen[OP_MOUNT] > seen[OP_FILE_SYSTEM]) refuse("a mount of nothing");
        if (step->op > OP_ROOT && step->op < OP_HOST_NAME && seen[OP_ROOT] == 0) refuse("a step before the root is known");
    }
    if (seen[OP_NAME] != 1 || launch.steps[0].op != OP_NAME || seen[OP_ROOT] + seen[OP_ENTER] != 1 ||
        seen[OP_PIVOT] + seen[OP_ENTER] != 1 || (seen[OP_ENTER] && !enters) || seen[OP_EXEC] != 1 ||
        seen[OP_ARGUMENT] == 0 || seen[OP_UNSHARE] > 1 || seen[OP_USER_NAMESPACE] > 1 || seen[OP_HOST_DIRECTORY] > 1 ||
        seen[OP_PID_FILE] > 1 || seen[OP_USER] > 1 || launch.steps[launch.count - 1].op != OP_EXEC)
        refuse("a step is missing or stands twice");
}

static unsigned char *read_whole(const char *path, uint32_t *length, bool owned)
{
    struct stat status;
    int fd = must(open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), STATUS_PLAN, "opening the launch plan", path);
    must(fstat(fd, &status), STATUS_PLAN, "looking at the launch plan", path);
    if (!S_ISREG(status.st_mode) || status.st_size > MAX_PLAN) refuse("not a file, or too large");
    if (owned && (status.st_uid != 0 || (status.st_mode & 022))) {
        errno = EPERM;
        fail(STATUS_PLAN, "the launch plan is not root's alone to write, refusing", path);
    }
    *length = (uint32_t)status.st_size;
    unsigned char *bytes = malloc(*length + 1);
    if (!bytes) fail(STATUS_SYSTEM, "allocating for", path);
    if (must(read(fd, bytes, *length), STATUS_PLAN, "reading the launch plan", path) != (int)*length) refuse("it is shorter than it was");
    close(fd);
    return bytes;
}

void read_plan(const char *path, bool owned)
{
    uint32_t length;
    const unsigned char *bytes = read_whole(path, &length, owned), *at = bytes + HEADER, *end = bytes + length;
    if (length < HEADER || memcmp(bytes, "BERTHPLN", 8)) refuse("it is not a launch plan");
    if (word(bytes + 8) != FORMAT) refuse("it is of another format");
    if (word(bytes + 12) != length) refuse("its length is wrong");
    if (word(bytes + 16) != checksum(bytes, length)) refuse("its checksum is wrong");
    launch.count = word(bytes + 20);
    if (launch.count == 0 || launch.count > MAX_INSTRUCTIONS) refuse("too many or no instructions");
    launch.steps = calloc(launch.count, sizeof *launch.steps);
    if (!launch.steps) fail(STATUS_SYSTEM, "allocating for", path);
    for (uint32_t i = 0; i < launch.count; i++) {
        struct step *step = &launch.steps[i];
        if (end - at < 8) refuse("an instruction is cut short");
        step->op = word(at);
        step->fd = -1;
        uint32_t size = word(at + 4);
        at += 8;
        if (step->op >= KNOWN_OPS || !shapes[step->op]) refuse("an instruction is unknown");
        if (size > (uint32_t)(end - at)) refuse("an instruction is longer than the plan");
        const unsigned char *stop = at + size;
        const char *shape = shapes[step->op];
        for (struct field *field = step->field; *shape; shape++, field++) at = read_field(*shape, field, at, stop);
        if (at != stop) refuse("an instruction has more fields than it should");
    }
    if (at != end) refuse("bytes after the last instruction");
    check_whole();
}
