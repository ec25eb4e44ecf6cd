/** A system call as the kernel shows it to a filter (`struct seccomp_data`). */
export interface FilteredCall {
  readonly architecture: number;
  readonly number: number;
  readonly args?: readonly bigint[];
}

/** Runs a filter of system calls as the kernel does (classic BPF, what seccomp(2) takes of it), and gives what it returns. */
export function runFilter(
  filter: Buffer,
  { architecture, number, args = [] }: FilteredCall,
): number {
  const data = Buffer.alloc(64);
  data.writeInt32LE(number, 0);
  data.writeUInt32LE(architecture, 4);
  for (const [index, value] of args.entries()) data.writeBigUInt64LE(value, 16 + 8 * index);
  let accumulator = 0;
  for (let at = 0; ; at += 1) {
    const code = filter.readUInt16LE(at * 8);
    const [whereTrue, whereFalse] = [filter.readUInt8(at * 8 + 2), filter.readUInt8(at * 8 + 3)];
    const value = filter.readUInt32LE(at * 8 + 4);
    const jump = (holds: boolean): void => {
      at += holds ? whereTrue : whereFalse;
    };
    if (code === 0x20) accumulator = data.readUInt32LE(value);
    else if (code === 0x54) accumulator = (accumulator & value) >>> 0;
    else if (code === 0x05) at += value;
    else if (code === 0x15) jump(accumulator === value);
    else if (code === 0x25) jump(accumulator > value);
    else if (code === 0x35) jump(accumulator >= value);
    else if (code === 0x06) return value;
    else throw new Error(`instruction ${at} has code 0x${code.toString(16)}`);
  }
}
