import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path/posix';

import { quote } from '../base/escape-text.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Host } from './host.js';

/**
 * Checks that the user's service manager will find the units that berth is about to write: it looks where its own XDG_CONFIG_HOME
 * and HOME said when it started, and those of a shell may be others. In system mode nothing is checked.
 *
 * @throws {@link OperationalError} CONFIG_INVALID
 */
export async function assertUnitsFound(host: Host): Promise<void> {
  const { paths } = host;
  if (paths.mode !== 'user') return;
  const folders = await (await host.openUnitManager()).findUnitFolders();
  const wanted = resolveLinks(paths.unitDir);
  if (folders.some((folder) => folder === paths.unitDir || resolveLinks(folder) === wanted)) return;
  throw new OperationalError(
    'CONFIG_INVALID',
    `the user's service manager does not look for units in ${quote(paths.unitDir)}`,
    {
      hint: "HOME and XDG_CONFIG_HOME have to be as they were when it started: see 'systemctl --user show-environment'",
    },
  );
}

/** A path without links; what is not there yet is taken by its name. */
function resolveLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (path === '/' || !isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP')) throw error;
    return join(resolveLinks(dirname(path)), basename(path));
  }
}
