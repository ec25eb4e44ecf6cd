import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { parseRegistryHost } from '../oci/reference.js';

/**
 * Parses the registry that an account is at, as a person types it.
 *
 * @throws {@link OperationalError} USAGE where it is not `HOST[:PORT]`
 */
export function parseRegistryName(text: string): string {
  try {
    return parseRegistryHost(text);
  } catch (cause) {
    if (!(cause instanceof OperationalError)) throw cause;
    const [, host = ''] = /^https?:\/\/([^/?#@]+)/i.exec(text) ?? /^([^/?#@]+)\//.exec(text) ?? [];
    throw new OperationalError('USAGE', `${quote(text)} is not a registry: expected HOST[:PORT]`, {
      hint: host === '' ? "see 'berth login --help'" : `did you mean ${host}?`,
    });
  }
}
