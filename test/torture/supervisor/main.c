#define _GNU_SOURCE
#include "supervisor.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NO_ERRNO = 1 << 16 };

static const struct {
  const char *name;
  int number;
} errnos[] = {
#define ERRNO(name) {#name, name},
    ERRNO(ENOSPC) ERRNO(EDQUOT) ERRNO(EIO) ERRNO(EROFS) ERRNO(EMFILE) ERRNO(ENFILE) ERRNO(ENOMEM) ERRNO(EINTR)
    ERRNO(EAGAIN) ERRNO(EACCES) ERRNO(EPERM) ERRNO(EXDEV) ERRNO(EMLINK) ERRNO(ELOOP) ERRNO(ENAMETOOLONG)
    ERRNO(ESTALE) ERRNO(ETIMEDOUT) ERRNO(EPIPE) ERRNO(ECONNRESET) ERRNO(ECONNREFUSED) ERRNO(EOPNOTSUPP)
    ERRNO(ENOLCK) ERRNO(ENOSYS)
    {"none", NO_ERRNO}, /* not carried out, and told to have been */
};

static FILE *log_file;
static long counted;
static const char *fired = "no";

/* All traced threads: a process that is killed must have been one of them. */
static pid_t tasks[MAX_TASKS];
static size_t tasks_length;

_Noreturn void die(const char *what) {
  fprintf(stderr, "supervisor: %s: %s\n", what, strerror(errno));
  exit(120);
}

static void add_task(pid_t task) {
  for (size_t i = 0; i < tasks_length; i++)
    if (tasks[i] == task) return;
  if (tasks_length == MAX_TASKS) die("too many threads");
  tasks[tasks_length++] = task;
}

static void remove_task(pid_t task) {
  for (size_t i = 0; i < tasks_length; i++)
    if (tasks[i] == task) tasks[i] = tasks[--tasks_length];
}

static void kill_all(void) {
  for (size_t i = 0; i < tasks_length; i++) kill(tasks[i], SIGKILL);
}

#if defined __x86_64__
typedef struct user_regs_struct registers;
static struct call call_of(pid_t thread, const registers *r) {
  return (struct call){thread, (long)r->orig_rax, {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9}};
}
static void skip_with(registers *r, long result) {
  r->orig_rax = (unsigned long)-1;
  r->rax = (unsigned long)result;
}
#else
typedef struct user_regs_struct registers;
static struct call call_of(pid_t thread, const registers *r) {
  return (struct call){thread, (long)r->regs[8], {r->regs[0], r->regs[1], r->regs[2], r->regs[3], r->regs[4], r->regs[5]}};
}
static void skip_with(registers *r, long result) {
  r->regs[8] = (unsigned long)-1;
  r->regs[0] = (unsigned long)result;
}
#endif

static const struct call_kind *kind_of(long number, const struct options *options) {
  for (size_t i = 0; i < call_kinds_length; i++) {
    if (call_kinds[i].number != number) continue;
    if (options->calls == NULL) return &call_kinds[i];
    char wanted[64];
    snprintf(wanted, sizeof wanted, ",%s,", call_kinds[i].name);
    return strstr(options->calls, wanted) == NULL ? NULL : &call_kinds[i];
  }
  return NULL;
}

static void hold(void) {
  char byte;
  fprintf(log_file, "paused\n");
  fflush(log_file);
  if (read(STDIN_FILENO, &byte, 1) < 0) die("waiting");
}

/* A thread is about to make a call that the filter knows. */
static void at_call(pid_t thread, const struct options *options) {
  registers r;
  struct iovec area = {&r, sizeof r};
  if (ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &area) < 0) return; /* killed meanwhile */
  struct call call = call_of(thread, &r);
  const struct call_kind *kind = kind_of(call.number, options);
  static char places[6 * MAX_PATH];
  if (kind == NULL || (!options->reads && only_reads(&call, kind))) return;
  if (!describe_places(&call, kind, options, places, sizeof places)) return;
  counted++;
  fprintf(log_file, "%ld\t%s\t%s\n", counted, kind->name, places);
  bool found = options->kill_call != NULL && strcmp(kind->name, options->kill_call) == 0 &&
               strstr(places, options->kill_place) != NULL;
  if (counted == options->kill_at || found) {
    fired = "killed";
    kill_all();
  } else if (counted >= options->fail_from && counted <= options->fail_to) {
    fired = "failed";
    skip_with(&r, options->fail_errno == NO_ERRNO ? 0 : -options->fail_errno);
#if defined __aarch64__
    int none = -1;
    struct iovec number = {&none, sizeof none};
    ptrace(PTRACE_SETREGSET, thread, NT_ARM_SYSTEM_CALL, &number);
#endif
    ptrace(PTRACE_SETREGSET, thread, NT_PRSTATUS, &area);
  } else if (counted == options->pause_at) {
    fired = "paused";
    hold();
  }
}

