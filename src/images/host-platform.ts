import { readFileSync } from 'node:fs';

import type { Platform } from '../oci/platform.js';

/** CPU flags of each level of the x86-64 psABI above the baseline, in the words of /proc/cpuinfo. */
const AMD64_LEVELS: readonly (readonly string[])[] = [
  ['cx16', 'lahf_lm', 'popcnt', 'sse4_1', 'sse4_2', 'ssse3'],
  ['avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma', 'abm', 'movbe', 'xsave'],
  ['avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl'],
];

/** Node's names where they differ from Go's. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le',
};

/** What this host runs. The variant is as good as /proc/cpuinfo tells; without it, the architecture's baseline. */
export function readHostPlatform(): Platform {
  const architecture = ARCHITECTURES[process.arch] ?? process.arch;
  let cpuinfo = '';
  try {
    cpuinfo = readFileSync('/proc/cpuinfo', 'latin1');
  } catch {
    // no /proc, so no variant
  }
  return { os: 'linux', architecture, variant: findVariant(architecture, cpuinfo) };
}

/** The variant that the text of /proc/cpuinfo shows. */
export function findVariant(architecture: string, cpuinfo: string): string | undefined {
  const line = (name: string) =>
    new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(cpuinfo)?.[1] ?? undefined;
  if (architecture === 'amd64') {
    const flags = new Set((line('flags') ?? '').split(' '));
    const missing = AMD64_LEVELS.findIndex((level) => !level.every((flag) => flags.has(flag)));
    const level = (missing === -1 ? AMD64_LEVELS.length : missing) + 1;
    return level === 1 ? undefined : `v${level}`;
  }
  if (architecture === 'arm') {
    const version = /^\d+/.exec(line('CPU architecture') ?? '')?.[0];
    return version === undefined ? undefined : `v${version}`;
  }
  return undefined;
}
