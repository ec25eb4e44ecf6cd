import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Digest } from '../oci/digest.js';
import type { RegistrySession } from './registry-session.js';

/**
 * Pushes a manifest or index under a tag or its digest (distribution-spec v1.1, "Pushing manifests").
 *
 * @throws {@link OperationalError} REGISTRY_PROTOCOL if the registry keeps something else than it was given; as
 * {@link RegistrySession.get}
 */
export async function pushManifest(
  session: RegistrySession,
  manifest: { readonly bytes: Uint8Array; readonly mediaType: string; readonly digest: Digest },
  options: { readonly reference: string; readonly signal: AbortSignal },
): Promise<void> {
  const { bytes, mediaType, digest } = manifest;
  const { endpoint } = session;
  const doing = `cannot push the manifest of ${quote(`${endpoint.repository}:${options.reference}`)}`;
  const response = await session.get({
    method: 'PUT',
    path: `/manifests/${options.reference}`,
    accept: '*/*',
    headers: { 'content-type': mediaType, 'content-length': String(bytes.length) },
    body: () => bytes,
    ok: [200, 201, 202, 204],
    doing,
    signal: options.signal,
  });
  await response.body.discard();
  const kept = response.headers['docker-content-digest'];
  if (kept === undefined || kept === digest || !kept.startsWith('sha256:')) return;
  if (!digest.startsWith('sha256:')) return; // named by another algorithm: nothing to compare
  throw new OperationalError(
    'REGISTRY_PROTOCOL',
    `${doing}: ${quote(endpoint.registry)} keeps it as ${quote(kept)}, expected ${digest}`,
  );
}