/* Follows everything until nothing is left; gives the status of the command as a shell does. */
static int supervise(pid_t command, const struct options *options) {
  int result = 121;
  for (;;) {
    int status;
    pid_t thread = waitpid(-1, &status, __WALL);
    if (thread < 0) {
      if (errno == EINTR) continue;
      if (errno == ECHILD) return result;
      die("waitpid");
    }
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      remove_task(thread);
      if (thread == command) result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      continue;
    }
    add_task(thread);
    if (strcmp(fired, "killed") == 0) kill(thread, SIGKILL); /* it came into being at that very moment */
    int event = status >> 16, signal = WSTOPSIG(status);
    if (event == PTRACE_EVENT_SECCOMP) at_call(thread, options);
    if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
      ptrace(PTRACE_LISTEN, thread, 0, 0); /* stopped by a signal, and to stay so */
      continue;
    }
    ptrace(PTRACE_CONT, thread, 0, event == 0 ? signal : 0);
  }
}

static pid_t start(const struct options *options) {
  int gate[2];
  if (pipe(gate) < 0) die("pipe");
  pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) {
    char byte;
    close(gate[1]);
    if (read(gate[0], &byte, 1) != 1) _exit(122);
    close(gate[0]);
    install_filter(options->reads);
    execvp(options->command[0], options->command);
    die(options->command[0]);
  }
  long follow = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
  if (ptrace(PTRACE_SEIZE, child, 0, follow) < 0) die("ptrace");
  add_task(child);
  close(gate[0]);
  if (write(gate[1], "", 1) != 1) die("pipe");
  close(gate[1]);
  return child;
}

static void add_prefix(const char **list, const char *prefix) {
  size_t i = 0;
  while (list[i] != NULL) i++;
  if (i == MAX_PREFIXES - 1) die("too many folders");
  list[i] = prefix;
}

static void parse_failure(struct options *options, char *text) {
  char *equals = strchr(text, '='), *dash = strchr(text, '-');
  if (equals == NULL) die("--fail N[-M]=ERRNO");
  options->fail_from = atol(text);
  options->fail_to = dash == NULL || dash > equals ? options->fail_from : atol(dash + 1);
  if (options->fail_to == 0) options->fail_to = __LONG_MAX__;
  for (size_t i = 0; i < sizeof errnos / sizeof errnos[0]; i++)
    if (strcmp(errnos[i].name, equals + 1) == 0) options->fail_errno = errnos[i].number;
  if (options->fail_errno == 0) die(equals + 1);
}

static struct options parse(char **arguments) {
  struct options options = {0};
  char **next = arguments + 1;
  for (; *next != NULL && strcmp(*next, "--") != 0; next++) {
    const char *option = *next;
    if (strcmp(option, "--bus") == 0) options.bus = true;
    else if (strcmp(option, "--reads") == 0) options.reads = true;
    else if (next[1] == NULL) die("an option without its value");
    else if (strcmp(option, "--root") == 0) add_prefix(options.roots, *++next);
    else if (strcmp(option, "--except") == 0) add_prefix(options.exceptions, *++next);
    else if (strcmp(option, "--log") == 0) options.log = *++next;
    else if (strcmp(option, "--kill") == 0) options.kill_at = atol(*++next);
    else if (strcmp(option, "--kill-call") == 0) options.kill_call = *++next;
    else if (strcmp(option, "--kill-place") == 0) options.kill_place = *++next;
    else if (strcmp(option, "--pause") == 0) options.pause_at = atol(*++next);
    else if (strcmp(option, "--fail") == 0) parse_failure(&options, *++next);
    else if (strcmp(option, "--calls") == 0) {
      static char calls[4096];
      snprintf(calls, sizeof calls, ",%s,", *++next);
      options.calls = calls;
    } else die(option);
  }
  if (*next == NULL || next[1] == NULL || options.log == NULL) die("--log FILE … -- COMMAND");
  if (options.kill_call != NULL && options.kill_place == NULL) options.kill_place = "";
  options.command = next + 1;
  return options;
}

int main(int argc, char **argv) {
  (void)argc;
  struct options options = parse(argv);
  log_file = fopen(options.log, "we");
  if (log_file == NULL) die(options.log);
  int status = supervise(start(&options), &options);
  fprintf(log_file, "end\t%d\t%s\n", status, fired);
  if (fclose(log_file) != 0) die(options.log);
  return status;
}
