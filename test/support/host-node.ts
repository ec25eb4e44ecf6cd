import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { cacheFolder } from './cache-folder.js';
import { runCommand, runOk } from './run-command.js';

/** A line of Node that unpacks zstd itself. */
const NEWER_LINE = '22';

let found: Promise<string> | undefined;
let newer: Promise<string> | undefined;

/**
 * A Node that runs on hosts of every suite: this one where it is a program of its own, as Node's own builds are. Debian's is
 * a small program with its library beside it, both made for one release; in its place comes Node's own build of the same
 * line, from the npm registry that npm is set up for, into the cache.
 */
export function hostNode(): Promise<string> {
  found ??= findNode();
  return found;
}

/** A Node of a newer line, for what the oldest one that berth runs on lacks. */
export function newerNode(): Promise<string> {
  newer ??= fetchNode(NEWER_LINE);
  return newer;
}

async function findNode(): Promise<string> {
  const { stdout } = await runCommand(['ldd', process.execPath]);
  if (!stdout.includes('libnode.so')) return process.execPath;
  return fetchNode(process.versions.node.split('.')[0] ?? '');
}

async function fetchNode(line: string): Promise<string> {
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
