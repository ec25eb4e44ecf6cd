import { dirname } from 'node:path/posix';

import type { ContainerName } from '../base/container-name.js';
import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { OwnPlaces } from '../systemd/tmpfiles-places.js';
import type { UnitDocument } from '../systemd/unit-text.js';
import type { Values } from '../templates/values.js';
import { readDeployedUnit, resolveSpecifiers } from './activator-places.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import { assertHostPathAllowed, covers } from './host-path-policy.js';
import { assertInsideTree } from './inside-tree.js';
import { isThere } from './is-there.js';
import { assertNotLedElsewhere } from './led-elsewhere.js';
import { isAllOfTheHost } from './lent-folders.js';
import { assertTakesNothingLent } from './lent-reads.js';
import type { WrittenPath } from './service-places.js';
import { assertMountPoints } from './unit-mount-points.js';
import {
  assertUserCanMake,
  hostPathPolicy,
  usersOwnPaths,
  usersRuntimeFolder,
} from './users-places.js';

/** A unit whose paths are checked, and what is known of its container. */
export interface UnitPathsRequest {
  readonly name: ContainerName;
  readonly unit: string;
  readonly document: UnitDocument;
  readonly values: Values;
  readonly allowHostPaths: readonly string[];
  readonly installed: Deployment | undefined;
  /** Folders of the host that its container may write in. */
  readonly writable: readonly string[];
  /** What of a unit of this kind is checked. */
  readonly pathsOf: (document: UnitDocument) => readonly WrittenPath[];
}

/**
 * Checks what a unit makes, opens or removes on the host: systemd puts the file of a socket, as root, wherever its unit says, in the
 * place of what stands there, and the folders on its way. What is the container's own by its name (`/run/NAME.sock`,
 * `/run/NAME/…`) it may have; elsewhere nothing may stand there, and the policy for host paths has to let it. What is opened for the
 * container as it stands there is refused wherever it is, and so is a folder on the way that the container may put a link in place of.
 *
 * @throws {@link OperationalError} HOST_PATH_REFUSED, HOST_FILE_EXISTS; UNIT_INVALID where nobody can tell which path is meant
 */
export async function assertUnitPaths(host: Host, request: UnitPathsRequest): Promise<void> {
  const { name, unit, document, values, allowHostPaths, writable } = request;
  const allowed = [...allowHostPaths, ...usersOwnPaths(host.paths, name)];
  const policy = hostPathPolicy(host.paths, {
    name,
    allowed: [...allowed, ...usersRuntimeFolder(host.paths, name)],
  });
  const own = new OwnPlaces(name, values);
  const pidFile = values.get('PIDFILE');
  assertTakesNothingLent(host.paths, request);
  await assertMountPoints(host.paths, { unit, document, policy });
  for (const { key, written } of request.pathsOf(document)) {
    const path = resolveSpecifiers(host.paths, { unit, written });
    // Where berth or the administrator has it, for the runtime to write.
    if (key === 'PIDFile' && path === pidFile?.text && pidFile.source !== 'default') continue;
    // Everything there is kept from images but what has their name.
    if (!path.startsWith('/var/cache/') || !own.has(path)) assertHostPathAllowed(path, policy);
    assertNotLedElsewhere(host.paths, path, policy);
    const isAllowed = allowed.some((folder) => covers(folder, path));
    if (!isAllowed) assertNotTheContainers(path, { unit, key, writable });
    assertUserCanMake(host.paths, path, `${unit} makes`);
    await assertInsideTree(host.paths, path);
    const isFree =
      own.has(path) ||
      isAllowed ||
      !(await isThere(host.paths.onDisk(path))) ||
      (await wasMadeBefore(host, request, written));
    if (isFree) continue;
    throw new OperationalError(
      'HOST_FILE_EXISTS',
      `${unit} would take the place of ${quote(path)} (${key}=), which is there already`,
      { hint: `move it away, or allow it with '--allow-host-path ${path}'` },
    );
  }
}

/** What a container chooses itself is no place where systemd acts for it: it acts as root, and follows links on its way. */
function assertNotTheContainers(
  path: string,
  at: { readonly unit: string; readonly key: string; readonly writable: readonly string[] },
): void {
  const { unit, key, writable } = at;
  const hint = `allow it with '--allow-host-path ${path}'`;
  if (OPENS.has(key)) {
    throw new OperationalError(
      'HOST_PATH_REFUSED',
      `${unit} would have ${quote(path)} opened by root and given to the container (${key}=), whatever is there`,
      { hint },
    );
  }
  // Of what is opened to be written in, a link at the end is followed, too.
  const folder = STREAMS.has(key) ? path : dirname(path);
  const above = writable.find(
    (source) =>
      (folder !== source || STREAMS.has(key)) && covers(source, folder) && !isAllOfTheHost(source),
  );
  if (above === undefined) return;
  throw new OperationalError(
    'HOST_PATH_REFUSED',
    `${unit} would make ${quote(path)}, and the container may write in ${quote(above)}: it could put a link in the place of ${quote(folder)}`,
    { hint },
  );
}

const STREAMS: ReadonlySet<string> = new Set(['StandardOutput', 'StandardError']);

/** What is there already, devices among it, and is opened as it is. */
const OPENS: ReadonlySet<string> = new Set([
  ...['ListenSpecial', 'ListenUSBFunction'],
  ...['OpenFile', 'StandardInput'],
]);

/** The file of a socket stays when it is stopped, and so do folders: the unit as it is installed says whose it is. */
async function wasMadeBefore(
  host: Host,
  { installed, unit, pathsOf }: UnitPathsRequest,
  written: string,
): Promise<boolean> {
  if (installed?.units.includes(unit) !== true) return false;
  const document = await readDeployedUnit(
    host.paths,
    `${installed.name}.${installed.number}`,
    unit,
  );
  return document !== undefined && pathsOf(document).some((made) => made.written === written);
}
