import { join } from 'node:path';

import { lstat } from '../base/quick-files.js';
import { isErrno } from '../errors/is-errno.js';
import { configChangesFile } from './config-changes.js';
import type { Deployment } from './deployment.js';
import { sha256OfFile } from './file-state.js';
import type { Host } from './host.js';

/** Says that a config.json which was edited by hand does not come along to the next deployment: that one is rendered anew. */
export async function warnOfEdits(host: Host, deployment: Deployment): Promise<void> {
  if (!(await isConfigEdited(host, deployment))) return;
  const { name } = deployment;
  host.onEvent({
    kind: 'warning',
    text: `the config.json of '${name}' was edited (${configFile(host, deployment)}); the new deployment has one of its own: edit that, then run 'berth apply ${name}', or keep the change in ${configChangesFile(host.paths, name)}`,
  });
}

/**
 * Whether somebody edited the config.json of a deployment. Records of older versions do not have what it was: by its time, then,
 * which is that of the deployment as long as nobody touches it; a clock that was set may hide an edit.
 */
export async function isConfigEdited(host: Host, deployment: Deployment): Promise<boolean> {
  const path = host.paths.onDisk(configFile(host, deployment));
  try {
    if (deployment.configSha256 !== undefined)
      return (await sha256OfFile(path)) !== deployment.configSha256;
    return (await lstat(path)).mtimeMs > Date.parse(deployment.createdAt);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

function configFile({ paths }: Host, { name, number }: Deployment): string {
  return join(paths.stateDir, `${name}.${number}`, 'config.json');
}
