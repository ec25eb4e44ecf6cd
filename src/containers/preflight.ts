import { join } from 'node:path';

import { quote } from '../base/escape-text.js';
import { lstat, stat } from '../base/quick-files.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Host } from './host.js';
import { assertUnitsFound } from './users-units-folder.js';

/**
 * What can be known to go wrong before a byte is fetched: no root, no systemd, a unit of that name which is not ours, a
 * masked one.
 *
 * @throws {@link OperationalError} NEEDS_ROOT, SYSTEMD_UNAVAILABLE, CONFIG_INVALID, UNIT_EXISTS, UNIT_MASKED,
 * CONTAINER_STATE_INVALID
 */
export async function preflightInstall(host: Host, name: string): Promise<void> {
  assertPrivileged(host);
  await assertUnitsFound(host);
  await assertUnitNameFree(host, `${name}.service`);
  await assertNothingAtLink(host, name);
}

/** @throws {@link OperationalError} NEEDS_ROOT in system mode without root */
export function assertPrivileged(host: Host): void {
  if (host.paths.mode === 'system' && process.geteuid?.() !== 0) {
    throw new OperationalError('NEEDS_ROOT', 'system containers need root', {
      hint: "run berth as root, or with '--user' for services of your own",
    });
  }
}

/**
 * Checks that the command works for the system: what is `done` takes rights that a user's manager does not give.
 *
 * @throws {@link OperationalError} NEEDS_ROOT
 */
export function assertForSystem(host: Host, done: string): void {
  if (host.paths.mode === 'system') {
    assertPrivileged(host);
    return;
  }
  throw new OperationalError('NEEDS_ROOT', `${done} needs root, which '--user' does without`, {
    hint: "run berth as root, without '--user'",
  });
}

/** @throws {@link OperationalError} USAGE if `--rootfs` does not name a folder by its whole path */
export async function assertRootFolder(host: Host, rootfs: string): Promise<void> {
  if (rootfs.startsWith('/') && (await isFolder(host.paths.onDisk(rootfs)))) return;
  throw new OperationalError('USAGE', `--rootfs: there is no folder ${quote(rootfs)}`);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

/** @throws {@link OperationalError} UNIT_MASKED; UNIT_EXISTS where the host has a unit of that name */
export async function assertUnitNameFree(host: Host, unit: string): Promise<void> {
  const units = await host.openUnitManager();
  const found = await units.findUnitFile(unit);
  if (found === undefined) return;
  if (found.state === 'masked' || found.state === 'masked-runtime') {
    throw new OperationalError('UNIT_MASKED', `${unit} is masked${at(found.path)}`, {
      hint: `'systemctl unmask ${unit}' allows it again, or choose another name with '--name'`,
    });
  }
  throw new OperationalError(
    'UNIT_EXISTS',
    `a unit ${unit} is there already${at(found.path)} and is not berth's`,
    {
      hint: "choose another name with '--name'",
    },
  );
}

function at(path: string): string {
  return path === '' ? '' : ` (${quote(path)})`;
}

/** Only berth's own links may stand where the NAME link goes; whatever else is there is never removed. */
async function assertNothingAtLink(host: Host, name: string): Promise<void> {
  const path = join(host.paths.stateDir, name);
  try {
    await lstat(host.paths.onDisk(path));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return;
    throw error;
  }
  throw new OperationalError(
    'CONTAINER_STATE_INVALID',
    `${quote(path)} is in the way: berth did not make it`,
    {
      hint: 'move it away, or choose another name with --name',
    },
  );
}
