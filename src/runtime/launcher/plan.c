/*
 * Reads a plan and checks it whole: header, checksum, every field of every instruction. Nothing on the system has been
 * changed when this returns, and nothing is read from the plan's bytes afterwards without having been checked here.
 */

#include "launch.h"

enum { FORMAT = 1, HEADER = 24 };
enum { MAX_PLAN = 4 << 20, MAX_INSTRUCTIONS = 32768 }; /* arguments and environment are 2 MiB at most in Linux, the rest is small */
enum { MAX_SLOTS = 64, MAX_GROUPS = 65536, MAX_FILTER = 4096 }; /* the kernel's own limits, but for the slots */

const struct operation operations[] = {
#define OP(number, name, fields, rule, host, container) [number] = { fields, rule, { host, container } },
#include "ops.def"
#undef OP
};
#define KNOWN_OPS (sizeof operations / sizeof *operations)

static _Noreturn void refuse(const char *why) {
    errno = EBADMSG;
    fail(STATUS_PLAN, "the launch plan is damaged, refusing it:", why);
}

/* FNV-1a: every step is a bijection, so no change of a single byte goes unseen. The checksum's own place counts as 0. */
static uint32_t checksum(const unsigned char *bytes, uint32_t length) {
    uint32_t hash = 2166136261u;
    for (uint32_t i = 0; i < length; i++) hash = (hash ^ (i - 16 < 4 ? 0 : bytes[i])) * 16777619u;
    return hash;
}

static uint32_t word(const unsigned char *at) { return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24; }

/* The text with every slot replaced by the instance name. */
static const char *fill_slots(const char *text) {
    char *filled = NULL, *slot;
    for (int slots = 0; (slot = strchr(text, '\xff')); slots++) {
        char *before = filled;
        if (!*launch.instance) refuse("it is for instances, and no instance is given");
        if (slots == MAX_SLOTS) refuse("too many slots in one text");
        must(asprintf(&filled, "%.*s%s%s", (int)(slot - text), text, launch.instance, slot + 1), STATUS_SYSTEM, "allocating for", text);
        free(before);
        text = filled;
    }
    return text;
}

/* Checks one field and gives the place after it. */
static const unsigned char *read_field(char shape, struct field *field, const unsigned char *at, const unsigned char *end) {
    uint32_t left = (uint32_t)(end - at), size = shape == 'q' ? 8 : 4;
    if (left < size) refuse("a field is cut short");
    uint32_t length = word(at), padded = (length + 3) & ~3u;
    field->number = length | (size == 8 ? (uint64_t)word(at + 4) << 32 : 0);
    at += size;
    if (shape == 'u' || shape == 'q') return at;
    if (length > left - 4 || padded > left - 4) refuse("a field is longer than its instruction");
    for (uint32_t i = length; i < padded; i++) if (at[i]) refuse("padding is not empty");
    field->text = (const char *)at;
    field->length = length;
    if (shape == 'g' && (length % 4 || length > 4 * MAX_GROUPS)) refuse("the list of groups");
    if (shape == 'f' && (length % 8 || length == 0 || length > 8 * MAX_FILTER)) refuse("the filter");
    if (!strchr("bgf", shape) && (length == 0 || memchr(at, 0, length) != at + length - 1)) refuse("a text does not end where it should");
    if (shape == 'p' && (*at != '/' || length > 4096)) refuse("a path is not absolute or too long");
    if (shape == 't') field->text = fill_slots(field->text);
    return at + padded;
}

static bool is_below(const char *path, const char *folder) { return !strncmp(path, folder, strlen(folder)) && path[strlen(folder)] == '/'; }

