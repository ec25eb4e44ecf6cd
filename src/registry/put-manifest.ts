import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Digest } from '../oci/digest.js';
import type { HttpResponse } from './http.js';
import type { RegistrySession } from './registry-session.js';
import { RegistryResponseError } from './response-error.js';
import { waitBeforeRetry } from './retry.js';

/** A manifest or index as it is pushed. */
export interface OutgoingManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly digest: Digest;
}

/**
 * Puts a manifest or index under a tag or its digest (distribution-spec v1.1, "Pushing manifests"). Gives the headers of the answer.
 * Who calls it has pushed what it lists: a registry that does not find that yet is asked again a few times.
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
  const response = await putPatiently(session, {
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

/** Most tries while a registry does not find a blob that was pushed. */
const MAX_TRIES = 4;

/**
 * Where somebody else pushes the same blob at the same moment, docker-registry's files of it are for an instant those of neither: it
 * answers 400 to a manifest whose blobs it has.
 */
async function putPatiently(
  session: RegistrySession,
  request: Parameters<RegistrySession['get']>[0],
): Promise<HttpResponse> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await session.get(request);
    } catch (error) {
      if (attempt === MAX_TRIES || !missesBlob(error)) throw error;
      await waitBeforeRetry(session.retries, { attempt, signal: request.signal });
    }
  }
}

function missesBlob(error: unknown): boolean {
  return (
    error instanceof RegistryResponseError &&
    [400, 404].includes(error.status) &&
    error.diagnostics.some((words) => words.startsWith('MANIFEST_BLOB_UNKNOWN'))
  );
}
