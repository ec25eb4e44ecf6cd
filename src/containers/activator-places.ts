import { join } from 'node:path/posix';

import { quote } from '../base/escape-text.js';
import { lookUp } from '../base/look-up.js';
import { readFile } from '../base/quick-files.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { getWords, listAssignments, parseUnit } from '../systemd/unit-text.js';
import type { UnitDocument } from '../systemd/unit-text.js';
import { pathsOfExecution, type WrittenPath } from './service-places.js';
import { usersFolders } from './users-places.js';

/** What a socket or path makes, opens and removes on the host: files, folders and links. */
export function pathsMadeBy(document: UnitDocument): readonly WrittenPath[] {
  const all = listAssignments(document);
  const listened = all.filter(
    ({ section, key, value }) =>
      section === 'Socket' &&
      key.startsWith('Listen') &&
      // The names of message queues are none of a folder.
      key !== 'ListenMessageQueue' &&
      /^[/%]/.test(value),
  );
  // Any of them: systemd passes over a later one that it cannot read.
  const makesFolders = all.some(
    ({ section, key, value }) =>
      section === 'Path' && key === 'MakeDirectory' && /^(?:1|yes|y|true|t|on)$/i.test(value),
  );
  const watched = all.filter(
    ({ section, key }) =>
      section === 'Path' && /^(?:PathChanged|PathModified|DirectoryNotEmpty)$/.test(key),
  );
  return [
    ...pathsOfExecution(document, 'Socket'),
    ...[...listened, ...(makesFolders ? watched : [])].map(({ key, value }) => ({
      key,
      written: value,
    })),
    ...getWords(document, 'Socket', 'Symlinks').map((written) => ({ key: 'Symlinks', written })),
  ].filter(({ written }) => written !== '');
}

/**
 * What systemd will make of a path: `/var/run` is `/run` to it, too.
 *
 * @throws {@link OperationalError} UNIT_INVALID where nobody can tell
 */
export function resolveSpecifiers(
  paths: HostPaths,
  { unit, written }: { readonly unit: string; readonly written: string },
): string {
  // Of a list systemd takes them away, wherever in a word they stand.
  if (/["'\\]/.test(written))
    throw new OperationalError(
      'UNIT_INVALID',
      `${unit} has the path ${quote(written)}: quotes and backslashes are not taken there`,
    );
  const stem = unit.slice(0, unit.lastIndexOf('.'));
  const folders =
    paths.mode === 'user'
      ? {
          t: paths.userEnvironment['XDG_RUNTIME_DIR'] ?? '',
          h: paths.userEnvironment['HOME'] ?? '',
          ...usersFolders(paths.userEnvironment),
        }
      : { t: '/run', S: '/var/lib', C: '/var/cache', L: '/var/log', E: '/etc' };
  // An instance's name is escaped: it has no '/', and cannot lead elsewhere.
  const [prefix = '', instance = ''] = stem.split(/@(.*)/s);
  const i = instance === '' ? 'i' : instance;
  const known = { ...folders, '%': '%', n: unit, N: stem, p: prefix, i };
  const path = written.replace(/%(.?)/g, (whole, letter: string) => {
    const value = lookUp(known, letter);
    if (value !== undefined) return value;
    throw new OperationalError(
      'UNIT_INVALID',
      `${unit} has the path ${quote(written)}, and berth cannot tell what ${quote(whole)} is there`,
    );
  });
  return path.replace(/^\/var\/run(?=\/)/, '/run');
}

/** A unit as it is kept in the directory of a deployment, `NAME.N`; undefined where it is not there. */
export async function readDeployedUnit(
  paths: HostPaths,
  directory: string,
  unit: string,
): Promise<UnitDocument | undefined> {
  try {
    return parseUnit(await readFile(paths.onDisk(join(paths.stateDir, directory, unit)), 'utf8'));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}
