import { OperationalError } from '../errors/operational-error.js';
import { parseStrictJson, type JsonObject } from '../base/strict-json.js';
import { digestOf } from '../oci/digest.js';
import { listReferences } from '../oci/list-references.js';
import { ACCEPTED_MANIFEST_TYPES, OCI_INDEX } from '../oci/media-types.js';
import { MAX_MANIFEST_BYTES } from '../oci/parse-manifest.js';
import type { Referrer } from '../oci/read-referrer.js';
import { MAX_REFERRERS, referrersTag } from './list-referrers.js';
import { putManifest } from './put-manifest.js';
import { readBounded } from './read-bounded.js';
import type { RegistrySession } from './registry-session.js';

/**
 * Has a registry that keeps no list of referrers find this one all the same: the list is an index under a tag made of the subject's
 * digest, kept by those who push (distribution-spec v1.1, "Pushing Manifests with Subject"). Two who push at the same time may
 * lose one of their entries; the specification has nothing against that.
 *
 * @throws {@link OperationalError} LIMIT_EXCEEDED, MANIFEST_INVALID if something else stands under the tag; as
 * {@link RegistrySession.get}
 */
export async function addReferrer(
  session: RegistrySession,
  { subject, entry }: Referrer,
  { doing, signal }: { readonly doing: string; readonly signal: AbortSignal },
): Promise<void> {
  const tag = referrersTag(subject.digest);
  const response = await session.get({
    path: `/manifests/${tag}`,
    // Registries answer 404 for what stands there and is of none of these: it must be seen, not replaced.
    accept: ACCEPTED_MANIFEST_TYPES.join(', '),
    doing,
    signal,
    ok: [200, 404],
  });
  let index: JsonObject = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] };
  if (response.status === 404) {
    await response.body.discard();
  } else {
    const what = `the list of referrers of ${subject.digest}`;
    const bytes = await readBounded(response.body, MAX_MANIFEST_BYTES);
    const { manifests, mediaType } = listReferences(bytes, { what });
    if (mediaType !== OCI_INDEX) {
      throw new OperationalError('MANIFEST_INVALID', `${what} is not an OCI index`);
    }
    if (manifests.some(({ digest }) => digest === entry['digest'])) return;
    if (manifests.length >= MAX_REFERRERS) {
      throw new OperationalError('LIMIT_EXCEEDED', `${doing}: ${what} is full`);
    }
    index = parseStrictJson(bytes, { what }) as JsonObject;
  }
  const listed = index['manifests'] as readonly unknown[];
  const bytes = Buffer.from(JSON.stringify({ ...index, manifests: [...listed, entry] }));
  const list = { bytes, mediaType: OCI_INDEX, digest: digestOf(bytes) };
  await putManifest(session, list, { reference: tag, doing, signal });
}
