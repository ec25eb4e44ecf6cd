import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from './descriptor.js';
import { digestAlgorithm, digestOf, parseDigest, type Digest } from './digest.js';
import type { JsonFields } from './json-fields.js';
import type { Platform } from './platform.js';

/** RFC 6838, section 4.2: type and subtype of at most 127 characters each. */
const MEDIA_TYPE = /^[A-Za-z0-9][\w!#$&^.+-]{0,126}\/[A-Za-z0-9][\w!#$&^.+-]{0,126}$/;

/** Parses a descriptor. Its `urls` are not read: nothing is ever fetched from where a manifest points to (CVE-2020-15157). */
export function parseDescriptor(fields: JsonFields): Descriptor {
  const mediaType = fields.string('mediaType');
  if (!MEDIA_TYPE.test(mediaType)) fields.fail('mediaType', 'is not a media type');
  const digest = parseDigestField(fields, 'digest');
  const size = fields.count('size');
  return {
    mediaType,
    digest,
    size,
    platform: parsePlatformField(fields),
    annotations: fields.stringMap('annotations'),
    artifactType: fields.optionalString('artifactType'),
    data: parseEmbedded(fields, digest, size),
  };
}

/** Reads a digest that must be there. */
export function parseDigestField(fields: JsonFields, key: string): Digest {
  const text = fields.string(key);
  try {
    return parseDigest(text);
  } catch (error) {
    if (error instanceof OperationalError) fields.fail(key, `is wrong: ${error.message}`);
    throw error;
  }
}

function parsePlatformField(fields: JsonFields): Platform | undefined {
  const platform = fields.optionalObject('platform');
  if (platform === undefined) return undefined;
  return {
    os: platform.string('os'),
    architecture: platform.string('architecture'),
    variant: platform.optionalString('variant'),
    osVersion: platform.optionalString('os.version'),
  };
}

/** Embedded content is used in place of a download, so it is held to the same promise (descriptor.md, "data"). */
function parseEmbedded(fields: JsonFields, digest: Digest, size: number): Uint8Array | undefined {
  const text = fields.optionalString('data');
  if (text === undefined) return undefined;
  const data = Buffer.from(text, 'base64');
  if (data.toString('base64') !== text) fields.fail('data', 'is not base64');
  if (data.length !== size || digestOf(data, digestAlgorithm(digest)) !== digest) {
    fields.fail('data', 'does not match digest and size');
  }
  return data;
}