/* What cannot be seen field by field. */
static void check_whole(void) {
    uint32_t seen[KNOWN_OPS] = { 0 };
    bool enters = false, own = false;
    for (uint32_t i = 0; i < launch.count; i++) {
        const struct step *step = &launch.steps[i];
        char after = operations[step->op].rule[1];
        seen[step->op]++;
        enters |= step->op == OP_JOIN && step->field[0].number == CLONE_NEWNS;
        own |= enters || (step->op == OP_UNSHARE && step->field[0].number & CLONE_NEWNS);
        if (after == 'i' && seen[OP_PIVOT] + seen[OP_ENTER] == 0) refuse("a step before the root is in place");
        if (after == 'r' && seen[OP_ROOT] == 0) refuse("a step before the root is known");
        if (step->op == OP_MOUNT && seen[OP_MOUNT] > seen[OP_FILE_SYSTEM]) refuse("a mount of nothing");
        if (step->op == OP_RLIMIT && step->field[0].number > 15) refuse("a limit has no such number");
        if (step->op == OP_USER && step->field[3].number > (0777 | KEEP_GROUPS)) refuse("the umask");
        if (step->op == OP_BENEATH && (i + 1 == launch.count || step[1].op != OP_BIND || !is_below(step[1].field[0].text, step->field[0].text))) refuse("a folder of no mount");
        if ((step->op == OP_MAP_BIND || step->op == OP_BOUND_NODE) && (step == launch.steps || step[-1].op != OP_BIND)) refuse("owners or a device of no mount");
    }
    launch.placed = seen[OP_PLACE];
    if (own == launch.placed) refuse("it would mount on the host");
    bool whole = launch.steps[0].op == OP_NAME && launch.steps[launch.count - 1].op == OP_EXEC && enters >= seen[OP_ENTER] &&
                 seen[OP_ROOT] + seen[OP_ENTER] == 1 && seen[OP_PIVOT] + seen[OP_ENTER] == 1;
    for (uint32_t op = 1; op < KNOWN_OPS; op++) {
        if (!operations[op].rule) continue;
        char times = operations[op].rule[0];
        whole &= times == '*' || (times == '+' ? seen[op] > 0 : seen[op] <= 1 && (times == '?' || seen[op]));
    }
    if (!whole) refuse("a step is missing or stands twice");
    if (geteuid() && !seen[OP_ROOT_FIRST]) errno = EPERM, fail(STATUS_PLAN, "carrying out a plan that is for root:", launch.steps[0].field[0].text);
}

static unsigned char *read_whole(const char *path, uint32_t *length, bool owned) {
    struct stat status;
    int fd = must(open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), STATUS_PLAN, "opening the launch plan", path);
    must(fstat(fd, &status), STATUS_PLAN, "looking at the launch plan", path);
    if (!S_ISREG(status.st_mode) || status.st_size > MAX_PLAN) refuse("not a file, or too large");
    /* Root's, or of the user who runs it; a launcher that somebody has made setuid serves nobody. */
    bool shared = (status.st_uid && status.st_uid != geteuid()) || status.st_mode & 022 || getauxval(AT_SECURE);
    if (owned && shared) errno = EPERM, fail(STATUS_PLAN, "the launch plan is others' to write, refusing", path);
    *length = (uint32_t)status.st_size;
    unsigned char *bytes = malloc(*length + 1);
    if (!bytes) fail(STATUS_SYSTEM, "allocating for", path);
    if (must(read(fd, bytes, *length), STATUS_PLAN, "reading the launch plan", path) != (int)*length) refuse("it is shorter than it was");
    close(fd);
    return bytes;
}

void read_plan(const char *path, bool owned) {
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
    for (struct step *step = launch.steps; step < launch.steps + launch.count; step++) {
        if (end - at < 8) refuse("an instruction is cut short");
        uint32_t size = word(at + 4);
        *step = (struct step){ .op = word(at), .fd = -1 };
        at += 8;
        if (step->op >= KNOWN_OPS || !operations[step->op].fields) refuse("an instruction is unknown");
        if (size > (uint32_t)(end - at)) refuse("an instruction is longer than the plan");
        const unsigned char *stop = at + size;
        const char *shape = operations[step->op].fields;
        for (struct field *field = step->field; *shape; shape++, field++) at = read_field(*shape, field, at, stop);
        if (at != stop) refuse("an instruction has more fields than it should");
    }
    if (at != end) refuse("bytes after the last instruction");
    check_whole();
}
