import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { BlobOrigin, ImageDestination } from './image-destination.js';
import { findMeanings } from './open-image-source.js';
import type { ResolvedReference } from '../registry/resolve-endpoints.js';
import type { TransportContext } from './transport-context.js';
import { parseImageName, type RegistryName } from './parse-image-name.js';

/**
 * Opens what a user names as the place for an image (see {@link parseImageName}); nothing is written yet.
 *
 * @throws {@link OperationalError} REFERENCE_INVALID, TRANSPORT_UNKNOWN, REGISTRY_BLOCKED
 */
export async function openImageDestination(
  text: string,
  context: TransportContext,
  options: { readonly signal: AbortSignal; readonly from: BlobOrigin | undefined },
): Promise<ImageDestination> {
  const name = parseImageName(text, context.workingDirectory);
  if (name.kind === 'ostree') {
    throw new OperationalError('TRANSPORT_UNKNOWN', `blobs cannot be written to ${quote(text)}`, {
      hint: "'berth copy' puts images into OSTree repositories",
    });
  }
  if (name.kind !== 'registry') {
    const { openLocalDestination } = await import('./open-local-destination.js');
    return openLocalDestination(name, { text, context, signal: options.signal });
  }
  const { RegistryDestination } = await import('./registry-destination.js');
  const meaning = theMeaning(name, { text, context });
  return new RegistryDestination(meaning, context.registryClient, options.from);
}

/**
 * Opens another tag of the repository that a user names.
 *
 * @throws {@link OperationalError} as {@link openImageDestination}; USAGE for what is in no registry
 */
export async function openTagDestination(
  text: string,
  tag: string,
  context: TransportContext,
): Promise<ImageDestination> {
  const name = parseImageName(text, context.workingDirectory);
  if (name.kind !== 'registry')
    throw new OperationalError('USAGE', `${quote(text)} is no image of a registry`);
  const { RegistryDestination } = await import('./registry-destination.js');
  const { reference, endpoints } = theMeaning(name, { text, context });
  const tagged = { reference: { ...reference, tag, digest: undefined }, endpoints };
  return new RegistryDestination(tagged, context.registryClient, undefined);
}

function theMeaning(
  name: RegistryName,
  { text, context }: { readonly text: string; readonly context: TransportContext },
): ResolvedReference {
  const [meaning, ...others] = findMeanings(name, context);
  // Reading may search; writing must not guess where.
  if (meaning === undefined || others.length > 0) {
    throw new OperationalError(
      'REFERENCE_INVALID',
      `${quote(text)} is a short name that may mean several registries`,
      { hint: `name the registry too: REGISTRY/${name.reference.repository}` },
    );
  }
  return meaning;
}
