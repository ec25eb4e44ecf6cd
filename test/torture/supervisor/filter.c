#include "supervisor.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "no supervisor for this processor"
#endif

enum { MAX_INSTRUCTIONS = 1024 };

static struct sock_filter program[MAX_INSTRUCTIONS];
static unsigned short length;

static void emit(unsigned short code, unsigned char yes, unsigned char no, unsigned value) {
  if (length == MAX_INSTRUCTIONS) die("the filter is too long");
  program[length++] = (struct sock_filter){code, yes, no, value};
}

static void load_argument(int index) {
  emit(BPF_LD | BPF_W | BPF_ABS, 0, 0,
       (unsigned)(offsetof(struct seccomp_data, args) + (size_t)index * sizeof(__u64)));
}

static void give(unsigned action) { emit(BPF_RET | BPF_K, 0, 0, action); }

/* Traces if one of the bits is set in an argument. */
static void trace_bits(int index, unsigned bits) {
  load_argument(index);
  emit(BPF_JMP | BPF_JSET | BPF_K, 0, 1, bits);
  give(SECCOMP_RET_TRACE);
}

void install_filter(bool reads) {
  emit(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
  emit(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ARCHITECTURE);
  give(SECCOMP_RET_ALLOW);
  emit(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
  for (size_t i = 0; i < call_kinds_length; i++) {
    const struct call_kind *kind = &call_kinds[i];
    if (kind->counts == READING && !reads) continue;
    unsigned short test = length;
    emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, (unsigned)kind->number);
    switch (reads && kind->counts != CHANGING ? ALWAYS : (enum counting)kind->counts) {
    case ALWAYS:
    case READING:
      give(SECCOMP_RET_TRACE);
      break;
    case CREATING:
      trace_bits(2, O_CREAT | O_TRUNC | (__O_TMPFILE & ~O_DIRECTORY));
      give(SECCOMP_RET_ALLOW);
      break;
    case CREATING_OLD:
      trace_bits(1, O_CREAT | O_TRUNC | (__O_TMPFILE & ~O_DIRECTORY));
      give(SECCOMP_RET_ALLOW);
      break;
    case CHANGING: {
      const unsigned requests[] = {FICLONE, FICLONERANGE, FS_IOC_SETFLAGS};
      load_argument(1);
      for (size_t r = 0; r < sizeof requests / sizeof requests[0]; r++) {
        emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, requests[r]);
        give(SECCOMP_RET_TRACE);
      }
      give(SECCOMP_RET_ALLOW);
      break;
    }
    }
    program[test].jf = (unsigned char)(length - test - 1);
  }
  give(SECCOMP_RET_ALLOW);
  struct sock_fprog filter = {length, program};
  /* Without CAP_SYS_ADMIN a filter needs no_new_privs; with it, programs keep theirs. */
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0)
      die("seccomp");
  }
}
