import assert from 'node:assert/strict';
import { join } from 'node:path';

import type { BootedHost } from './booted-host.js';
import type { CommandResult } from './run-command.js';
import { snapshotTree, type TreeSnapshot } from './tree-snapshot.js';

/** How a command is to be refused. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  /** In the message or in one of its causes. */
  readonly says: RegExp;
}

/** One clear line: what, to what, why; at most some causes and a hint below, and never a stack. */
export function assertRefusedInWords(result: CommandResult, refusal: Refusal): void {
  assert.equal(result.status, refusal.status, result.stderr);
  assert.equal(result.stdout, '');
  const lines = result.stderr.trimEnd().split('\n');
  // What was done before it failed is told on standard error, too.
  const said = lines.filter((line) => !/^(Pulling |layer )/.test(line));
  assert.match(said[0] ?? '', /^berth: \S/, result.stderr);
  for (const line of said.slice(1)) assert.match(line, /^( {2}because|hint): \S/, result.stderr);
  assert.match(said.join('\n'), refusal.says);
}

/** With `--json`: nothing on standard output, one object on standard error. */
export function assertRefusedInJson(result: CommandResult, refusal: Refusal): void {
  assert.equal(result.status, refusal.status, result.stderr);
  assert.equal(result.stdout, '');
  const document = JSON.parse(result.stderr) as {
    error: { code: string; message: string; causes: string[] };
  };
  assert.deepEqual(Object.keys(document), ['error']);
  assert.equal(document.error.code, refusal.code, result.stderr);
  assert.match([document.error.message, ...document.error.causes].join('\n'), refusal.says);
}

/** What of berth's own stays: the store, and folders with nothing in them but locks. */
const OWN = ['.store', '.locks', '.journal', '.settings', '.sets', '.launch'].map(
  (name) => `var/lib/berth/${name}`,
);

/** A host's whole tree but for what berth may keep: its store and its locks; nothing may be left in its journal. */
export async function snapshotHost(host: BootedHost): Promise<TreeSnapshot> {
  const snapshot = await host.snapshot({ except: OWN });
  return new Map([...snapshot, ['(berth)', await describeOwn(host)]]);
}

/** Where programs of a host write; the rest of it takes too long to look at after each of many commands. */
const CHANGING = ['etc', 'var', 'root', 'srv', 'usr/local'];

/** The same for the folders that may have changed. */
export async function snapshotChanging(host: BootedHost): Promise<TreeSnapshot> {
  const lines: [string, string][] = [['(berth)', await describeOwn(host)]];
  for (const folder of CHANGING) {
    const except = [...OWN, 'var/log/journal', 'var/log/wtmp', 'var/lib/systemd/random-seed']
      .filter((path) => path.startsWith(`${folder}/`))
      .map((path) => path.slice(folder.length + 1));
    for (const [path, text] of await snapshotTree(join(host.root, folder), { except })) {
      lines.push([join(folder, path), text]);
    }
  }
  return new Map(lines);
}

/** Entries of the journal, half made deployments and launchers: what may not be left by a command that failed. */
async function describeOwn(host: BootedHost): Promise<string> {
  const found = await host.run([
    'find',
    ...['/var/lib/berth/.journal', '/var/lib/berth/.settings', '/var/lib/berth/.launch'],
    ...['-mindepth', '1', '-not', '-name', '.lock'],
  ]);
  return found.stdout;
}
