import { closeSync } from 'node:fs';

import { bindLibc, checked, loadKoffi } from './libc.js';

const nativeBpf = bindLibc(
  'long syscall(long number, int command, const void *attr, uint32_t size)',
);

/** bpf(2) by `process.arch`; elsewhere its number of asm-generic. */
const SYS_BPF = { x64: 321, arm: 386, ia32: 357, ppc64: 361, s390x: 351 } as Readonly<
  Record<string, number | undefined>
>;
const SYS_BPF_GENERIC = 280;

const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
const BPF_CGROUP_DEVICE = 6;
/** Programs of systemd and of cgroups above hold too: all have to agree. */
const BPF_F_ALLOW_MULTI = 2;
const INSTRUCTION_BYTES = 8;
const ATTR_BYTES = 128;

/**
 * Loads a program of the device controller (`struct bpf_insn[]`) and attaches it to a cgroup of version 2, which holds
 * it from then on.
 *
 * @throws errno errors: `EPERM` without CAP_BPF or in a user namespace, `EINVAL` if the kernel refuses the program
 */
export function attachDeviceProgram(cgroupFd: number, program: Buffer): void {
  const fd = loadDeviceProgram(program);
  try {
    const attr = Buffer.alloc(ATTR_BYTES);
    attr.writeUInt32LE(cgroupFd, 0);
    attr.writeUInt32LE(fd, 4);
    attr.writeUInt32LE(BPF_CGROUP_DEVICE, 8);
    attr.writeUInt32LE(BPF_F_ALLOW_MULTI, 12);
    bpf(BPF_PROG_ATTACH, attr);
  } finally {
    closeSync(fd);
  }
}

/** Loads a program of the device controller; the caller closes the descriptor. */
export function loadDeviceProgram(program: Buffer): number {
  const { address } = loadKoffi();
  // The kernel gives cgroup programs no functions that are for GPL alone; the text has to be there.
  const license = Buffer.from('Apache-2.0\0');
  const attr = Buffer.alloc(ATTR_BYTES);
  attr.writeUInt32LE(BPF_PROG_TYPE_CGROUP_DEVICE, 0);
  attr.writeUInt32LE(program.length / INSTRUCTION_BYTES, 4);
  attr.writeBigUInt64LE(address(program), 8);
  attr.writeBigUInt64LE(address(license), 16);
  attr.write('berth_devices', 48, 'latin1');
  return bpf(BPF_PROG_LOAD, attr);
}

function bpf(command: number, attr: Buffer): number {
  const number = SYS_BPF[process.arch] ?? SYS_BPF_GENERIC;
  return checked(nativeBpf(number, command, attr, attr.length), 'bpf');
}
