import type { BerthConf } from '../config/berth-conf.js';
import type { HostPaths } from '../config/host-paths.js';
import { assertInsideTree } from '../containers/inside-tree.js';
import { PolicyTrust, type ImageTrust } from '../trust/image-trust.js';
import type { PolicyTrustOptions } from '../trust/image-trust.js';
import type { PolicyPlace } from '../trust/load-policy.js';

/** Where the ecosystem's tools have their policy. */
const SYSTEM_POLICY = '/etc/containers/policy.json';

/**
 * Where the trust of a host is configured: as paths to open, below `--root` inside that tree.
 *
 * @throws OperationalError HOST_PATH_REFUSED if they lead out of the tree
 */
export async function trustPlaces(
  paths: HostPaths,
  conf: BerthConf,
): Promise<{ readonly policy: PolicyPlace; readonly registriesD: string }> {
  const { policy = SYSTEM_POLICY, 'registries-d': registriesD } = conf.trust;
  await assertInsideTree(paths, policy);
  await assertInsideTree(paths, registriesD);
  return {
    policy: { path: paths.onDisk(policy), isNamed: conf.trust.policy !== undefined },
    registriesD: paths.onDisk(registriesD),
  };
}

/** Makes what decides which images a host takes. Nothing is read yet. */
export async function openTrust({
  paths,
  conf,
  registryClient,
}: {
  readonly paths: HostPaths;
  readonly conf: BerthConf;
  readonly registryClient: PolicyTrustOptions['registryClient'];
}): Promise<ImageTrust> {
  return new PolicyTrust({
    ...(await trustPlaces(paths, conf)),
    registryClient,
    onDisk: (path) => paths.onDisk(path),
  });
}
