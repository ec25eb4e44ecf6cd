import { parseContainerName } from '../../src/base/container-name.js';
import { OperationalError } from '../../src/errors/operational-error.js';
import type { CheckTmpfilesOptions } from '../../src/systemd/check-tmpfiles.js';
import { valuesOf } from './template-values.js';

/** How the tmpfiles of a container are checked in system mode, with a small policy for host paths. */
export function tmpfilesOptionsOf(
  name: string,
  allowed: readonly string[] = [],
  writable: readonly string[] = [],
): CheckTmpfilesOptions {
  return {
    name: parseContainerName(name),
    values: valuesOf({
      STATE_DIRECTORY: '/var/lib',
      RUN_DIRECTORY: '/run',
      CONF_DIRECTORY: '/etc',
      DESTDIR: `/var/lib/berth/${name}`,
      HOST_UID: '0',
      HOST_GID: '0',
    }),
    allowed,
    writable,
    isLinked: (path) => path === '/linked' || path.startsWith('/linked/'),
    assertAllowed: (path) => {
      if (
        /^\/(?:proc|sys|dev|usr|boot|root|home)(?:\/|$)|^\/etc\/(?:passwd|sudoers\.d|systemd|cron\.d)(?:\/|$)|^\/var\/lib\/dpkg|^\/$/.test(
          path,
        )
      ) {
        throw new OperationalError('HOST_PATH_REFUSED', `refusing ${path}`);
      }
    },
  };
}
