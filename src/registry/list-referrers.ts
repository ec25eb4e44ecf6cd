import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import { digestAlgorithm, digestHex, type Digest } from '../oci/digest.js';
import { listReferences } from '../oci/list-references.js';
import { bareMediaType } from '../oci/media-types.js';
import { MAX_MANIFEST_BYTES } from '../oci/parse-manifest.js';
import { nextPage } from './list-tags.js';
import { readBounded } from './read-bounded.js';
import type { RegistrySession } from './registry-session.js';

/** Most referrers of one image that are listed (CVE-2024-29903: a list of any length was read). */
export const MAX_REFERRERS = 1000;

const MAX_PAGES = 100;

/** How registries without the interface answer: they know no such address, or take it for something else. */
const NO_INTERFACE = [400, 404, 406];

/**
 * What refers to a manifest by its `subject`: signatures, attestations, SBOMs. A registry without the interface keeps them under a
 * tag made of the digest (distribution-spec v1.1, "Listing Referrers" and "Referrers Tag Schema").
 *
 * @throws {@link OperationalError} LIMIT_EXCEEDED, REGISTRY_PROTOCOL; as {@link RegistrySession.get}
 */
export async function listReferrers(
  session: RegistrySession,
  digest: Digest,
  signal: AbortSignal,
): Promise<readonly Descriptor[]> {
  const doing = `cannot list what refers to ${digest}`;
  const found: Descriptor[] = [];
  let path: string | URL | undefined = `/referrers/${digest}`;
  let pages = 0;
  while (path !== undefined) {
    const accept = 'application/vnd.oci.image.index.v1+json';
    const response = await session.get({ path, accept, doing, signal, ok: [200, ...NO_INTERFACE] });
    const isPage = pages === 0 && !isJson(response.headers['content-type']);
    if (response.status !== 200 || isPage) {
      await response.body.discard();
      return pages === 0 ? await listByTag(session, digest, { doing, signal }) : found;
    }
    found.push(...(await parseReferrers(response.body, doing)));
    pages += 1;
    if (found.length > MAX_REFERRERS || pages > MAX_PAGES) throw tooMany(doing);
    path = nextPage(session, response.headers['link'], doing);
  }
  return found;
}

/** What stands in front of a registry may answer any address with a page for people. */
function isJson(contentType: string | undefined): boolean {
  return contentType === undefined || /[/+]json$/.test(bareMediaType(contentType));
}

/** The tag under which the list is where the registry keeps none ("Referrers Tag Schema"). */
export function referrersTag(digest: Digest): string {
  return `${digestAlgorithm(digest)}-${digestHex(digest).slice(0, 64)}`;
}

async function listByTag(
  session: RegistrySession,
  digest: Digest,
  { doing, signal }: { readonly doing: string; readonly signal: AbortSignal },
): Promise<readonly Descriptor[]> {
  const response = await session.get({
    path: `/manifests/${referrersTag(digest)}`,
    accept: 'application/vnd.oci.image.index.v1+json',
    doing,
    signal,
    ok: [200, 404],
  });
  if (response.status === 404) {
    await response.body.discard();
    return [];
  }
  const found = await parseReferrers(response.body, doing);
  if (found.length > MAX_REFERRERS) throw tooMany(doing);
  return found;
}

async function parseReferrers(
  body: AsyncIterable<Uint8Array>,
  doing: string,
): Promise<readonly Descriptor[]> {
  const bytes = await readBounded(body, MAX_MANIFEST_BYTES);
  return listReferences(bytes, { what: `the answer (${quote(doing)})` }).manifests;
}

function tooMany(doing: string): OperationalError {
  return new OperationalError('LIMIT_EXCEEDED', `${doing}: there are more than ${MAX_REFERRERS}`);
}
