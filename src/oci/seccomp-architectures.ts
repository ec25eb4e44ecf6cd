import { lookUp } from '../base/look-up.js';

/** Architectures of kernels by Go's words. */
const NATIVE: Readonly<Record<string, string>> = {
  '386': 'SCMP_ARCH_X86',
  amd64: 'SCMP_ARCH_X86_64',
  arm: 'SCMP_ARCH_ARM',
  arm64: 'SCMP_ARCH_AARCH64',
  loong64: 'SCMP_ARCH_LOONGARCH64',
  ppc64le: 'SCMP_ARCH_PPC64LE',
  riscv64: 'SCMP_ARCH_RISCV64',
  s390x: 'SCMP_ARCH_S390X',
};

/** The architecture of a kernel, given in Go's words, as a filter of system calls names it; undefined where none is known. */
export function seccompArchitecture(architecture: string): string | undefined {
  return lookUp(NATIVE, architecture);
}
