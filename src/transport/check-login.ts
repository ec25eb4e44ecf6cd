import { parseReference } from '../oci/reference.js';
import { findMeanings } from './open-image-source.js';
import type { TransportContext } from './transport-context.js';

/**
 * Asks a registry whether it takes the credentials that the client has for it.
 *
 * @throws {@link OperationalError} REGISTRY_UNAUTHORIZED if it does not; what keeps it from being asked
 */
export async function checkLogin(
  registry: string,
  context: TransportContext,
  signal: AbortSignal,
): Promise<void> {
  // A repository is needed to find what registries.conf says of the registry; none is asked for.
  const reference = parseReference(`${registry}/login`);
  const [meaning] = findMeanings({ kind: 'registry', reference, scheme: undefined }, context);
  const endpoint = meaning?.endpoints.at(-1);
  if (endpoint === undefined) throw new Error('internal error: a registry without a place');
  const session = context.registryClient.session({ ...endpoint, repository: '' });
  const doing = `cannot log in to '${registry}'`;
  const response = await session.get({ path: '', accept: '*/*', doing, signal });
  await response.body.discard();
}
