import { accessSync, constants, lstatSync } from 'node:fs';
import { dirname } from 'node:path/posix';

import { quote } from '../base/escape-text.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import type { HostPathPolicy } from './host-path-policy.js';

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
 * Names by which the programs of a session find what they run or whom they trust: no container has them for its own, whatever it
 * is called.
 */
// prettier-ignore
const OF_SESSIONS = {
  state: new Set([
    'systemd', 'dbus-1', 'applications', 'bash-completion', 'fish', 'zsh', 'flatpak', 'gnome-shell', 'kio', 'kservices5', 'kservices6', 'kwin',
    'plasma', 'nautilus', 'nautilus-python', 'nemo', 'keyrings', 'containers', 'berth',
  ]),
  configuration: new Set([
    'systemd', 'environment.d', 'user-tmpfiles.d', 'autostart', 'autostart-scripts', 'plasma-workspace', 'gnome-session', 'sway', 'i3', 'hypr', 'niri',
    'awesome', 'openbox', 'bash', 'fish', 'zsh', 'nushell', 'git', 'gh', 'npm', 'pip', 'pulse', 'pipewire', 'wireplumber', 'containers', 'berth',
  ]),
  run: new Set(['systemd', 'dbus-1', 'bus', 'gnupg', 'keyring', 'pulse', 'pipewire', 'containers', 'libpod', 'berth']),
};

/**
 * What an image may have on the host. In user mode it has what is below the container's own name in the user's directories without
 * being allowed it, and nothing else of them and of the home.
 */
export function hostPathPolicy(
  { mode, templateDirectories, userEnvironment }: HostPaths,
  about: { readonly name: string; readonly allowed: readonly string[] },
): HostPathPolicy {
  if (mode !== 'user') return { allowed: about.allowed };
  const { state, configuration, run } = templateDirectories;
  const folders = { state, configuration, run };
  const own = (['state', 'configuration', 'run'] as const)
    .filter((kind) => !OF_SESSIONS[kind].has(about.name))
    .map((kind) => `${folders[kind]}/${about.name}`);
  return {
    allowed: [...about.allowed, ...own],
    guarded: [userEnvironment['HOME'] ?? '/', state, configuration, run],
  };
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
