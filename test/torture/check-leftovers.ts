import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { finalNameOf } from '../../src/base/atomic-file.js';
import type { HostPaths } from '../../src/config/host-paths.js';
import { DEFAULT_PARALLEL_LAYERS } from '../../src/images/execute-pull.js';
import { tryLock } from '../../src/sys/lock-file.js';
import type { Report } from './violation.js';

interface LeftoverOptions {
  readonly moment: 'interrupted' | 'recovered';
  readonly report: Report;
}

/** I12 and I13: nothing is held, and what a killed command left is bounded; after recovery it is nothing. */
export function checkLeftovers(paths: HostPaths, { moment, report }: LeftoverOptions): void {
  const state = paths.onDisk(paths.stateDir);
  if (!existsSync(state)) return;
  checkMounts(paths, report);
  checkLocks(paths, report);
  const found = readdirSync(state).filter((name) => /^\.(new|trash|link)-/.test(name));
  const temporary = temporariesBelow(paths);
  if (moment === 'recovered') {
    for (const name of [...found, ...temporary]) report('I13', `${name} is left`);
    return;
  }
  if (found.length > 2) report('I13', `left at once: ${found.join(' ')}`);
  if (temporary.length > 1) report('I13', `left at once: ${temporary.join(' ')}`);
  const store = join(paths.onDisk(paths.storeDir), 'tmp');
  if (!existsSync(store)) return;
  const areas = readdirSync(store).filter((name) => !name.endsWith('.lock'));
  if (areas.length > DEFAULT_PARALLEL_LAYERS)
    report('I13', `the store has ${areas.length} temporary folders`);
}

/** Files that were to get a final name; those of the store go with its next writer. */
function temporariesBelow(paths: HostPaths): readonly string[] {
  const folders = [paths.unitDir, paths.tmpfilesDir, paths.journalDir, '/etc'];
  const found = new Set<string>();
  for (const folder of folders) {
    const full = paths.onDisk(folder);
    if (!existsSync(full)) continue;
    for (const entry of readdirSync(full, { recursive: true, withFileTypes: true }))
      if (finalNameOf(entry.name) !== undefined) found.add(join(entry.parentPath, entry.name));
  }
  return [...found];
}

function checkMounts(paths: HostPaths, report: Report): void {
  if (paths.root === '') return;
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const point = line.split(' ')[4] ?? '';
    if (point.startsWith(`${paths.root}/`)) report('I12', `something is mounted on ${point}`);
  }
}

function checkLocks(paths: HostPaths, report: Report): void {
  const locks = paths.onDisk(paths.lockDir);
  const files = existsSync(locks) ? readdirSync(locks).map((name) => join(locks, name)) : [];
  const others = [join(paths.storeDir, 'lock'), join(paths.launcherDir, '.lock')];
  for (const file of [...files, ...others.map((path) => paths.onDisk(path)).filter(existsSync)]) {
    using lock = tryLock(file, 'exclusive');
    if (lock === undefined) report('I12', `${file} is held`);
  }
}
