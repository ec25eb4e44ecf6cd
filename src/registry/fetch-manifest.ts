import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { digestOf, type Digest } from '../oci/digest.js';
import { ACCEPTED_MANIFEST_TYPES, bareMediaType } from '../oci/media-types.js';
import { MAX_MANIFEST_BYTES } from '../oci/parse-manifest.js';
import { verifyBytes } from '../oci/verify-content.js';
import { HttpFailure } from './http-failure.js';
import { readBounded } from './read-bounded.js';
import type { RegistrySession } from './registry-session.js';
import { waitBeforeRetry } from './retry.js';
import { toUserError } from './to-user-error.js';

/** A manifest as a registry gave it. */
export interface FetchedManifest {
  readonly bytes: Buffer;
  readonly contentType: string | undefined;
  /** Computed from the bytes; the server's Docker-Content-Digest is not looked at (distribution-spec: it may lie). */
  readonly digest: Digest;
}

/**
 * Reads the manifest or index of a tag or digest (distribution-spec v1.1, "Pulling manifests").
 *
 * @throws {@link OperationalError} CONTENT_MISMATCH if it was asked for by digest and does not match; LIMIT_EXCEEDED;
 * REGISTRY_PROTOCOL for a web page; as {@link RegistrySession.get}
 */
export async function fetchManifest(
  session: RegistrySession,
  wanted: { readonly tag: string } | { readonly digest: Digest },
  signal: AbortSignal,
): Promise<FetchedManifest> {
  const { endpoint, retries } = session;
  const reference = 'digest' in wanted ? wanted.digest : wanted.tag;
  const separator = 'digest' in wanted ? '@' : ':';
  const image = quote(`${endpoint.repository}${separator}${reference}`);
  const doing = `cannot read the manifest of ${image}`;
  for (let attempt = 1; ; attempt++) {
    const response = await session.get({
      path: `/manifests/${reference}`,
      accept: ACCEPTED_MANIFEST_TYPES.join(', '),
      doing,
      signal,
      hints: { 404: `berth tags ${endpoint.registry}/${endpoint.repository} lists what there is` },
    });
    const contentType = response.headers['content-type'];
    const type = bareMediaType(contentType ?? '');
    const encoding = response.headers['content-encoding'] ?? 'identity';
    if (type === 'text/html' || encoding.toLowerCase() !== 'identity') {
      await response.body.discard();
      const got = type === 'text/html' ? 'a web page' : `content encoded as ${quote(encoding)}`;
      throw new OperationalError(
        'REGISTRY_PROTOCOL',
        `${doing}: ${quote(endpoint.registry)} answered with ${got} in place of a manifest`,
        { hint: 'is a proxy or a login page in between?' },
      );
    }
    try {
      const bytes = await readBounded(response.body, MAX_MANIFEST_BYTES);
      if (!('digest' in wanted)) return { bytes, contentType, digest: digestOf(bytes) };
      verifyBytes(bytes, wanted);
      return { bytes, contentType, digest: wanted.digest };
    } catch (error) {
      const again = error instanceof HttpFailure && error.retryable && attempt < retries.attempts;
      if (!again) throw toUserError(error, { endpoint, doing });
      await waitBeforeRetry(retries, { attempt, signal });
    }
  }
}
