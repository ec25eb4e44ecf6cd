import { lstat } from 'node:fs/promises';
import { join } from 'node:path';

import { isErrno } from '../errors/is-errno.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';

/**
 * Says that a config.json which was edited by hand does not come along to the next deployment: that one is rendered anew.
 * By its time, which is that of the deployment as long as nobody touches it; a clock that was set may hide an edit.
 */
export async function warnOfEdits(host: Host, { name, ...from }: Deployment): Promise<void> {
  const path = join(host.paths.stateDir, `${name}.${from.number}`, 'config.json');
  try {
    const { mtimeMs } = await lstat(host.paths.onDisk(path));
    if (!(mtimeMs > Date.parse(from.createdAt))) return;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return;
    throw error;
  }
  host.onEvent({
    kind: 'warning',
    text: `the config.json of '${name}' was edited (${path}); the new deployment has one of its own: edit that, then run 'berth apply ${name}'`,
  });
}
