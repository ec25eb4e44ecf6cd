import type { Descriptor } from './descriptor.js';
import { digestOf } from './digest.js';
import { JsonFields } from './json-fields.js';
import { parseDescriptor } from './parse-descriptor.js';

/** A document that refers to another one by its `subject`. */
export interface Referrer {
  readonly subject: Descriptor;
  /** What a list of referrers says of it (distribution-spec v1.1, "Pushing Manifests with Subject"). */
  readonly entry: Readonly<Record<string, unknown>>;
}

/**
 * Reads what a list of referrers needs of a manifest or index; undefined if it has no subject.
 *
 * @throws `OperationalError` JSON_INVALID, MANIFEST_INVALID
 */
export function readReferrer(
  bytes: Uint8Array,
  { what, mediaType }: { readonly what: string; readonly mediaType: string },
): Referrer | undefined {
  const fields = JsonFields.parse(bytes, { what, code: 'MANIFEST_INVALID' });
  const subject = fields.optionalObject('subject');
  if (subject === undefined) return undefined;
  const config = fields.optionalObject('config')?.string('mediaType');
  const artifactType = fields.optionalString('artifactType') ?? config;
  const entry = {
    mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
    ...(artifactType === undefined || artifactType === '' ? {} : { artifactType }),
    ...(fields.has('annotations') ? { annotations: fields.stringMap('annotations') } : {}),
  };
  return { subject: parseDescriptor(subject), entry };
}
