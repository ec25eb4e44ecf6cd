import { OperationalError } from '../../errors/operational-error.js';
import { digestHex, type Digest } from '../../oci/digest.js';
import {
  DOCKER_HUB,
  effectiveTag,
  formatReference,
  parseReference,
  qualifyReference,
} from '../../oci/reference.js';

/*
 * Refs below `ociimage/`, as atomic 1.22 and the `ostree:` transport of containers/image wrote them:
 *
 *   ociimage/HEX                  a blob by the hexadecimal part of its digest: a layer or a configuration, and with berth also an image
 *   ociimage/taken-over/HEX       a layer that berth took over from another repository, by its diff id: nobody hashed its archive,
 *                                 so that the number may be that of any other blob
 *   ociimage/ENCODED              an image by name; `docker.io/library/etcd:3` is `docker.io_2Flibrary_2Fetcd_3A3`
 *
 * Everything but letters, digits, `.` and `-` becomes `_XX`, the two hexadecimal digits of the byte in capitals. A name of
 * 64 hexadecimal digits cannot be taken for a blob: it has a tag behind it, and so a `_3A`.
 */

/** What all refs of images begin with. */
export const IMAGE_REFS = 'ociimage';

const TAKEN_OVER = `${IMAGE_REFS}/taken-over/`;
const BLOB = /^(?:[0-9a-f]{64}|[0-9a-f]{128})$/;
const ENCODED = /^(?:[A-Za-z0-9.-]|_[0-9A-Fa-f]{2})+$/;

/** What a ref below {@link IMAGE_REFS} stands for. */
export type ImageRef =
  | { readonly kind: 'blob' | 'taken-over'; readonly hex: string }
  | { readonly kind: 'name'; readonly name: string };

/** The ref of a blob. */
export function blobRef(digest: Digest): string {
  return `${IMAGE_REFS}/${digestHex(digest)}`;
}

/** The ref of a layer that was taken over. */
export function takenOverRef(diffId: Digest): string {
  return `${TAKEN_OVER}${digestHex(diffId)}`;
}

/** The ref of an image's name. */
export function nameRef(name: string): string {
  return `${IMAGE_REFS}/${encodeName(name)}`;
}

/** What a ref says; undefined for one that neither tool wrote. */
export function parseImageRef(ref: string): ImageRef | undefined {
  if (!ref.startsWith(`${IMAGE_REFS}/`)) return undefined;
  const text = ref.slice(IMAGE_REFS.length + 1);
  if (BLOB.test(text)) return { kind: 'blob', hex: text };
  const hex = ref.startsWith(TAKEN_OVER) ? ref.slice(TAKEN_OVER.length) : '';
  if (BLOB.test(hex)) return { kind: 'taken-over', hex };
  const decoded = ENCODED.test(text) ? decodeName(text) : undefined;
  return decoded === undefined ? undefined : { kind: 'name', name: decoded };
}

/** `_XX` for every byte of the name but letters, digits, `.` and `-`. */
export function encodeName(name: string): string {
  let encoded = '';
  for (const byte of Buffer.from(name, 'utf8')) {
    const character = String.fromCharCode(byte);
    encoded += /[A-Za-z0-9.-]/.test(character)
      ? character
      : `_${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

/** The inverse of {@link encodeName}; undefined where the bytes are no text. */
export function decodeName(encoded: string): string | undefined {
  const bytes = Buffer.from(
    encoded.replace(/_([0-9A-Fa-f]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    ),
    'latin1',
  );
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : undefined;
}

/**
 * A name in full: the other tools wrote it as it was typed, `etcd`, where it means `docker.io/library/etcd:latest`. What is no
 * reference stays as it is.
 */
export function fullName(name: string): string {
  try {
    const reference = qualifyReference(parseReference(name), DOCKER_HUB);
    return formatReference({ ...reference, tag: effectiveTag(reference) });
  } catch (error) {
    if (error instanceof OperationalError) return name;
    throw error;
  }
}
