import { dirname } from 'node:path/posix';

import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { covers } from './host-path-policy.js';

/** Who may write in what any of these is in is root on the host already. */
const ALL_OF_THE_HOST = ['/etc/systemd', '/run/systemd', '/usr/lib', '/var/lib/berth'];

/** Whether who writes in a folder of the host gains nothing more by a link there. */
export function isAllOfTheHost(folder: string): boolean {
  return ALL_OF_THE_HOST.some((place) => covers(folder, place));
}

/**
 * Checks the paths of host files against the folders that their container writes in: what is below one of them it can replace by a link
 * to anywhere. Being root's, that link is followed when a later version brings its files, into guarded places, too.
 *
 * @throws {@link OperationalError} HOST_PATH_REFUSED
 */
export function assertNotThroughLent(
  paths: Iterable<string>,
  about: {
    /** `hostMounts` of the permissions of a version; those of the version before, too: its links are there. */
    readonly hostMounts: readonly string[];
    readonly allowed: readonly string[];
  },
): void {
  const written = about.hostMounts.filter((mount) => !mount.endsWith(', read-only'));
  const isLent = (source: string): boolean =>
    written.some((mount) => mount.startsWith(`${source} at /`)) && !isAllOfTheHost(source);
  for (const path of paths) {
    if (about.allowed.some((allowed) => covers(allowed, path))) continue;
    const folder = dirname(path);
    for (let above = folder; above !== '/';) {
      above = dirname(above);
      if (!isLent(above)) continue;
      throw new OperationalError(
        'HOST_PATH_REFUSED',
        `the image wants ${quote(path)} on the host, refusing: its container may write in ${quote(above)}, and could put a link in the place of ${quote(folder)}`,
        { hint: `allow it with '--allow-host-path ${path}'` },
      );
    }
  }
}
