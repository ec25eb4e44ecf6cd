import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Digest } from '../oci/digest.js';
import type { HttpResponse } from './http.js';
import type { RegistrySession } from './registry-session.js';

/** A manifest or index as it is pushed. */
export interface OutgoingManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly digest: Digest;
}

/**
 * Puts a manifest or index under a tag or its digest (distribution-spec v1.1, "Pushing manifests"). Gives the headers of the answer.
 *
 * @throws {@link OperationalError} REGISTRY_PROTOCOL if the registry keeps something else than it was given; as
 * {@link RegistrySession.get}
 */
export async function putManifest(
  session: RegistrySession,
  { bytes, mediaType, digest }: OutgoingManifest,
  options: { readonly reference: string; readonly doing: string; readonly signal: AbortSignal },
): Promise<HttpResponse['headers']> {
  const { doing, signal } = options;
  const response = await session.get({
    method: 'PUT',
    path: `/manifests/${options.reference}`,
    accept: '*/*',
    headers: { 'content-type': mediaType, 'content-length': String(bytes.length) },
    body: () => bytes,
    ok: [200, 201, 202, 204],
    doing,
    signal,
  });
  await response.body.discard();
  const kept = response.headers['docker-content-digest'];
  // Named by another algorithm: nothing to compare.
  const isComparable = kept?.startsWith('sha256:') === true && digest.startsWith('sha256:');
  if (!isComparable || kept === digest) return response.headers;
  throw new OperationalError(
    'REGISTRY_PROTOCOL',
    `${doing}: ${quote(session.endpoint.registry)} keeps it as ${quote(kept)}, expected ${digest}`,
  );
}
