import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { type DiskOptions, mountDisk } from './host-disk.js';
import { runOk } from './run-command.js';
import type { Suite } from './suites.js';

/** What a host's root is to have beside its tree. */
export interface RootOptions {
  /** Changes the copy before its first boot. */
  readonly prepare?: (tree: string) => void | Promise<void>;
  /** Gives /var a file system of its own. */
  readonly varDisk?: DiskOptions;
  /** Gives the host no system bus: neither dbus nor its socket is started. */
  readonly withoutBus?: boolean;
  /** Leaves it the Node of its tree, in place of the machine's. */
  readonly hasOwnNode?: boolean;
}

/** Mounts a tmpfs on a folder, copies a tree into it, and makes it a host of its own. */
export async function furnishRoot(
  root: string,
  options: RootOptions & { readonly tree: string; readonly folder: string; readonly suite: Suite },
): Promise<void> {
  const { tree, folder, suite, varDisk } = options;
  await runOk(['mount', '-t', 'tmpfs', '-o', 'mode=755,size=4g', 'berth-test', root]);
  if (varDisk !== undefined) await mountDisk(varDisk, { target: join(root, 'var'), folder });
  await runOk(['cp', '-a', `${tree}/.`, root]);
  // An identity, or the boot counts as the first one of an installation, which applies presets.
  await writeFile(join(root, 'etc/machine-id'), `${randomBytes(16).toString('hex')}\n`);
  await writeFile(join(root, 'etc/hostname'), `${suite}\n`);
  await writeFile(join(root, 'etc/hosts'), `127.0.0.1 localhost\n127.0.1.1 ${suite}\n`);
  // Bind mounts need something to stand on, and a snapshot must not see it come and go.
  if (options.hasOwnNode !== true) await writeFile(join(root, 'usr/bin/node'), '', { mode: 0o755 });
  if (options.withoutBus === true) {
    for (const unit of ['dbus.service', 'dbus.socket'])
      await runOk(['ln', '-s', '/dev/null', join(root, 'etc/systemd/system', unit)]);
  }
  await options.prepare?.(root);
}
