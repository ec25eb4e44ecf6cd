import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { quote } from '../base/escape-text.js';
import type { BerthConf } from '../config/berth-conf.js';
import { CONF_KEYS } from '../config/conf-keys.js';
import type { HostPaths } from '../config/host-paths.js';
import { assertInsideTree } from '../containers/inside-tree.js';
import { OperationalError } from '../errors/operational-error.js';
import { PolicyTrust, type ImageTrust } from '../trust/image-trust.js';
import type { PolicyTrustOptions } from '../trust/image-trust.js';
import type { PolicyPlace } from '../trust/load-policy.js';
import { findScopeFault } from '../trust/parse-policy.js';

/** Where the ecosystem's tools have their policy. */
const SYSTEM_POLICY = '/etc/containers/policy.json';

/**
 * Where the trust of a host is configured: as paths to open, below `--root` inside that tree. A user's own files are in
 * `~/.config/containers`; where there are none, the system's count. To be changed, the policy is always the user's own,
 * which begins as the system's (`inherited`).
 *
 * @throws OperationalError HOST_PATH_REFUSED if they lead out of the tree
 */
export async function trustPlaces(
  paths: HostPaths,
  conf: BerthConf,
  { forChange = false }: { readonly forChange?: boolean } = {},
): Promise<{
  readonly policy: PolicyPlace;
  readonly registriesD: string;
  readonly lookaside: string | undefined;
  readonly inherited: PolicyPlace | undefined;
}> {
  const own = conf.trust.policy === undefined ? usersFile(paths, 'policy.json') : undefined;
  const chosen = own !== undefined && (forChange || existsSync(own)) ? own : SYSTEM_POLICY;
  const { policy = chosen } = conf.trust;
  const registriesD = findRegistriesD(paths, { conf, forChange });
  await assertInsideTree(paths, policy);
  await assertInsideTree(paths, registriesD);
  return {
    policy: { path: paths.onDisk(policy), isNamed: conf.trust.policy !== undefined },
    registriesD: paths.onDisk(registriesD),
    lookaside: usersLookaside(paths),
    inherited: forChange && own !== undefined ? { path: SYSTEM_POLICY, isNamed: false } : undefined,
  };
}

function findRegistriesD(
  paths: HostPaths,
  { conf, forChange }: { readonly conf: BerthConf; readonly forChange: boolean },
): string {
  const { 'registries-d': configured } = conf.trust;
  const own =
    configured === CONF_KEYS.trust['registries-d'].otherwise
      ? usersFile(paths, 'registries.d')
      : undefined;
  return own !== undefined && (forChange || existsSync(own)) ? own : configured;
}

/** Where podman and skopeo have signatures for an ordinary user; undefined where the system's place counts. */
function usersLookaside({ userEnvironment }: HostPaths): string | undefined {
  const { HOME: home } = userEnvironment;
  if (home === undefined) return undefined;
  return pathToFileURL(join(home, '.local/share/containers/sigstore')).href;
}

function usersFile({ userEnvironment }: HostPaths, name: string): string | undefined {
  const { XDG_CONFIG_HOME: folder } = userEnvironment;
  return folder === undefined ? undefined : join(folder, 'containers', name);
}

/**
 * A path that a policy or registries.d names, as a path to open.
 *
 * @throws OperationalError HOST_PATH_REFUSED if it leads out of the tree of `--root`
 */
export async function pathInTree(paths: HostPaths, path: string): Promise<string> {
  await assertInsideTree(paths, path);
  return paths.onDisk(path);
}

/**
 * The scopes whose images may be signed by their digest alone.
 *
 * @throws OperationalError CONFIG_INVALID for one that can never fit an image
 */
function readScopes({ trust }: BerthConf): readonly string[] {
  return trust['unnamed-signatures'].map((scope) => {
    const why = findScopeFault('docker', scope);
    if (why === undefined) return scope;
    throw new OperationalError(
      'CONFIG_INVALID',
      `berth.conf: trust.unnamed-signatures: ${quote(scope)} ${why}`,
    );
  });
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
  const { policy, registriesD, lookaside } = await trustPlaces(paths, conf);
  return new PolicyTrust({
    policy,
    registriesD,
    lookaside,
    unnamed: readScopes(conf),
    registryClient,
    onDisk: (path) => pathInTree(paths, path),
  });
}
