import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { resolve } from 'node:path/posix';

import { ownFile } from './own-files.js';

/** Where the parts of the program as it ships lie (load-part.ts). A message may look like a line of a stack: no other file is read. */
const PARTS = ownFile('dist/bin/parts/');

/** A line of a stack: what was called, then file, line and column. */
const FRAME = /^(\s+at .*?)([^\s(]+\.cjs):(\d+):(\d+)(\)?)$/;

/** The stack of an error with places in the source as it was written, not as the build put it together. */
export function readableStack(error: Error): string | undefined {
  const maps = new Map<string, SourceMap | undefined>();
  return error.stack
    ?.split('\n')
    .map((line) => {
      const [, before = '', file = '', row, column, after = ''] = FRAME.exec(line) ?? [];
      if (!file.startsWith(PARTS) || file.includes('/', PARTS.length)) return line;
      if (!maps.has(file)) maps.set(file, readMap(`${file}.map`));
      const entry = maps.get(file)?.findEntry(Number(row) - 1, Number(column) - 1);
      if (entry === undefined || !('originalSource' in entry)) return line;
      const source = resolve(PARTS, entry.originalSource);
      return `${before}${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}${after}`;
    })
    .join('\n');
}

function readMap(file: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(file, 'utf8')) as SourceMap['payload']);
  } catch {
    // The stack can be read without it.
    return undefined;
  }
}
