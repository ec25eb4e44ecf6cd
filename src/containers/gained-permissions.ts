import type { DeployedPermissions, Deployment } from './deployment.js';

/** What another version may do that the one before may not, in a person's words: `capability CAP_NET_ADMIN`. */
export function gainedPermissions(before: Deployment, after: Deployment): readonly string[] {
  const gained = KINDS.flatMap(([what, list]) => {
    const had = new Set(list(before.permissions));
    return list(after.permissions)
      .filter((item) => !had.has(item))
      .map((item) => `${what} ${item}`);
  });
  const { user } = after.permissions;
  return user === before.permissions.user ? gained : [...gained, `runs as ${user}`];
}

const KINDS: readonly (readonly [string, (of: DeployedPermissions) => readonly string[]])[] = [
  ['capability', ({ capabilities }) => capabilities],
  ['mount', ({ hostMounts }) => hostMounts],
  ['namespace of the host:', ({ sharedNamespaces }) => sharedNamespaces],
  ['device', ({ devices }) => devices],
  ['file on the host', ({ hostPaths }) => hostPaths],
];
