import { realpath } from '../base/quick-files.js';
import { isErrno } from '../errors/is-errno.js';
import type { ImageIdentity } from '../transport/image-source.js';
import { PATH_TRANSPORTS } from './parse-policy.js';
import type { Requirements, TrustPolicy } from './policy.js';

/**
 * An image and the scopes of its transport with the links on their ways followed, where they are paths: images are compared as they
 * lie, and a rule for `/var/run/images` means what is in `/run/images`. Where two scopes come to the same place, both hold.
 */
export async function followLinks(
  policy: TrustPolicy,
  identity: ImageIdentity,
): Promise<{ readonly policy: TrustPolicy; readonly identity: ImageIdentity }> {
  const { transport, path } = identity;
  const scopes = policy.transports.get(transport);
  if (path === undefined || !PATH_TRANSPORTS.includes(transport)) return { policy, identity };
  const followed = new Map<string, Requirements>();
  for (const [scope, requirements] of scopes ?? []) {
    const real = scope === '' ? scope : await followScope(scope);
    followed.set(real, [...(followed.get(real) ?? []), ...requirements]);
  }
  const transports = new Map(policy.transports);
  if (scopes !== undefined) transports.set(transport, followed);
  return {
    policy: { ...policy, transports },
    identity: { ...identity, path: (await follow(path)) ?? path },
  };
}

/** `/DIR` or `/DIR:IMAGE`; one that is not there stays as it is. */
async function followScope(scope: string): Promise<string> {
  const real = await follow(scope);
  if (real !== undefined) return real;
  const colon = scope.indexOf(':');
  if (colon === -1) return scope;
  const folder = await follow(scope.slice(0, colon));
  return folder === undefined ? scope : folder + scope.slice(colon);
}

/** Undefined for what cannot be found: nothing can be read there either. */
async function follow(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG')) return undefined;
    throw error;
  }
}
