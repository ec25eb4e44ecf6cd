import { OperationalError } from '../errors/operational-error.js';
import { parseDigest, type Digest } from '../oci/digest.js';

/** Shortest abbreviation of a digest that is accepted; as git's. */
const MIN_PREFIX = 7;

/** The one that has the digest which a text is, or whose hexadecimal digits are the only ones that begin with it. */
export function findByDigest<T extends { readonly digest: Digest }>(
  all: readonly T[],
  text: string,
): T | undefined {
  try {
    const digest = parseDigest(text);
    return all.find((one) => one.digest === digest);
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
  }
  const prefix = text.replace(/^sha(256|512):/, '');
  if (prefix.length < MIN_PREFIX || !/^[0-9a-f]+$/.test(prefix)) return undefined;
  const found = all.filter(({ digest }) =>
    digest.slice(digest.indexOf(':') + 1).startsWith(prefix),
  );
  return found.length === 1 ? found[0] : undefined;
}
