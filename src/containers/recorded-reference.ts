import { OperationalError } from '../errors/operational-error.js';
import { effectiveTag, formatReference, parseReference } from '../oci/reference.js';
import { parseImageName, type ImageName } from '../transport/parse-image-name.js';

/**
 * What a deployment records of the name that somebody gave an image: what it meant, so that an update from another folder, under
 * another registries.conf, or by the timer asks for the same. A short name gets the registry that it was found in (never a mirror),
 * a path is absolute with its links as they were, and `http:` stays. What says no more than was given is left as it is.
 *
 * @param storeName As the store files the image: for an old record, what its short name or relative path led to
 */
export function recordedReference(given: string, storeName: string): string {
  try {
    const name = parseImageName(given, '/');
    if (name.kind === 'registry') return registryName(name, storeName) ?? given;
    // The engine and the repositories of OSTree take names alone, which mean the same everywhere.
    if (name.kind === 'docker-daemon' || name.kind === 'ostree') return given;
    return isSameButForPath(name, parseImageName(storeName, '/')) ? storeName : given;
  } catch (error) {
    // An old record, or one of the forerunner's, may have a name that is none here.
    if (error instanceof OperationalError) return given;
    throw error;
  }
}

function registryName(
  { reference, scheme }: Extract<ImageName, { readonly kind: 'registry' }>,
  storeName: string,
): string | undefined {
  const meant = parseReference(storeName);
  if (meant.registry === undefined) return undefined;
  // The store files by the digest where there is one; the tag beside it is for people, and for what follows tags.
  const text = formatReference({ ...meant, tag: effectiveTag(reference) });
  return scheme === undefined ? text : `${scheme}:${text}`;
}

/** A folder with a colon in its name cannot be named by its whole path: that would be read as another image. */
function isSameButForPath(one: ImageName, other: ImageName): boolean {
  const parts = (name: ImageName): string => JSON.stringify({ ...name, path: undefined });
  return parts(one) === parts(other);
}
