import type { TarEntry } from '../../src/tar/entry.js';
import { DEFAULT_TAR_LIMITS, type TarLimits } from '../../src/tar/limits.js';
import { TarParser } from '../../src/tar/parser.js';

/** What an archive turned out to hold. */
export interface ReadTar {
  readonly entries: readonly { readonly entry: TarEntry; readonly content: string }[];
  readonly warnings: readonly string[];
}

/** Reads an archive with berth's parser, in pieces of `pieceBytes` (all at once unless given). Contents as byte strings. */
export function readTar(
  tar: Buffer,
  options: { readonly pieceBytes?: number; readonly limits?: TarLimits } = {},
): ReadTar {
  const entries: { entry: TarEntry; content: string }[] = [];
  const warnings: string[] = [];
  const parser = new TarParser(
    {
      entry: (entry) => entries.push({ entry, content: '' }),
      content: (chunk) => {
        const last = entries.at(-1);
        if (last !== undefined) last.content += chunk.toString('latin1');
      },
      contentEnd: () => undefined,
      warning: (message) => warnings.push(message),
    },
    options.limits ?? DEFAULT_TAR_LIMITS,
  );
  const pieceBytes = options.pieceBytes ?? Math.max(tar.length, 1);
  for (let start = 0; start < tar.length; start += pieceBytes) {
    parser.write(tar.subarray(start, start + pieceBytes));
  }
  parser.end();
  return { entries, warnings };
}
