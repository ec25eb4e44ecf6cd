import { fileURLToPath } from 'node:url';

/*
 * berth's own files, from the folder that package.json lies in. This is found from here alone: `dist/src/base`, or, in the
 * program as it ships, `dist/bin/parts`, which lies as deep.
 */

const PACKAGE = new URL('../../../', import.meta.url);

/** The absolute path of a file that belongs to berth, from its path in the package. */
export function ownFile(path: string): string {
  return fileURLToPath(new URL(path, PACKAGE));
}

/** The program that `berth` is, for commands and units that are to run it. */
export function ownProgram(): string {
  return ownFile('dist/bin/berth.cjs');
}

/** The program of a thread, from its path below `src`. */
export function ownThread(path: string): string {
  const isShipped = import.meta.url.includes('/dist/bin/parts/');
  return ownFile(isShipped ? `dist/bin/${path.replace(/^.*\//, '')}.cjs` : `dist/src/${path}.js`);
}
