import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';

import { quote } from '../base/escape-text.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import type { RuntimeConfig } from '../oci/runtime-config.js';
import { openInRoot } from '../sys/open-in-root.js';

/** The option by which a tmpfs begins with what the image has at its place. */
const COPY_UP = 'tmpcopyup';

/** The document without the options that are the command line's to do. */
export function withoutCopyUp(config: RuntimeConfig): RuntimeConfig {
  const mounts = config.mounts.map((mount) => ({
    ...mount,
    options: mount.options.filter((option) => option !== COPY_UP),
  }));
  return { ...config, mounts };
}

/**
 * Copies what the image has below each tmpfs that asks for it. Both sides are opened inside their roots, whatever links
 * the image holds on the way.
 */
export function copyUnderTmpfs(
  config: RuntimeConfig,
  places: { readonly root: string; readonly rootfs: string },
): void {
  const wanted = config.mounts.filter(({ options }) => options.includes(COPY_UP));
  for (const { destination } of wanted) {
    const from = openDirectory(places.rootfs, destination);
    if (from === undefined) continue;
    const to = openDirectory(places.root, destination);
    try {
      if (to === undefined) continue;
      copy(from, to, destination);
    } finally {
      closeSync(from);
      if (to !== undefined) closeSync(to);
    }
  }
}

function copy(from: number, to: number, destination: string): void {
  try {
    execFileSync('cp', ['-a', '/proc/self/fd/3/.', '/proc/self/fd/4/'], {
      stdio: ['ignore', 'ignore', 'pipe', from, to],
    });
  } catch (cause) {
    throw new OperationalError(
      'PROGRAM_FAILED',
      `cannot copy what the image has at ${quote(destination)}`,
      { cause },
    );
  }
}

function openDirectory(root: string, path: string): number | undefined {
  const fd = openSync(root, 'r');
  try {
    return openInRoot(fd, path, { flags: constants.O_RDONLY | constants.O_DIRECTORY });
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  } finally {
    closeSync(fd);
  }
}
