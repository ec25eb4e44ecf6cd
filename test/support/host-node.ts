import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { cacheFolder } from './cache-folder.js';
import { runCommand, runOk } from './run-command.js';

let found: Promise<string> | undefined;

/**
 * A Node that runs on hosts of every suite: this one where it is a program of its own, as Node's own builds are. Debian's is
 * a small program with its library beside it, both made for one release; in its place comes Node's own build of the same
 * line, from the npm registry that npm is set up for, into the cache.
 */
export function hostNode(): Promise<string> {
  found ??= findNode();
  return found;
}

async function findNode(): Promise<string> {
  const { stdout } = await runCommand(['ldd', process.execPath]);
  if (!stdout.includes('libnode.so')) return process.execPath;
  const line = process.versions.node.split('.')[0] ?? '';
  const folder = cacheFolder(`node-${line}`);
  const name = `node-linux-${process.arch}`;
  const program = join(folder, 'node_modules', name, 'bin/node');
  if (!existsSync(program)) {
    await runOk(
      [
        'npm',
        'install',
        '--prefix',
        folder,
        '--no-save',
        '--ignore-scripts',
        '--silent',
        `${name}@${line}`,
      ],
      { timeoutMs: 300_000 },
    );
  }
  return program;
}
