import { quote } from '../base/escape-text.js';
import type { HostPaths } from '../config/host-paths.js';
import { OperationalError } from '../errors/operational-error.js';
import { listAssignments, type UnitDocument } from '../systemd/unit-text.js';
import { resolveSpecifiers } from './activator-places.js';
import { findGuard, type HostPathPolicy } from './host-path-policy.js';
import { isThere } from './is-there.js';
import type { WrittenPath } from './service-places.js';

/**
 * Checks where a unit has something mounted in its own view of the host: systemd makes what is missing there on the host itself, as
 * root, and leaves it. Some guarded files, such as `/etc/nologin`, say something by being there.
 *
 * @throws {@link OperationalError} HOST_PATH_REFUSED; UNIT_INVALID where nobody can tell which path is meant
 */
export async function assertMountPoints(
  paths: HostPaths,
  request: {
    readonly unit: string;
    readonly document: UnitDocument;
    readonly policy: HostPathPolicy;
  },
): Promise<void> {
  const { unit, document, policy } = request;
  for (const { key, written } of mountPointsOf(document)) {
    const path = resolveSpecifiers(paths, { unit, written });
    const guard = findGuard(path, policy);
    if (guard === undefined || (await isThere(paths.onDisk(path)))) continue;
    throw new OperationalError(
      'HOST_PATH_REFUSED',
      `${unit} would have ${quote(path)} made on the host to mount something there (${key}=), refusing: ${guard.path} ${guard.why}`,
      { hint: `allow it with '--allow-host-path ${path}'` },
    );
  }
}

/** The part of a word that is the place, in the order of systemd.exec(5). */
const PLACES: Readonly<Partial<Record<string, number>>> = {
  BindPaths: 1,
  BindReadOnlyPaths: 1,
  MountImages: 1,
  TemporaryFileSystem: 0,
};

function mountPointsOf(document: UnitDocument): readonly WrittenPath[] {
  return listAssignments(document).flatMap(({ key, value }): readonly WrittenPath[] => {
    const part = PLACES[key];
    if (part === undefined) return [];
    return value.split(/\s+/).flatMap((word) => {
      const parts = word.replace(/^[-+]+/, '').split(':');
      const written = parts[part] ?? parts[0] ?? '';
      return /^[/%]|["'\\]/.test(written) ? [{ key, written }] : [];
    });
  });
}
