import type { Descriptor } from './descriptor.js';
import { JsonFields } from './json-fields.js';
import {
  bareMediaType,
  isIndexType,
  isManifestType,
  isSchema1Type,
  OCI_INDEX,
  OCI_MANIFEST,
} from './media-types.js';
import { OperationalError } from '../errors/operational-error.js';
import { parseDescriptor } from './parse-descriptor.js';

/** Most descriptors of one document, as for images and indexes. */
const MAX_DESCRIPTORS = 4096;

/** What a manifest of any kind refers to: image, artifact, attestation, index. */
export interface ManifestReferences {
  readonly mediaType: string;
  /** Of an index: what it lists. */
  readonly manifests: readonly Descriptor[];
  /** Configuration and layers, whatever they hold. */
  readonly blobs: readonly Descriptor[];
}

/**
 * Lists what a manifest refers to, for copying it as it is: unlike `parseManifest` it does not ask what it is for.
 *
 * @throws {@link OperationalError} JSON_INVALID, MANIFEST_INVALID; MANIFEST_UNSUPPORTED for Docker's schema 1
 */
export function listReferences(
  bytes: Uint8Array,
  expected: { readonly what: string; readonly contentType?: string | undefined },
): ManifestReferences {
  const fields = JsonFields.parse(bytes, { what: expected.what, code: 'MANIFEST_INVALID' });
  const said = fields.optionalString('mediaType');
  const contentType = expected.contentType === undefined ? '' : bareMediaType(expected.contentType);
  if (fields.has('fsLayers') || [said ?? '', contentType].some(isSchema1Type)) {
    throw new OperationalError(
      'MANIFEST_UNSUPPORTED',
      `${expected.what} is of Docker's schema 1, which nothing can verify`,
    );
  }
  if (fields.count('schemaVersion') !== 2) fields.fail('schemaVersion', 'is not 2');
  const isIndex = fields.has('manifests');
  if (isIndex && (fields.has('layers') || fields.has('config'))) {
    fields.fail(
      '',
      "has both 'manifests' and 'layers' or 'config': refusing an ambiguous document",
    );
  }
  const claimed = isManifestType(contentType) || isIndexType(contentType) ? contentType : undefined;
  if (said !== undefined && claimed !== undefined && said !== claimed) {
    fields.fail('mediaType', 'is not what the server says');
  }
  const mediaType = said ?? claimed ?? (isIndex ? OCI_INDEX : OCI_MANIFEST);
  if (!(isIndex ? isIndexType(mediaType) : isManifestType(mediaType))) {
    fields.fail('mediaType', 'is not that of a manifest or index');
  }
  if (isIndex) {
    const manifests = fields.objects('manifests', MAX_DESCRIPTORS).map(parseDescriptor);
    return { mediaType, manifests, blobs: [] };
  }
  const config = parseDescriptor(fields.object('config'));
  const layers = fields.has('layers')
    ? fields.objects('layers', MAX_DESCRIPTORS).map(parseDescriptor)
    : [];
  return { mediaType, manifests: [], blobs: [config, ...layers] };
}
