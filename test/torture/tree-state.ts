import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

import { AT_FDCWD } from '../../src/sys/libc.js';
import { listXattrsAt } from '../../src/sys/xattrs.js';

/** A line for each name of a tree, by path relative to it, without what differs between two runs of the same command. */
export type TreeState = ReadonlyMap<string, string>;

/**
 * Takes down a tree: kind, mode, owner, attributes, link count, size and digest of each name; below a `rootfs` the times,
 * too. Records are taken without the moment at which they were written, and locks, which stay where they are, not at all.
 */
export function readTreeState(root: string): TreeState {
  const state = new Map<string, string>();
  visit(root, '', state);
  return state;
}

/** The part of a state that is at or below a path, relative to that. */
export function stateBelow(state: TreeState, path: string): TreeState {
  const below = new Map<string, string>();
  for (const [key, line] of state) {
    if (key === path) below.set('', line);
    else if (key.startsWith(`${path}/`)) below.set(key.slice(path.length + 1), line);
  }
  return below;
}

/** A state without what is at or below any of the paths. */
export function stateWithout(state: TreeState, paths: readonly string[]): TreeState {
  return new Map(
    [...state].filter(([key]) => !paths.some((path) => key === path || key.startsWith(`${path}/`))),
  );
}

/** The differences, a line each; `-` was expected, `+` is there. */
export function compareStates(expected: TreeState, actual: TreeState): readonly string[] {
  const lines: string[] = [];
  for (const path of [...new Set([...expected.keys(), ...actual.keys()])].sort()) {
    const wanted = expected.get(path);
    const found = actual.get(path);
    if (wanted === found) continue;
    if (wanted !== undefined) lines.push(`- /${path}: ${wanted}`);
    if (found !== undefined) lines.push(`+ /${path}: ${found}`);
  }
  return lines;
}

const LINKS = / links \d+/;

/** A state in which it does not count how many names a file has: where a link is refused, a copy is made. */
export function withoutLinkCounts(state: TreeState): TreeState {
  return new Map([...state].map(([path, line]) => [path, lineWithoutLinkCount(line)]));
}

/** The same for one line. */
export function lineWithoutLinkCount(line: string): string {
  return line.replace(LINKS, '');
}

/** Folders that are made with the first command and stay. */
const OWN_FOLDER = /^var\/lib\/berth(\/\.(journal|locks|launch|settings))?$/;
/** An empty one means nothing to systemd, which makes and removes them with the links. */
const LINK_FOLDER = /^etc\/systemd\/system\/[^/]+\.(wants|requires)$/;
const LOCK_FILE = /(^|\/)(\.locks\/[^/]*|\.store\/lock|\.launch\/\.lock)$/;

function visit(root: string, path: string, state: Map<string, string>): void {
  if (LOCK_FILE.test(path)) return;
  const full = path === '' ? root : `${root}/${path}`;
  const bytes = Buffer.from(full, 'latin1');
  const status = lstatSync(bytes, { bigint: true });
  const mode = (status.mode & 0o7777n).toString(8).padStart(4, '0');
  const common = `${mode} ${status.uid}:${status.gid}`;
  const times = path.includes('/rootfs') ? ` at ${status.mtimeNs}` : '';
  const xattrs = listXattrsAt({ dirFd: AT_FDCWD, name: full })
    .map(({ name, value }) => ` ${name}=${value.toString('hex')}`)
    .join('');
  if (status.isDirectory()) {
    const line = `folder ${common}${times}${xattrs}`;
    const isImplied =
      (OWN_FOLDER.test(path) && line === 'folder 0700 0:0') || LINK_FOLDER.test(path);
    if (!isImplied) state.set(path, line);
    for (const name of readdirSync(bytes, { encoding: 'latin1' }).sort())
      visit(root, path === '' ? name : `${path}/${name}`, state);
  } else if (status.isSymbolicLink()) {
    state.set(path, `link ${common} to ${readlinkSync(bytes, 'latin1')}${times}${xattrs}`);
  } else if (status.isFile()) {
    const content = withoutMoments(path, readFileSync(bytes));
    const digest = createHash('sha256').update(content).digest('hex').slice(0, 16);
    const links = path.includes('/.store/') ? '' : ` links ${status.nlink}`;
    state.set(path, `file ${common}${links} ${content.length} ${digest}${times}${xattrs}`);
  } else {
    state.set(path, `special ${status.mode.toString(8)} ${status.rdev}${times}${xattrs}`);
  }
}

/** The content of a record without the time in it; content that is damaged as it stands. */
function withoutMoments(path: string, content: Buffer): Buffer {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (name === 'launch.plan') return planWithoutStamp(content);
  const isRecord =
    name === 'deployment.json' || /\.store\/images\/sha256-[0-9a-f]+$|\.settings\//.test(path);
  if (!isRecord) return content;
  try {
    const record = JSON.parse(content.toString()) as Record<string, unknown>;
    delete record['createdAt'];
    delete record['storedAtMs'];
    for (const rejected of (record['rejected'] ?? []) as Record<string, unknown>[])
      delete rejected['at'];
    const values = record['values'] as Record<string, unknown> | undefined;
    delete values?.['UUID']; // a new one for each installation
    delete values?.['ATOMIC']; // the program that installed it
    return Buffer.from(JSON.stringify(record));
  } catch {
    return content;
  }
}

const PLAN_HEADER_BYTES = 24;
const STAMP = 2;

/** The stamp is the time of config.json, and the checksum is over it, too (runtime/plan-format.ts). */
function planWithoutStamp(content: Buffer): Buffer {
  const plan = Buffer.from(content);
  if (plan.length < PLAN_HEADER_BYTES) return plan;
  plan.fill(0, 16, 20);
  for (let at = PLAN_HEADER_BYTES; at + 8 <= plan.length;) {
    const size = plan.readUInt32LE(at + 4);
    const end = Math.min(at + 8 + size, plan.length);
    if (plan.readUInt32LE(at) === STAMP) plan.fill(0, Math.max(at, end - 8), end);
    at += 8 + size;
  }
  return plan;
}
