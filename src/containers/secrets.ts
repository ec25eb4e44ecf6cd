import { join } from 'node:path/posix';

import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import type { UnitDirective } from '../runtime/launch-plan.js';
import type { Deployment } from './deployment.js';

/*
 * Secrets of a container lie in its deployment, in files of root's alone: `NAME.N/credentials/VARIABLE`, mode 0600 in a
 * folder 0700. systemd reads them when the service starts (LoadCredential=) and the launcher copies them into a tmpfs of
 * the container. They go with the deployment: an update copies them, a rollback finds the ones of before, an uninstallation
 * removes them.
 */

/** Largest secret that is read back; a value has at most this many characters. */
const MAX_SECRET_BYTES = 1024 * 1024;

/** Where a secret is, below the directory of its deployment. */
export function secretFile(variable: string): string {
  return join('credentials', variable);
}

/**
 * The secrets of a deployment, by the name of their variable.
 *
 * @throws {@link OperationalError} CONTAINER_STATE_INVALID if one that is recorded is not there
 */
export async function readSecrets(
  paths: HostPaths,
  deployment: Deployment,
): Promise<ReadonlyMap<string, string>> {
  const secrets = new Map<string, string>();
  for (const variable of deployment.secrets) {
    const directory = join(paths.stateDir, `${deployment.name}.${deployment.number}`);
    const file = join(directory, secretFile(variable));
    try {
      const bytes = await readFileBounded(paths.onDisk(file), { maxBytes: MAX_SECRET_BYTES });
      secrets.set(variable, bytes.toString('utf8'));
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
      throw new OperationalError('CONTAINER_STATE_INVALID', `${quote(file)} is missing`, {
        hint: `give the secret again with --set ${variable}=@FILE`,
        cause: error,
      });
    }
  }
  return secrets;
}

/** The rows of the drop-in by which systemd reads the secrets, through the link that points to the current deployment. */
export function secretDirectives(
  destdir: string,
  variables: readonly string[],
): readonly UnitDirective[] {
  return variables.map((variable) => [
    'Service',
    'LoadCredential',
    `${variable}:${join(destdir, secretFile(variable)).replaceAll('%', '%%')}`,
  ]);
}
