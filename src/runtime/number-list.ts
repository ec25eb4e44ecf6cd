import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';

/** Most processors and nodes of Linux (CONFIG_NR_CPUS and MAX_NUMNODES at their largest). */
const MAX_NUMBERS = 8192;

/**
 * A list of processors or memory nodes (`0-3,7`, cpuset(7) "List format") as the bits of a mask, the lowest byte first.
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID
 */
export function parseNumberList(list: string, at: string): Buffer {
  const mask = Buffer.alloc(MAX_NUMBERS / 8);
  let length = 0;
  for (const part of list.split(',')) {
    const [, first = '', last = first] = /^\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?\s*$/.exec(part) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (first === '' || to < from || to >= MAX_NUMBERS) {
      throw new OperationalError(
        'RUNTIME_CONFIG_INVALID',
        `${at}: ${quote(list)} is not a list as 0-3,7`,
      );
    }
    for (let number = from; number <= to; number++) {
      const byte = number >> 3;
      mask.writeUInt8(mask.readUInt8(byte) | (1 << (number & 7)), byte);
      length = Math.max(length, byte + 1);
    }
  }
  return mask.subarray(0, length);
}
