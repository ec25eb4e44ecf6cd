import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { formatRepository } from '../oci/reference.js';
import { listTags } from '../registry/list-tags.js';
import { findMeanings } from './open-image-source.js';
import type { TransportContext } from './transport-context.js';
import { parseImageName } from './parse-image-name.js';

/**
 * The tags of the repository that a user names. A short name means the first registry that is searched; a tag or digest in it
 * says nothing. Mirrors are not asked: they may lack what is new.
 *
 * @throws {@link OperationalError} TRANSPORT_UNKNOWN for what is no registry's; what the registry says
 */
export async function listRepositoryTags(
  text: string,
  context: TransportContext,
  signal: AbortSignal,
): Promise<{ readonly repository: string; readonly tags: readonly string[] }> {
  const name = parseImageName(text, context.workingDirectory);
  if (name.kind !== 'registry') {
    throw new OperationalError(
      'TRANSPORT_UNKNOWN',
      `${quote(text)} is no repository of a registry`,
    );
  }
  const [meaning] = findMeanings(name, context);
  const endpoint = meaning?.endpoints.at(-1);
  if (meaning === undefined || endpoint === undefined) {
    throw new Error('internal error: a reference without a meaning');
  }
  const tags = await listTags(context.registryClient.session(endpoint), signal);
  return { repository: formatRepository(meaning.reference), tags };
}
