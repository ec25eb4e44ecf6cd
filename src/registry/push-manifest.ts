import { quote } from '../base/escape-text.js';
import { readReferrer } from '../oci/read-referrer.js';
import { addReferrer } from './add-referrer.js';
import { putManifest, type OutgoingManifest } from './put-manifest.js';
import type { RegistrySession } from './registry-session.js';

/**
 * Pushes a manifest or index under a tag or its digest. One that refers to another by its `subject` is found from there, whether the
 * registry keeps lists of referrers or not.
 *
 * @throws {@link OperationalError} as {@link putManifest} and {@link addReferrer}
 */
export async function pushManifest(
  session: RegistrySession,
  manifest: OutgoingManifest,
  options: { readonly reference: string; readonly signal: AbortSignal },
): Promise<void> {
  const { bytes, mediaType } = manifest;
  const { reference, signal } = options;
  const doing = `cannot push the manifest of ${quote(`${session.endpoint.repository}:${reference}`)}`;
  const headers = await putManifest(session, manifest, { reference, doing, signal });
  // The header says that the registry lists it itself.
  if (headers['oci-subject'] !== undefined) return;
  const referrer = readReferrer(bytes, { what: 'the manifest', mediaType });
  if (referrer !== undefined) await addReferrer(session, referrer, { doing, signal });
}
