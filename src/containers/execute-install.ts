import { mkdir, rename, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { syncFolder } from '../base/atomic-file.js';
import { AsyncScope } from '../base/scope.js';
import { OperationalError } from '../errors/operational-error.js';
import { syncFileSystemOf } from '../sys/sync.js';
import { finishInstall } from './finish-install.js';
import { finishUninstall } from './finish-uninstall.js';
import type { Host } from './host.js';
import { beginJournal, journalEntryFor, type JournalEntry } from './journal.js';
import { placeLauncher } from './place-launcher.js';
import type { PreparedDeployment } from './prepare-deployment.js';
import { formatDeployment } from './deployment.js';
import { removePath } from './remove-path.js';

/**
 * Carries an install out. The journal entry comes first; then the deployment is built beside, synced and renamed into
 * place; the NAME link is the commit point; then the files of the host, one reload, and the enabling. A failure at any
 * step takes everything back; a kill at any step leaves what the next command on this name finishes or takes back. Gives
 * what {@link takeBackInstall} needs.
 */
export async function executeInstall(
  host: Host,
  prepared: PreparedDeployment,
  options: { readonly enable: boolean },
): Promise<JournalEntry> {
  const { deployment } = prepared;
  const units = options.enable ? deployment.units : [];
  const entry = { ...journalEntryFor('install', deployment), units };
  await beginJournal(host.paths, entry);
  try {
    await putInPlace(host, prepared);
    await finishInstall(host, entry);
    return entry;
  } catch (error) {
    await takeBackInstall(host, { entry, error });
    throw error;
  }
}

/** The launcher is held until a deployment refers to it, and no longer: taking the install back removes it, too. */
async function putInPlace(host: Host, prepared: PreparedDeployment): Promise<void> {
  const { deployment, launcher } = prepared;
  await using scope = new AsyncScope();
  await buildDeployment(host, prepared);
  if (launcher !== undefined) scope.use(await placeLauncher(host, launcher));
  await pointNameTo(host, deployment.name, `${deployment.name}.${deployment.number}`);
}

/** Takes an install back, because of an error that came up in it or after it. Never fails: what it cannot do is told. */
export async function takeBackInstall(
  host: Host,
  failed: { readonly entry: JournalEntry; readonly error: unknown },
): Promise<void> {
  const entry = { ...failed.entry, operation: 'undo' } as const;
  try {
    // From here on a kill leads back, not on. A disk too full to say so still has room to remove things.
    await beginJournal(host.paths, entry).catch(() => undefined);
    await finishUninstall(host, entry);
  } catch (error) {
    // The journal entry is still there: the next command on this name, or `berth recover`, tries again.
    if (failed.error instanceof OperationalError) failed.error.suppressed.push(error);
    host.onEvent({
      kind: 'warning',
      text: `taking back the installation of '${failed.entry.name}' failed, too: ${error instanceof Error ? error.message : String(error)}; run 'berth recover'`,
    });
  }
}

async function buildDeployment(host: Host, prepared: PreparedDeployment): Promise<void> {
  const { deployment } = prepared;
  const state = host.paths.onDisk(host.paths.stateDir);
  const final = join(state, `${deployment.name}.${deployment.number}`);
  const building = join(state, `.new-${deployment.name}.${deployment.number}`);
  removePath(building);
  await mkdir(building, { mode: 0o700 });
  const rootfs = join(building, 'rootfs');
  await mkdir(rootfs, { mode: 0o755 });
  const store = await host.openStore();
  await store.checkout(prepared.tree, rootfs, {
    signal: host.signal,
    mountPoints: prepared.mountPoints,
    devices: true,
  });
  for (const [name, { content, mtimeMs }] of prepared.contents) {
    const path = join(building, name);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(path, content, { mode: 0o600, flag: 'wx' });
    if (mtimeMs !== undefined) await utimes(path, mtimeMs / 1000, mtimeMs / 1000);
  }
  await writeFile(join(building, 'deployment.json'), formatDeployment(deployment), {
    mode: 0o600,
    flag: 'wx',
  });
  host.signal.throwIfAborted();
  await syncFileSystemOf(building);
  await rename(building, final);
  await syncFolder(state);
}

/**
 * Carries several installs out, in order. Where one fails, it and those before it are taken back: only what this command
 * installed goes.
 */
export async function executeInstalls(
  host: Host,
  steps: readonly PreparedDeployment[],
  options: { readonly enable: boolean },
): Promise<void> {
  const done: JournalEntry[] = [];
  try {
    for (const step of steps) done.push(await executeInstall(host, step, options));
  } catch (error) {
    for (const entry of done.reverse()) await takeBackInstall(host, { entry, error });
    throw error;
  }
}

/** The commit point: the link is made beside and renamed over the old one, if there is one. */
async function pointNameTo(host: Host, name: string, directory: string): Promise<void> {
  const state = host.paths.onDisk(host.paths.stateDir);
  const beside = join(state, `.link-${name}`);
  removePath(beside);
  await symlink(directory, beside);
  await rename(beside, join(state, name));
  await syncFolder(state);
}
