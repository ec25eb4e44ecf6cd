import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { KeySource } from './policy.js';

/** Largest file of keys in bytes: a distribution's keyring has some 200 KiB. */
export const MAX_KEY_BYTES = 1024 * 1024;

/** A key as a policy has it. */
export interface KeyText {
  readonly bytes: Buffer;
  /** For messages: the file, or which of the keys in the policy. */
  readonly name: string;
}

/**
 * Reads the keys of a requirement.
 *
 * @param onDisk A path of the host as a path to open
 * @throws OperationalError SIGNATURE_KEY_INVALID if one cannot be read: a key that is missing may be the one that counts
 */
export async function loadKeys(
  keys: KeySource,
  onDisk: (path: string) => string,
): Promise<readonly KeyText[]> {
  if (keys.kind === 'data') {
    return keys.data.map((bytes, index) => ({ bytes, name: `key ${index + 1} in the policy` }));
  }
  const texts: KeyText[] = [];
  for (const path of keys.paths) {
    try {
      const bytes = await readFileBounded(onDisk(path), { maxBytes: MAX_KEY_BYTES });
      texts.push({ bytes, name: quote(path) });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new OperationalError(
        'SIGNATURE_KEY_INVALID',
        `cannot read the key ${quote(path)} of the policy: ${why}`,
        { cause: error },
      );
    }
  }
  return texts;
}
