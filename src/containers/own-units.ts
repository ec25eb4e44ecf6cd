import { existsSync } from 'node:fs';
import { join } from 'node:path/posix';

import { syncFolder, writeFileAtomically } from '../base/atomic-file.js';
import { readFileBounded } from '../base/bounded-read.js';
import { makeFolders } from '../base/make-folders.js';
import { ownFile, ownProgram } from '../base/own-files.js';
import { readFile, unlink } from '../base/quick-files.js';
import { resolveHostPaths, type HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { execWord } from '../runtime/service-runtime.js';
import type { Host } from './host.js';
import { assertUnitsFound } from './users-units-folder.js';
import { removeTemporaries } from './remove-temporaries.js';

/*
 * Units of berth itself. A package brings them (packaging/systemd); beside a checkout or an npm installation there is
 * none, so berth writes them into the unit directory, with the paths of the program that runs now, and takes them away
 * again. What the administrator put there, or masked, is left as it is.
 */

/** Units that berth may have to write. */
export type OwnUnit = 'berth-recover.service' | 'berth-update.service' | 'berth-update.timer';

/** Where packages put units, below the folder of the mode. */
const PACKAGED = ['/usr/lib/systemd', '/lib/systemd', '/usr/local/lib/systemd'];

/** First line of what berth wrote: files without it are somebody else's. */
const MARK = '# Written by berth, and taken away by it; put changes into a drop-in.';

/** The largest unit that is read for its first line. */
const MAX_UNIT_BYTES = 65_536;

/** Whether berth has to bring its units itself: not into a tree that is not running, where its program is not known. */
export function bringsOwnUnits(paths: HostPaths): boolean {
  return paths.root === '';
}

/** Writes a unit if no package brings it, or writes it again where the program moved, and enables it. */
export async function placeOwnUnit(host: Host, unit: OwnUnit): Promise<void> {
  const { paths } = host;
  await assertUnitsFound(host);
  if (isPackaged(paths, unit)) return;
  const file = join(paths.unitDir, unit);
  await makeFolders(paths.unitDir, paths.mode === 'user' ? 0o700 : 0o755);
  await removeTemporaries([file]);
  const text = await renderOwnUnit(paths, unit);
  const present = await readUnit(file);
  if (present !== undefined && !present.startsWith(MARK)) return;
  if (present !== text) await writeFileAtomically(file, text);
  const manager = await host.openUnitManager();
  if (!isEnabled(paths, unit, text)) await manager.enable([unit]);
}

/** Disables and removes a unit that berth wrote; gives whether there was one. */
export async function removeOwnUnit(host: Host, unit: OwnUnit): Promise<boolean> {
  const file = join(host.paths.unitDir, unit);
  await removeTemporaries([file]);
  if ((await readUnit(file))?.startsWith(MARK) !== true) return false;
  const manager = await host.openUnitManager();
  const [state] = unit.endsWith('.timer') ? await manager.getStates([unit]) : [];
  if (state?.activeState === 'active') await manager.stop(unit, { signal: host.signal });
  await manager.disable([unit]);
  await unlink(file);
  await syncFolder(host.paths.unitDir);
  return true;
}

/** The text of a unit as it runs the program that runs now, on the places that it works on. */
export async function renderOwnUnit(paths: HostPaths, unit: OwnUnit): Promise<string> {
  const packaged = await readFile(
    ownFile(`packaging/systemd/${paths.mode === 'user' ? 'user/' : ''}${unit}`),
    'utf8',
  );
  const program = [process.execPath, ownProgram()];
  const lines = packaged.split('\n').flatMap((line): readonly string[] => {
    const [key = '', value = ''] = line.split(/=(.*)/s);
    switch (key) {
      case 'ExecStart':
        return [
          ...movedPlaces(paths).map(([name, path]) => `Environment=${unitPath(`${name}=${path}`)}`),
          `ExecStart=${program.map(execWord).join(' ')} ${value.replace(/^\S+ /, '')}`,
        ];
      case 'RequiresMountsFor':
        return [paths.stateDir, ...program].map((path) => `RequiresMountsFor=${unitPath(path)}`);
      case 'ConditionDirectoryNotEmpty':
        return [`${key}=${paths.journalDir.replaceAll('%', '%%')}`];
      default:
        return [line];
    }
  });
  return `${MARK}\n${lines.join('\n')}`;
}

/** The variables that moved places of this process, for one that a unit will run. */
export function movedPlaces(paths: HostPaths): readonly (readonly [string, string])[] {
  const { HOME = '', XDG_RUNTIME_DIR = '' } = paths.userEnvironment;
  // What a user's service manager knows without being told.
  const usual = resolveHostPaths({ mode: paths.mode, env: { HOME, XDG_RUNTIME_DIR } });
  const places = [
    ['BERTH_STATE_DIR', 'stateDir'],
    ['BERTH_RUN_DIR', 'runDir'],
    ['BERTH_UNIT_DIR', 'unitDir'],
    ['BERTH_TMPFILES_DIR', 'tmpfilesDir'],
    ['BERTH_CONFIG', 'confFile'],
  ] as const;
  return places
    .filter(([, place]) => paths[place] !== usual[place])
    .map(([name, place]) => [name, paths[place]]);
}

/** What a package has for users has no way to know of moved places. */
function isPackaged(paths: HostPaths, unit: OwnUnit): boolean {
  if (paths.mode === 'user' && movedPlaces(paths).length > 0) return false;
  return PACKAGED.some((folder) => existsSync(join(folder, paths.mode, unit)));
}

/** A path as one word of a unit file: `%` means itself. */
function unitPath(path: string): string {
  const escaped = path.replaceAll('%', '%%');
  return /^[\w@%+,./:=-]+$/.test(escaped)
    ? escaped
    : `"${escaped.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

function isEnabled(paths: HostPaths, unit: string, text: string): boolean {
  const target = /^WantedBy=(\S+)$/m.exec(text)?.[1];
  return target === undefined || existsSync(join(paths.unitDir, `${target}.wants`, unit));
}

/** The text that stands there; `''` for what is no file of ours to read, such as a mask. */
async function readUnit(file: string): Promise<string | undefined> {
  try {
    return (await readFileBounded(file, { maxBytes: MAX_UNIT_BYTES })).toString('utf8');
  } catch (error) {
    return isErrno(error, 'ENOENT') ? undefined : '';
  }
}
