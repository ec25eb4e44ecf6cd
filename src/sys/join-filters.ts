/** Most instructions of a filter (linux/bpf_common.h). */
export const BPF_MAXINSNS = 4096;

/** Size of `struct sock_filter`: code, two jumps, a number. */
export const INSTRUCTION_BYTES = 8;

const BPF_LD_W_ABS = 0x20;
const BPF_JMP_JEQ_K = 0x15;
const BPF_JMP_JA = 0x05;

/** Where `struct seccomp_data` has `arch`. */
const ARCH_OFFSET = 4;

/** A filter for one architecture, which refuses the calls of every other. */
export interface ArchitectureFilter {
  /** As the kernel says it with each call (AUDIT_ARCH_…). */
  readonly architecture: number;
  /** `struct sock_filter[]`. */
  readonly filter: Buffer;
}

/**
 * Makes one filter of filters for one architecture each (seccomp(2), SECCOMP_SET_MODE_FILTER). Jumps of the classic BPF are
 * relative, so that they stand in it as they are; calls of an architecture that none of them is for come to the last, and are
 * refused there.
 */
export function joinFilters(filters: readonly ArchitectureFilter[]): Buffer {
  const last = filters.at(-1);
  if (last === undefined) throw new Error('internal error: no filter to join');
  const others = filters.slice(0, -1);
  if (others.length === 0) return last.filter;
  const head = [instruction(BPF_LD_W_ABS, ARCH_OFFSET)];
  const length = 2 * others.length;
  let start = last.filter.length / INSTRUCTION_BYTES;
  for (const [index, { architecture, filter }] of others.entries()) {
    // A conditional jump reaches 255 instructions, this one any.
    const behind = length - 2 * (index + 1);
    head.push(
      instruction(BPF_JMP_JEQ_K, architecture, { otherwise: 1 }),
      instruction(BPF_JMP_JA, behind + start),
    );
    start += filter.length / INSTRUCTION_BYTES;
  }
  return Buffer.concat([...head, last.filter, ...others.map(({ filter }) => filter)]);
}

/** `otherwise`: how many instructions are passed over where a condition does not hold. */
function instruction(code: number, value: number, { otherwise = 0 } = {}): Buffer {
  const bytes = Buffer.alloc(INSTRUCTION_BYTES);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(otherwise, 3);
  bytes.writeUInt32LE(value, 4);
  return bytes;
}
