import type { BerthConf } from '../config/berth-conf.js';
import type { HostPaths } from '../config/host-paths.js';
import { PolicyTrust, type ImageTrust } from '../trust/image-trust.js';
import type { PolicyTrustOptions } from '../trust/image-trust.js';
import type { PolicyPlace } from '../trust/load-policy.js';

/** Where the ecosystem's tools have their policy. */
const SYSTEM_POLICY = '/etc/containers/policy.json';

/** Where the policy of a host is: as a path to open, below `--root` inside that tree. */
export function policyPlace(paths: HostPaths, conf: BerthConf): PolicyPlace {
  const { policy } = conf.trust;
  return { path: paths.onDisk(policy ?? SYSTEM_POLICY), isNamed: policy !== undefined };
}

/** Where registries.d of a host is. */
export function registriesDPlace(paths: HostPaths, conf: BerthConf): string {
  return paths.onDisk(conf.trust['registries-d']);
}

/** Makes what decides which images a host takes. Nothing is read yet. */
export function openTrust({
  paths,
  conf,
  registryClient,
}: {
  readonly paths: HostPaths;
  readonly conf: BerthConf;
  readonly registryClient: PolicyTrustOptions['registryClient'];
}): ImageTrust {
  return new PolicyTrust({
    policy: policyPlace(paths, conf),
    registriesD: registriesDPlace(paths, conf),
    registryClient,
    onDisk: (path) => paths.onDisk(path),
  });
}
