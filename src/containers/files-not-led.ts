import { OperationalError } from '../errors/operational-error.js';
import { loadDeployment } from './container-directory.js';
import type { DeployedFile } from './deployment.js';
import type { Host } from './host.js';
import { assertNotLedElsewhere, placeOf } from './led-elsewhere.js';
import { directoryOf, type Transition } from './transition.js';
import { hostPathPolicy } from './users-places.js';

/**
 * The files that a transition puts onto the host, without those that a link on their way leads into a guarded place: since it was
 * planned, or since the version that comes back was there, a container may have put one there. What keeps the host as it was goes on
 * without them, with a warning.
 *
 * @throws {@link OperationalError} HOST_PATH_REFUSED where nothing is lost by that
 */
export async function filesNotLed(
  host: Host,
  { name, from, to }: Transition,
  onLed: 'refuse' | 'warn',
): Promise<readonly DeployedFile[]> {
  const there = new Set(from?.files.map(({ path }) => path));
  const led = (to?.files ?? []).filter(
    ({ role, path }) =>
      role === 'host-file' && !there.has(path) && placeOf(host.paths, path) !== path,
  );
  const directory = directoryOf(name, to);
  if (to === undefined || directory === undefined || led.length === 0) return to?.files ?? [];
  const { allowedHostPaths } = await loadDeployment(host.paths, directory);
  const policy = hostPathPolicy(host.paths, { name, allowed: allowedHostPaths });
  const left = new Set<DeployedFile>();
  for (const file of led) {
    try {
      assertNotLedElsewhere(host.paths, file.path, policy);
    } catch (error) {
      if (onLed === 'refuse' || !(error instanceof OperationalError)) throw error;
      host.onEvent({ kind: 'warning', text: `${error.message}; it is left out` });
      left.add(file);
    }
  }
  return to.files.filter((file) => !left.has(file));
}
