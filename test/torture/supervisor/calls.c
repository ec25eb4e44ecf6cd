#include "supervisor.h"

#include <sys/syscall.h>

#define CALL(name, places, counts) {__NR_##name, #name, places, counts},

#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif

const struct call_kind call_kinds[] = {
#include "calls.def"
    CALL(getdents64, "F0", READING)
    CALL(read, "F0", READING)
    CALL(pread64, "F0", READING)
    CALL(openat, "D0", READING)
    CALL(readlinkat, "D0", READING)
    CALL(statx, "D0", READING)
    CALL(newfstatat, "D0", READING)
    CALL(flock, "F0", READING)
#ifdef __NR_open
    CALL(open, "P0", READING)
    CALL(readlink, "P0", READING)
#endif
};

const size_t call_kinds_length = sizeof call_kinds / sizeof call_kinds[0];
