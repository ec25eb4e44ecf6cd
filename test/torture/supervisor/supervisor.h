/* A supervisor of tests: runs a command with all its threads and children under ptrace, counts with one counter the system
 * calls that change something below the test's root (or tell something to the bus), and kills everything on entry to one
 * of them, makes it fail, or holds it until told to go on.
 *
 *   supervisor [--root DIR]… [--except DIR]… [--bus] [--calls NAME,NAME…] [--reads] --log FILE
 *              [--kill N | --kill-call NAME --kill-place TEXT | --fail N[-M]=ERRNO | --pause N] -- COMMAND ARGUMENT…
 *
 * strace counts for each thread; a seccomp filter stops the traced calls only, so that a whole run costs little more than an
 * untraced one. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { MAX_PREFIXES = 16, MAX_TASKS = 1024, MAX_PATH = 4200 };

/* The command line. */
struct options {
  const char *roots[MAX_PREFIXES];
  const char *exceptions[MAX_PREFIXES];
  bool bus;
  bool reads; /* calls that only read count, too: for injected errors */
  const char *calls; /* ",a,b,": the only names that count; NULL: all */
  const char *log;
  long kill_at;
  const char *kill_call, *kill_place; /* the first call of that name with that text in its places */
  long fail_from, fail_to, fail_errno;
  long pause_at;
  char **command;
};

/* A traced call, as it stands at its entry. */
struct call {
  pid_t thread;
  long number;
  unsigned long arguments[6];
};

struct call_kind {
  long number;
  const char *name;
  const char *places; /* see calls.def */
  int counts;
};

/* calls.c */
extern const struct call_kind call_kinds[];
extern const size_t call_kinds_length;
enum counting { ALWAYS, CREATING, CREATING_OLD, CHANGING, READING };

/* filter.c: from here on the calling process stops at the calls that count. */
void install_filter(bool reads);

/* places.c: what a call is about, for people; false if it is none of ours. */
bool describe_places(const struct call *call, const struct call_kind *kind, const struct options *options,
                     char *text, size_t size);

/* Whether a call changes nothing after all: the flags of openat2() are in memory, where no filter looks. */
bool only_reads(const struct call *call, const struct call_kind *kind);

_Noreturn void die(const char *what);
