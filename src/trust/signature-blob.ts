import { OperationalError } from '../errors/operational-error.js';
import { parseStrictJson, type JsonObject } from '../base/strict-json.js';

/** Largest signature in bytes: one has some 1.5 KiB. */
export const MAX_SIGNATURE_BYTES = 64 * 1024;

/** Most signatures of one manifest: containers/image stops at the same number (CVE-2024-29903 had no limit). */
export const MAX_SIGNATURES = 128;

/** A signature as it came: nothing in it is believed. */
export type UntrustedSignature =
  | {
      /** An OpenPGP message with the document in it. */
      readonly kind: 'simple';
      readonly blob: Buffer;
      /** For messages: where it was found. */
      readonly name: string;
    }
  | {
      readonly kind: 'sigstore';
      readonly payload: Buffer;
      readonly annotations: Readonly<Record<string, string>>;
      readonly name: string;
    }
  | {
      /** A bundle of sigstore's newer format, in JSON. */
      readonly kind: 'bundle';
      readonly bundle: Buffer;
      readonly name: string;
    }
  | { readonly kind: 'unknown'; readonly name: string };

/** The media type of the document that a sigstore signature signs. */
export const SIGSTORE_PAYLOAD = 'application/vnd.dev.cosign.simplesigning.v1+json';

/** What stands at the beginning of a sigstore signature that is kept in a file, as containers/image writes it. */
const SIGSTORE_FILE = Buffer.from('\0sigstore-json\n', 'latin1');

/** Sorts a file of a place for signatures. An OpenPGP message that is not text has its first bit set (RFC 4880, section 4.2). */
export function sortSignature(blob: Buffer, name: string): UntrustedSignature {
  if (blob.length > 0 && ((blob[0] ?? 0) & 0x80) !== 0) return { kind: 'simple', blob, name };
  if (!blob.subarray(0, SIGSTORE_FILE.length).equals(SIGSTORE_FILE))
    return { kind: 'unknown', name };
  try {
    return parseSigstoreFile(blob.subarray(SIGSTORE_FILE.length), name);
  } catch (error) {
    if (error instanceof OperationalError) return { kind: 'unknown', name };
    throw error;
  }
}

function parseSigstoreFile(json: Buffer, name: string): UntrustedSignature {
  const top = parseStrictJson(json, { what: name, maxDepth: 4, maxValues: 1000 });
  if (typeof top !== 'object' || top === null || Array.isArray(top))
    return { kind: 'unknown', name };
  const { mimeType, payload, annotations = {} } = top as JsonObject;
  const texts = Object.entries((annotations ?? {}) as JsonObject);
  if (mimeType !== SIGSTORE_PAYLOAD || typeof payload !== 'string')
    return { kind: 'unknown', name };
  return {
    kind: 'sigstore',
    payload: Buffer.from(payload, 'base64'),
    annotations: Object.fromEntries(
      texts.flatMap(([key, value]) => (typeof value === 'string' ? [[key, value]] : [])),
    ),
    name,
  };
}
