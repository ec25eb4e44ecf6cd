import { accessSync, constants, lstatSync } from 'node:fs';
import { dirname } from 'node:path/posix';

import { quote } from '../base/escape-text.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { quoteTmpfilesField } from '../templates/quote-tmpfiles-field.js';
import { covers, type HostPathPolicy } from './host-path-policy.js';

/**
 * Checks that a user could make what an image wants on the host, before anything is changed: images are written for the system,
 * and most of what they bring for it is root's to place. In system mode nothing is checked.
 *
 * @throws {@link OperationalError} HOST_PATH_REFUSED
 */
export function assertUserCanMake(paths: HostPaths, path: string, what: string): void {
  if (paths.mode !== 'user') return;
  let folder = path;
  while (folder !== '/' && !isThere(folder)) folder = dirname(folder);
  if (folder === path || isWritable(folder)) return;
  throw new OperationalError(
    'HOST_PATH_REFUSED',
    `${what} ${quote(path)}, and this user may not write in ${quote(folder)}`,
    {
      hint: "install it as root, without '--user', or give its variables other places with '--set'",
    },
  );
}

/**
 * What an image may have on the host. In user mode it has what is below the container's own name in the folders that are for that
 * without being allowed it, and nothing else of the user's places: programs of a session find there what they run and whom they trust.
 */
export function hostPathPolicy(
  { mode, templateDirectories, userEnvironment }: HostPaths,
  about: { readonly name: string; readonly allowed: readonly string[] },
): HostPathPolicy {
  if (mode !== 'user') return { allowed: about.allowed };
  const { state, configuration, run } = templateDirectories;
  const own = [state, configuration, run].map((folder) => `${folder}/${about.name}`);
  return { allowed: [...about.allowed, ...own], guarded: Object.values(userEnvironment) };
}

/**
 * What units of a user's container may have made by its own name, beside {@link hostPathPolicy}, even where it stands there already:
 * a user's service manager gives it to nobody. What that removes again, below XDG_RUNTIME_DIR, is not among it.
 */
export function usersOwnPaths(
  { mode, userEnvironment }: HostPaths,
  name: string,
): readonly string[] {
  if (mode !== 'user') return [];
  const stem = name.replace(/@$/, '');
  return [
    ...Object.values(usersFolders(userEnvironment)).map((folder) => `${folder}/${stem}`),
    `${userEnvironment['XDG_RUNTIME_DIR'] ?? ''}/${name}.sock`,
  ];
}

/** `RuntimeDirectory=` by its own name: it goes with the service, so that it has to be free. */
export function usersRuntimeFolder(
  { mode, userEnvironment }: HostPaths,
  name: string,
): readonly string[] {
  if (mode !== 'user') return [];
  return [`${userEnvironment['XDG_RUNTIME_DIR'] ?? ''}/${name.replace(/@$/, '')}`];
}

/** The folders that specifiers of a user's units stand for (systemd.unit(5)), from systemd 254 on. */
export function usersFolders(
  environment: HostPaths['userEnvironment'],
): Readonly<Record<'S' | 'C' | 'L' | 'E', string>> {
  const home = environment['HOME'] ?? '/';
  const state = environment['XDG_STATE_HOME'] ?? `${home}/.local/state`;
  return {
    S: state,
    C: environment['XDG_CACHE_HOME'] ?? `${home}/.cache`,
    L: `${state}/log`,
    E: environment['XDG_CONFIG_HOME'] ?? `${home}/.config`,
  };
}

/**
 * tmpfiles.d lines for the folders in which a user's containers have theirs, where one is needed: for the user alone. The system's
 * are always there.
 */
export function usersRootLines(paths: HostPaths, needed: readonly string[]): string {
  if (paths.mode !== 'user') return '';
  const { state, configuration, run } = paths.templateDirectories;
  return [state, configuration, run]
    .filter((root) => needed.some((path) => covers(root, path)))
    .map((root) => `d ${quoteTmpfilesField(root.replaceAll('%', '%%'))} 0700 - - - -\n`)
    .join('');
}

function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    if (isErrno(error, 'EACCES')) return true; // what cannot be looked at cannot be made either
    throw error;
  }
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch (error) {
    if (isErrno(error, 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR')) return false;
    throw error;
  }
}
