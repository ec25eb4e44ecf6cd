import { statSync } from 'node:fs';

import { quote } from '../base/escape-text.js';
import type { HostPaths } from '../config/host-paths.js';
import { OperationalError } from '../errors/operational-error.js';
import { findOpenWay, type WayUser } from './open-way.js';

/**
 * Checks that nobody but the user and root can lead the places of user mode elsewhere, or change what is in them. HOME or
 * XDG_DATA_HOME may be another user's (su and sudo keep them), a folder may be open to a group: whoever can write there says
 * what the user's services run.
 *
 * @throws {@link OperationalError} HOST_PATH_REFUSED naming the folder
 */
export function assertOwnPlaces(paths: HostPaths): void {
  const { state, configuration, run } = paths.templateDirectories;
  const places = [paths.stateDir, paths.runDir, paths.unitDir, paths.tmpfilesDir];
  const user = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  for (const place of [...places, state, configuration, run]) assertOwnWay(place, user);
  for (const place of [paths.stateDir, paths.runDir]) assertPrivate(place);
}

/** Every folder and link on the way to a place, links followed by their own ways, is root's or the user's. */
export function assertOwnWay(place: string, user: WayUser): void {
  const found = findOpenWay(place, { user });
  if (found !== undefined) throw refuse(place, found.why, found.hint);
}

/** Programs and configurations of services are in there: not even a group of the user's own changes them. */
function assertPrivate(place: string): void {
  const found = statSync(place, { throwIfNoEntry: false });
  if (found === undefined || (found.mode & 0o022) === 0) return;
  throw refuse(place, 'it can be written by others than its owner', `chmod go-w ${place}`);
}

function refuse(place: string, why: string, hint?: string): OperationalError {
  return new OperationalError('HOST_PATH_REFUSED', `refusing to work in ${quote(place)}: ${why}`, {
    hint,
  });
}
