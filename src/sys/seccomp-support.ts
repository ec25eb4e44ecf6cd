import { endianness } from 'node:os';

import { bindLibc, lastError, loadKoffi } from './libc.js';

const nativeSeccomp = bindLibc(
  'long syscall(long number, unsigned int operation, unsigned int flags, const void *args)',
);
const SYS_SECCOMP = { x64: 317, arm: 383, ia32: 354, ppc64: 358, s390x: 348 } as Readonly<
  Record<string, number | undefined>
>;
const SYS_SECCOMP_GENERIC = 277;
const SET_MODE_FILTER = 1;
const NEW_LISTENER = 8;

const FLAGS: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 0x20 | NEW_LISTENER,
};

/** The architectures of the runtime specification. */
const ARCHITECTURES = [
  ...['X86', 'X86_64', 'X32', 'ARM', 'AARCH64', 'LOONGARCH64', 'M68K', 'MIPS', 'MIPS64'],
  ...['MIPS64N32', 'MIPSEL', 'MIPSEL64', 'MIPSEL64N32', 'PPC', 'PPC64', 'PPC64LE', 'S390'],
  ...['S390X', 'SH', 'SHEB', 'PARISC', 'PARISC64', 'RISCV64'],
].map((name) => `SCMP_ARCH_${name}`);

/** A filter is for architectures of one byte order (seccomp_arch_add(3), EDOM). */
const BIG_ENDIAN = /_(M68K|MIPS|MIPS64|MIPS64N32|PPC|PPC64|S390|S390X|SHEB|PARISC|PARISC64)$/;

/** Those of the given flags that the kernel takes: it looks at them before the filter, which is not there. */
export function supportedSeccompFlags(names: readonly string[]): readonly string[] {
  const number = SYS_SECCOMP[process.arch] ?? SYS_SECCOMP_GENERIC;
  return names.filter((name) => {
    const flag = FLAGS[name];
    if (flag === undefined) return false;
    return (
      nativeSeccomp(number, SET_MODE_FILTER, flag, null) < 0 &&
      lastError('seccomp').code === 'EFAULT'
    );
  });
}

/** The architectures that the installed libseccomp compiles for on this machine; none if it is not installed. */
export function knownSeccompArchitectures(): readonly string[] {
  let resolve: (name: string) => number;
  try {
    resolve = loadKoffi()
      .load('libseccomp.so.2')
      .func('uint32_t seccomp_arch_resolve_name(const char *arch_name)');
  } catch {
    return [];
  }
  return ARCHITECTURES.filter(
    (name) =>
      BIG_ENDIAN.test(name) === (endianness() === 'BE') &&
      resolve(name.replace(/^SCMP_ARCH_/, '').toLowerCase()) !== 0,
  );
}
