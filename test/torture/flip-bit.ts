import { readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';

/** Damages one bit of a file where it lies, and keeps its times: as a disk does. */
export function flipBit(path: string, bit: number): void {
  const { atime, mtime } = statSync(path);
  const content = readFileSync(path);
  const index = bit >> 3;
  content[index] = (content[index] ?? 0) ^ (1 << (bit & 7));
  writeFileSync(path, content, { flag: 'r+' });
  utimesSync(path, atime, mtime);
}
