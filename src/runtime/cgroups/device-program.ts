import type { DeviceRule } from '../../oci/runtime-config.js';

/*
 * The device controller of cgroup version 2 is a program that the kernel asks about every open and every mknod
 * (BPF_PROG_TYPE_CGROUP_DEVICE). Its context is `struct bpf_cgroup_dev_ctx { u32 access_type; u32 major; u32 minor; }`,
 * where access_type is the access (1 mknod, 2 read, 4 write) in the upper half and the kind (1 block, 2 char) below.
 *
 * The program keeps the access that is not yet decided in r2 and goes through the rules from the last to the first: what
 * is written later counts, as the specification has it, and for each of r, w and m by itself. What no rule decides is
 * denied.
 */

/** Most rules: four thousand times eight instructions are far below the kernel's million. */
export const MAX_DEVICE_RULES = 4096;

const ACCESS: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };
const KIND = { b: 1, c: 2 } as const;

const BPF = {
  loadWord: 0x61, // BPF_LDX | BPF_MEM | BPF_W
  andWord: 0x54, // BPF_ALU | BPF_AND | BPF_K
  shiftRightWord: 0x74, // BPF_ALU | BPF_RSH | BPF_K
  moveWord: 0xb4, // BPF_ALU | BPF_MOV | BPF_K
  moveRegister: 0xbc, // BPF_ALU | BPF_MOV | BPF_X
  jumpUnlessEqualWord: 0x56, // BPF_JMP32 | BPF_JNE | BPF_K
  exit: 0x95,
} as const;

type Step =
  | {
      readonly code: number;
      readonly to: number;
      readonly from?: number;
      readonly value?: number;
      readonly at?: number;
    }
  | { readonly unlessEqual: number; readonly value: number; readonly label: string }
  | { readonly label: string };

/** The instructions (`struct bpf_insn[]`) that decide by these rules, in their order. */
export function assembleDeviceProgram(rules: readonly DeviceRule[]): Buffer {
  const steps: Step[] = [
    { code: BPF.loadWord, to: 2, from: 1, at: 0 },
    { code: BPF.moveRegister, to: 3, from: 2 },
    { code: BPF.andWord, to: 3, value: 0xffff },
    { code: BPF.shiftRightWord, to: 2, value: 16 },
    { code: BPF.loadWord, to: 4, from: 1, at: 4 },
    { code: BPF.loadWord, to: 5, from: 1, at: 8 },
    // An access of nothing (an open for neither reading nor writing) needs no leave.
    { unlessEqual: 2, value: 0, label: 'begin' },
    ...decide(1),
    { label: 'begin' },
  ];
  // A rule for everything decides all that is left: the kernel refuses programs with code that nothing reaches.
  const whole = rules.findLastIndex(isWhole);
  const counting = rules.slice(Math.max(whole, 0));
  for (const [index, rule] of [...counting.entries()].reverse()) {
    steps.push(...ruleSteps(rule, `rule${index}`));
  }
  if (whole < 0) steps.push(...decide(0));
  return encode(steps);
}

function isWhole(rule: DeviceRule): boolean {
  return rule.type === 'a' && accessMask(rule) === 7;
}

function ruleSteps(rule: DeviceRule, next: string): readonly Step[] {
  if (isWhole(rule)) return decide(rule.allow ? 1 : 0);
  const mask = accessMask(rule);
  const unlessEqual = (register: number, value: number): Step => ({
    unlessEqual: register,
    value,
    label: next,
  });
  const match = [
    ...(rule.type === 'a' ? [] : [unlessEqual(3, KIND[rule.type])]),
    // A rule for all devices has no numbers: those that it may carry mean nothing (cgroup v1 devices.rst).
    ...(rule.type === 'a' || rule.major === undefined ? [] : [unlessEqual(4, rule.major)]),
    ...(rule.type === 'a' || rule.minor === undefined ? [] : [unlessEqual(5, rule.minor)]),
  ];
  const verdict: readonly Step[] = rule.allow
    ? [{ code: BPF.andWord, to: 2, value: 7 & ~mask }, unlessEqual(2, 0), ...decide(1)]
    : [
        { code: BPF.moveRegister, to: 0, from: 2 },
        { code: BPF.andWord, to: 0, value: mask },
        // Nothing of it is denied here: the next rule.
        { unlessEqual: 0, value: 0, label: `${next}-deny` },
        // An unconditional jump, by a register that holds 0.
        { unlessEqual: 0, value: 1, label: next },
        { label: `${next}-deny` },
        ...decide(0),
      ];
  return [...match, ...verdict, { label: next }];
}

function decide(verdict: 0 | 1): readonly Step[] {
  return [
    { code: BPF.moveWord, to: 0, value: verdict },
    { code: BPF.exit, to: 0 },
  ];
}

function accessMask({ access }: DeviceRule): number {
  return Array.from(access).reduce((mask, letter) => mask | (ACCESS[letter] ?? 0), 0);
}

const INSTRUCTION_BYTES = 8;

function encode(steps: readonly Step[]): Buffer {
  const labels = new Map<string, number>();
  let count = 0;
  for (const step of steps) {
    if ('unlessEqual' in step || 'code' in step) count++;
    else labels.set(step.label, count);
  }
  const program = Buffer.alloc(count * INSTRUCTION_BYTES);
  let at = 0;
  for (const step of steps) {
    if ('code' in step) {
      program.writeUInt8(step.code, at);
      program.writeUInt8(step.to | ((step.from ?? 0) << 4), at + 1);
      program.writeInt16LE(step.at ?? 0, at + 2);
      program.writeInt32LE((step.value ?? 0) | 0, at + 4);
    } else if ('unlessEqual' in step) {
      const target = labels.get(step.label) ?? 0;
      program.writeUInt8(BPF.jumpUnlessEqualWord, at);
      program.writeUInt8(step.unlessEqual, at + 1);
      program.writeInt16LE(target - at / INSTRUCTION_BYTES - 1, at + 2);
      program.writeInt32LE(step.value | 0, at + 4);
    } else continue;
    at += INSTRUCTION_BYTES;
  }
  return program;
}
