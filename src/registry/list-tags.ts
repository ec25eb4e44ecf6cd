import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { JsonFields } from '../oci/json-fields.js';
import { readBounded } from './read-bounded.js';
import type { RegistrySession } from './registry-session.js';

/** What is asked for at a time; registries give less if they like. */
const PAGE_SIZE = 1000;

/** Largest page in bytes: a thousand tags of the longest kind have 130 KiB, and some registries send all at once. */
const MAX_PAGE_BYTES = 16 * 1024 * 1024;

/** Most pages and tags: the largest repositories in the field have some 50,000 tags. */
const MAX_PAGES = 1000;
const MAX_TAGS = 200_000;

/** As distribution-spec has it; what else a registry sends could not be pulled. */
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/**
 * The tags of a repository, in the registry's order (distribution-spec v1.1, "Listing Tags").
 *
 * @throws {@link OperationalError} REGISTRY_PROTOCOL, LIMIT_EXCEEDED, REGISTRY_REDIRECT; as {@link RegistrySession.get}
 */
export async function listTags(
  session: RegistrySession,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const repository = quote(session.endpoint.repository);
  const doing = `cannot list the tags of ${repository}`;
  const tags: string[] = [];
  const asked = new Set<string>();
  let path: string | URL | undefined = `/tags/list?n=${PAGE_SIZE}`;
  while (path !== undefined) {
    const page = String(path);
    if (asked.has(page)) {
      throw new OperationalError('REGISTRY_PROTOCOL', `${doing}: the list leads in a circle`);
    }
    asked.add(page);
    if (asked.size > MAX_PAGES || tags.length > MAX_TAGS) {
      throw new OperationalError(
        'LIMIT_EXCEEDED',
        `${doing}: there are more than ${MAX_TAGS} of them, or more than ${MAX_PAGES} pages`,
      );
    }
    const response = await session.get({ path, accept: 'application/json', doing, signal });
    const body = await readBounded(response.body, MAX_PAGE_BYTES);
    const what = `the list of tags of ${repository}`;
    const fields = JsonFields.parse(body, { what, code: 'REGISTRY_PROTOCOL' });
    for (const tag of fields.strings('tags')) {
      if (!TAG.test(tag)) fields.fail('tags', `holds ${quote(tag)}, which is no tag`);
      tags.push(tag);
    }
    path = nextPage(session, response.headers['link'], doing);
  }
  return tags;
}

/**
 * Where a list goes on (RFC 8288): at the registry itself, nowhere else.
 *
 * @throws {@link OperationalError} REGISTRY_REDIRECT if it leads to another host
 */
export function nextPage(
  session: RegistrySession,
  link: string | undefined,
  doing: string,
): URL | undefined {
  const target = /<([^<>]{1,4096})>\s*;[^<>]*\brel="?next"?/i.exec(link ?? '')?.[1];
  if (target === undefined) return undefined;
  const url = session.resolveLocation(target);
  if (session.isOwn(url)) return url;
  throw new OperationalError(
    'REGISTRY_REDIRECT',
    `${doing}: the list goes on at ${quote(url.host)}, refusing to follow`,
  );
}
