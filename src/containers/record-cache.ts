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
import type { Deployment } from './deployment.js';
import { known } from './deployment-records.js';

/*
 * What was parsed stays in `/run/berth/.records.json` for the next command: reading a thousand records takes a hundred
 * milliseconds, and finding that they are the same ten. Each counts only as long as its file is the one that was read. The file may
 * be taken away at any time; nobody but root can write it, and what is in there was checked when it was read.
 */

/** Fewer are read as quickly as the file. */
const MIN_RECORDS = 64;

/** Ten thousand records have 40 MB. A larger file is not read. */
const MAX_BYTES = 64 * 1024 * 1024;

/** The file is written anew when one in so many records is not in it: else installing one would mean writing a thousand. */
const WRITE_EACH = 16;

interface CacheFile {
  readonly version: string;
  readonly records: readonly (readonly [file: string, identity: string, deployment: Deployment])[];
}

/** Runs `read`, which reads the records of so many containers of the running host, with what earlier commands read. */
export function withRecordCache<T>(paths: HostPaths, count: number, read: () => T): T {
  if (paths.root !== '' || count < MIN_RECORDS) return read();
  const file = join(paths.runDir, '.records.json');
  load(file);
  const result = read();
  let unknown = 0;
  for (const { isKept } of known.values()) unknown += Number(!isKept);
  if (unknown * WRITE_EACH > count) store(file, paths);
  return result;
}

const loaded = new Set<string>();

function load(file: string): void {
  if (loaded.has(file)) return;
  loaded.add(file);
  try {
    for (const [path, identity, deployment] of readOwn(file)?.records ?? []) {
      if (!known.has(path)) known.set(path, { identity, deployment, isKept: true });
    }
  } catch {
    // Not there, not ours to read, or cut off: the records themselves are read.
  }
}

/** Undefined where somebody else could have written it, or another version did. */
function readOwn(file: string): CacheFile | undefined {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    const isOwn = stat.isFile() && stat.uid === process.geteuid?.() && (stat.mode & 0o077) === 0;
    if (!isOwn || stat.size > MAX_BYTES) return undefined;
    const content = JSON.parse(readFileSync(fd, 'utf8')) as CacheFile;
    return content.version === programVersion() ? content : undefined;
  } finally {
    closeSync(fd);
  }
}

function store(file: string, paths: HostPaths): void {
  const records = [...known].filter(([path]) => path.startsWith(`${paths.stateDir}/`));
  const content: CacheFile = {
    version: programVersion(),
    records: records.map(([path, { identity, deployment }]) => [path, identity, deployment]),
  };
  // One name for all: what a command that was killed left goes with the next one. Of two that write at once one may put the
  // other's half in place, which is no JSON, and counts as not there.
  const temporary = `${file}.new`;
  try {
    mkdirSync(join(file, '..'), { recursive: true });
    rmSync(temporary, { force: true });
    // Not synced: it lies in memory, and is gone with the next boot.
    writeFileSync(temporary, JSON.stringify(content), { mode: 0o600, flag: 'wx' });
    renameSync(temporary, file);
    for (const [, record] of records) record.isKept = true;
  } catch {
    // Whoever may not write reads the records each time.
    rmSync(temporary, { force: true });
  }
}
