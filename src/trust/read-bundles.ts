import type { ErrorCode } from '../errors/catalogue.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import { listReferences } from '../oci/list-references.js';
import { readVerified } from '../oci/verify-content.js';
import type { ImageSource } from '../transport/image-source.js';
import { BUNDLE_TYPE } from './parse-bundle.js';
import { tooMany, unlessAway } from './read-failures.js';
import { MAX_SIGNATURES, MAX_SIGNATURE_BYTES, type UntrustedSignature } from './signature-blob.js';
import { SIGN_PREDICATE } from './statement-claim.js';

/** What an artifact without a type of its own is called by registries that take the type of its empty configuration for it. */
const EMPTY_TYPE = 'application/vnd.oci.empty.v1+json';

/** Where whoever attaches a bundle notes what its statement says (cosign's BUNDLE_SPEC, "Annotations"). */
const PREDICATE_ANNOTATION = 'dev.sigstore.bundle.predicateType';

/** What is wrong with one of them alone. */
const FOREIGN: readonly ErrorCode[] = ['MANIFEST_INVALID', 'MANIFEST_UNSUPPORTED', 'JSON_INVALID'];

/**
 * The bundles of sigstore's newer format that refer to a manifest in its registry (cosign's BUNDLE_SPEC, "Retrieval"). What is noted
 * beside them saves requests alone: what a bundle is it says by itself. One that cannot be understood is one of unknown kind, so that
 * it does not stand in the way of a good one.
 *
 * @throws OperationalError SIGNATURE_UNAVAILABLE, LIMIT_EXCEEDED, JSON_INVALID
 */
export async function readBundles(
  { source, digest }: { readonly source: ImageSource; readonly digest: Digest },
  signal: AbortSignal,
): Promise<readonly UntrustedSignature[]> {
  if (source.listReferrers === undefined) return [];
  return await unlessAway(source.name, async () => {
    const referrers = (await source.listReferrers?.(digest, { signal })) ?? [];
    const candidates = referrers.filter(mayBeSignature);
    if (candidates.length > MAX_SIGNATURES) throw tooMany(source.name);
    const found: UntrustedSignature[] = [];
    for (const candidate of candidates) {
      const name = `bundle ${found.length + 1}`;
      const one = await readReferrer(source, { candidate, name }, signal);
      if (one !== undefined) found.push(one);
    }
    return found;
  });
}

function mayBeSignature({ artifactType = EMPTY_TYPE, annotations }: Descriptor): boolean {
  const predicate = annotations?.[PREDICATE_ANNOTATION] ?? SIGN_PREDICATE;
  return (
    (artifactType === EMPTY_TYPE || BUNDLE_TYPE.test(artifactType)) && predicate === SIGN_PREDICATE
  );
}

/** Gives undefined for what is no bundle, or has gone since it was listed. */
async function readReferrer(
  source: ImageSource,
  { candidate, name }: { readonly candidate: Descriptor; readonly name: string },
  signal: AbortSignal,
): Promise<UntrustedSignature | undefined> {
  if (candidate.size > MAX_SIGNATURE_BYTES) return { kind: 'unknown', name };
  let layer: Descriptor | undefined;
  try {
    const { bytes } = await source.readManifest(candidate.digest, { signal });
    const { blobs } = listReferences(bytes, { what: 'what refers to it' });
    layer = blobs.find(({ mediaType }) => BUNDLE_TYPE.test(mediaType));
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
    if (error.code === 'REGISTRY_NOT_FOUND') return undefined;
    if (FOREIGN.includes(error.code)) return { kind: 'unknown', name };
    throw error;
  }
  if (layer === undefined) return undefined;
  if (layer.size > MAX_SIGNATURE_BYTES) return { kind: 'unknown', name };
  if (layer.data !== undefined) return { kind: 'bundle', bundle: Buffer.from(layer.data), name };
  await using blob = await source.openBlob(layer, { signal });
  return { kind: 'bundle', bundle: Buffer.from(await readVerified(blob, layer)), name };
}
