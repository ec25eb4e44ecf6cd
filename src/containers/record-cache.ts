import {
  fstatSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  constants,
} from 'node:fs';
import { join } from 'node:path';

import type { HostPaths } from '../config/host-paths.js';
import { programVersion } from '../config/version.js';
import { briefOf, type ContainerBrief } from './container-brief.js';
import { isSameRecord, readCurrent, recordIdentity } from './deployment-records.js';
import { formatKept, parseKept, type KeptRecord } from './kept-records.js';

/*
 * What all commands look at of many containers stays in `/run/berth/.records.json` for the next one: reading a thousand records
 * takes a hundred milliseconds, and finding that they are the same ten. Each counts only as long as the file that the
 * container's link leads to is the one that was read. The file may be taken away at any time; nobody but root can write it, and
 * what is in there was checked when it was read.
 */

/** Fewer are read as quickly as the file. */
const MIN_RECORDS = 64;

/** Ten thousand containers have 10 MB. A larger file is not read. */
const MAX_BYTES = 64 * 1024 * 1024;

/** The file is written anew when one in so many records is not in it: else installing one would mean writing a thousand. */
const WRITE_EACH = 32;

/** Of the file (kept-records.ts); another one with each change to what is in it, since a host may be brought from one build of a version to the next. */
const FORMAT = 4;

/**
 * Looks at the present deployments of so many containers, with what earlier commands read. What cannot be read goes to
 * `onDamaged`; what is gone meanwhile is left out.
 */
export function readBriefs(
  paths: HostPaths,
  names: readonly string[],
  onDamaged: (name: string, error: unknown) => void,
): readonly ContainerBrief[] {
  const isKept = paths.root === '' && names.length >= MIN_RECORDS;
  const file = join(paths.runDir, '.records.json');
  const known = isKept ? load(file) : NOTHING;
  const found: ContainerBrief[] = [];
  const records: KeptRecord[] = [];
  let unknown = 0;
  for (const name of names) {
    try {
      const before = known.get(name);
      // Through the link: that it leads elsewhere now is seen as well as that the file is another one.
      if (before !== undefined && isSameRecord(before.identity, recordIdentity(paths, name))) {
        found.push(before.brief);
        records.push(before);
        continue;
      }
      const current = readCurrent(paths, name);
      if (current === undefined) continue;
      const brief = briefOf(current.deployment);
      found.push(brief);
      // What has no identity went while it was read.
      if (current.identity !== undefined) records.push({ identity: current.identity, brief });
      unknown += 1;
    } catch (error) {
      onDamaged(name, error);
    }
  }
  if (isKept && unknown * WRITE_EACH > names.length) store(file, records);
  return found;
}

const NOTHING: ReadonlyMap<string, KeptRecord> = new Map();

function load(file: string): ReadonlyMap<string, KeptRecord> {
  try {
    return readOwn(file) ?? NOTHING;
  } catch {
    // Not there, not ours to read, or cut off: the records themselves are read.
    return NOTHING;
  }
}

/** Undefined where somebody else could have written it, or another version or form of it did. */
function readOwn(file: string): ReadonlyMap<string, KeptRecord> | undefined {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    const isOwn = stat.isFile() && stat.uid === process.geteuid?.() && (stat.mode & 0o077) === 0;
    if (!isOwn || stat.size > MAX_BYTES) return undefined;
    return parseKept(readFileSync(fd, 'utf8'), { format: FORMAT, version: programVersion() });
  } finally {
    closeSync(fd);
  }
}

function store(file: string, records: readonly KeptRecord[]): void {
  const content = formatKept(records, { format: FORMAT, version: programVersion() });
  // One name for all: what a command that was killed left goes with the next one. Of two that write at once one may put the
  // other's half in place, which has no end, and counts as not there.
  const temporary = `${file}.new`;
  try {
    mkdirSync(join(file, '..'), { recursive: true });
    rmSync(temporary, { force: true });
    // Not synced: it lies in memory, and is gone with the next boot.
    writeFileSync(temporary, content, { mode: 0o600, flag: 'wx' });
    renameSync(temporary, file);
  } catch {
    // Whoever may not write reads the records each time.
    rmSync(temporary, { force: true });
  }
}
