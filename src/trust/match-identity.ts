import { OperationalError } from '../errors/operational-error.js';
import {
  DOCKER_HUB,
  formatReference,
  formatRepository,
  parseReference,
  qualifyReference,
  type QualifiedReference,
} from '../oci/reference.js';
import type { SignedIdentity } from './policy.js';

/**
 * Whether the name in a signature is the one that a requirement asks for (containers-policy.json(5), "signedIdentity").
 *
 * @param signed The name as it stands in the signature
 * @param image What the image is called; undefined where its transport knows no names: then only the exact ones can fit
 */
export function matchesIdentity(
  requirement: SignedIdentity,
  signed: string,
  image: QualifiedReference | undefined,
): boolean {
  const name = parseName(signed);
  if (name === undefined) return false;
  switch (requirement.type) {
    case 'exactReference':
      return !isBare(name) && same(name, requirement.reference);
    case 'exactRepository':
      return sameRepository(name, requirement.repository);
    default:
  }
  if (image === undefined) return false;
  switch (requirement.type) {
    case 'matchExact':
      return !isBare(name) && !isBare(image) && same(name, image);
    case 'matchRepository':
      return sameRepository(name, image);
    case 'matchRepoDigestOrExact':
      return matchesDigestOrExact(name, image);
    case 'remapIdentity': {
      const remapped = remap(requirement, image);
      return remapped !== undefined && matchesDigestOrExact(name, remapped);
    }
  }
}

/** A tag has to be the very one; where the image is asked for by digest, any tag of its repository will do. */
function matchesDigestOrExact(signed: QualifiedReference, image: QualifiedReference): boolean {
  if (isBare(signed)) return false;
  if (image.tag !== undefined) return same(signed, image);
  return image.digest !== undefined && sameRepository(signed, image);
}

function remap(
  { prefix, signedPrefix }: { readonly prefix: string; readonly signedPrefix: string },
  image: QualifiedReference,
): QualifiedReference | undefined {
  const name = formatRepository(image);
  if (name !== prefix && !name.startsWith(`${prefix}/`)) return image;
  const text = signedPrefix + formatReference(image).slice(prefix.length);
  const remapped = parseName(text);
  // As podman has it, the prefixes are of names in full: `docker.io/etcd` is none, and means nobody's library/etcd.
  return remapped !== undefined && formatReference(remapped) === text ? remapped : undefined;
}

function parseName(text: string): QualifiedReference | undefined {
  try {
    return qualifyReference(parseReference(text), DOCKER_HUB);
  } catch (error) {
    if (error instanceof OperationalError) return undefined;
    throw error;
  }
}

function isBare({ tag, digest }: QualifiedReference): boolean {
  return tag === undefined && digest === undefined;
}

function same(a: QualifiedReference, b: QualifiedReference): boolean {
  return formatReference(a) === formatReference(b);
}

function sameRepository(a: QualifiedReference, b: QualifiedReference): boolean {
  return formatRepository(a) === formatRepository(b);
}
