import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Digest } from '../oci/digest.js';
import { listReferences } from '../oci/list-references.js';
import { isIndexType } from '../oci/media-types.js';
import { formatReference, type QualifiedReference } from '../oci/reference.js';
import type { ImageSource, ManifestDocument } from '../transport/image-source.js';
import { CLAIM_TYPES } from './signature-claim.js';

/** Deepest nesting of indexes, and most manifests that are signed at once, as for copying. */
const MAX_INDEX_DEPTH = 6;
const MAX_MANIFESTS = 1024;

/** Signs and files what it has signed. */
export interface ImageSigner {
  /** Which document of {@link CLAIM_TYPES} it signs. */
  readonly type: keyof typeof CLAIM_TYPES;
  /** Gives where the signature is. */
  sign(digest: Digest, document: string): Promise<string>;
}

/** What {@link signImage} takes. */
export interface SignOptions {
  readonly signer: ImageSigner;
  /** Who made the signatures: `berth 1.0`. */
  readonly creator: string;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/** A signature that was made. */
export interface MadeSignature {
  readonly digest: Digest;
  /** The file that it is in, or the tag. */
  readonly path: string;
}

/**
 * What a name of a registry is called there.
 *
 * @throws OperationalError USAGE for what is no image of a registry
 */
export function signedReference(source: ImageSource): QualifiedReference {
  const { reference, transport } = source.identity;
  if (transport === 'docker' && reference !== undefined) return reference;
  throw new OperationalError(
    'USAGE',
    `${quote(source.name)} is no image of a registry: only those are signed`,
  );
}

/**
 * Signs what a name of a registry means now: the manifest, or the index and all that it lists, indexes in it with what they list.
 *
 * @throws OperationalError USAGE; PROGRAM_FAILED; LIMIT_EXCEEDED; MANIFEST_INVALID; what the registry gives rise to
 */
export async function signImage(
  source: ImageSource,
  { signer, creator, nowMs, signal }: SignOptions,
): Promise<readonly MadeSignature[]> {
  const reference = signedReference(source);
  const made: MadeSignature[] = [];
  for (const digest of await listDigests(source, signal)) {
    const document = JSON.stringify({
      critical: {
        identity: { 'docker-reference': formatReference(reference) },
        image: { 'docker-manifest-digest': digest },
        type: CLAIM_TYPES[signer.type],
      },
      optional: { creator, timestamp: Math.floor(nowMs / 1000) },
    });
    made.push({ digest, path: await signer.sign(digest, document) });
  }
  return made;
}

/** Of all documents that the name leads to, each once: first an index, then what it lists. */
async function listDigests(source: ImageSource, signal: AbortSignal): Promise<ReadonlySet<Digest>> {
  const found = new Set<Digest>();
  const what = `the manifest of ${quote(source.name)}`;
  const invalid = (why: string): OperationalError =>
    new OperationalError('MANIFEST_INVALID', `${what} ${why}`);
  const add = async (document: ManifestDocument, depth: number): Promise<void> => {
    if (depth > MAX_INDEX_DEPTH)
      throw invalid(`nests indexes deeper than ${MAX_INDEX_DEPTH} levels`);
    found.add(document.digest);
    const contentType = document.mediaType;
    const { manifests } = listReferences(document.bytes, { what, contentType });
    for (const { digest, mediaType } of manifests) {
      if (found.has(digest)) continue;
      if (isIndexType(mediaType)) {
        const index = await source.readManifest(digest, { signal });
        await add({ ...index, mediaType: index.mediaType ?? mediaType }, depth + 1);
      }
      found.add(digest);
      if (found.size > MAX_MANIFESTS)
        throw invalid(`leads to more than ${MAX_MANIFESTS} manifests`);
    }
  };
  await add(await source.readManifest(undefined, { signal }), 0);
  return found;
}
