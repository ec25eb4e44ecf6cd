import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { RegistryEndpoint } from '../registry/endpoint.js';
import { resolveReference, type ResolvedReference } from '../registry/resolve-endpoints.js';
import type { ImageSource } from './image-source.js';
import { parseImageName, type ImageName } from './parse-image-name.js';
import { RegistrySource } from './registry-source.js';
import type { TransportContext } from './transport-context.js';

/** Options of {@link openImageSource}. */
export interface OpenImageOptions {
  readonly signal: AbortSignal;
  /**
   * Whether the store has an image of a name. If given, a short name that may mean several registries means the first that
   * the store has, and no network is asked.
   */
  readonly isStored?: ((storeName: string) => Promise<boolean>) | undefined;
  /** Whether the registry alone is asked what a name means, and no mirror. */
  readonly withoutMirrors?: boolean | undefined;
}

/**
 * Opens the image that a user names (see {@link parseImageName}). A short name that may mean several registries is looked for in
 * each, in their order, and means the first that has it.
 *
 * @throws {@link OperationalError} REFERENCE_INVALID, TRANSPORT_UNKNOWN, REGISTRY_BLOCKED; what the registries say, if a short name
 * is searched for
 */
export async function openImageSource(
  text: string,
  context: TransportContext,
  options: OpenImageOptions,
): Promise<ImageSource> {
  const name = parseImageName(text, context.workingDirectory);
  if (name.kind === 'ostree') {
    if (context.openRepositoryImage !== undefined) return context.openRepositoryImage(name);
    throw new OperationalError(
      'TRANSPORT_UNKNOWN',
      `there is no OSTree here to read ${quote(text)} from`,
    );
  }
  if (name.kind !== 'registry') {
    const { openLocalImage } = await import('./open-local-image.js');
    return openLocalImage(name, context, options.signal);
  }
  const meanings = findMeanings(name, context);
  const sources = meanings.map(
    ({ reference, endpoints }) =>
      new RegistrySource(
        {
          reference,
          endpoints:
            options.withoutMirrors === true
              ? endpoints.filter(({ isMirror }) => isMirror !== true)
              : endpoints,
        },
        context.registryClient,
      ),
  );
  const [first, ...others] = sources;
  if (first === undefined) throw new Error('internal error: a reference without a meaning');
  if (others.length === 0) return first;
  for (const source of sources) {
    if ((await options.isStored?.(source.storeName)) === true) return source;
  }
  return await searchEach(sources, options.signal);
}

/** What a reference means, and where it is asked for. */
export function findMeanings(
  name: ImageName & { readonly kind: 'registry' },
  { registriesConf, tlsVerify }: Pick<TransportContext, 'registriesConf' | 'tlsVerify'>,
): readonly ResolvedReference[] {
  const meanings = resolveReference(name.reference, registriesConf, name.scheme);
  if (tlsVerify === undefined) return meanings;
  const schemes: RegistryEndpoint['schemes'] = tlsVerify ? ['https'] : ['https', 'http'];
  return meanings.map(({ reference, endpoints }) => ({
    reference,
    endpoints: endpoints.map((endpoint) => ({
      ...endpoint,
      verifyTls: tlsVerify,
      schemes: name.scheme === undefined ? schemes : endpoint.schemes,
    })),
  }));
}

async function searchEach(
  sources: readonly RegistrySource[],
  signal: AbortSignal,
): Promise<ImageSource> {
  const failures: OperationalError[] = [];
  for (const source of sources) {
    try {
      await source.readManifest(undefined, { signal });
      return source;
    } catch (error) {
      // A registry that is down must not make the name mean another image (dependency confusion): only "not there" goes on.
      if (!(error instanceof OperationalError) || !isAbsence(error)) throw error;
      failures.push(error);
    }
  }
  const [first, ...rest] = failures;
  first?.suppressed.push(...rest);
  throw first ?? new Error('internal error: no registry was searched');
}

/** The hub and others answer 401 or 403 for a repository that does not exist. */
function isAbsence(error: OperationalError): boolean {
  return error.code === 'REGISTRY_NOT_FOUND' || error.code === 'REGISTRY_UNAUTHORIZED';
}
