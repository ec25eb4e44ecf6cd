import { constants } from 'node:fs';

import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { open } from '../base/quick-files.js';
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
 * Reads the keys of a requirement. A file that others may write is refused: who can change a key decides who may sign.
 *
 * @param onDisk A path of the host as a path to open; may throw
 * @throws OperationalError SIGNATURE_KEY_INVALID if one cannot be read: a key that is missing may be the one that counts
 */
export async function loadKeys(
  keys: KeySource,
  onDisk: (path: string) => Promise<string>,
): Promise<readonly KeyText[]> {
  if (keys.kind === 'data') {
    return keys.data.map((bytes, index) => ({ bytes, name: `key ${index + 1} in the policy` }));
  }
  const texts: KeyText[] = [];
  for (const path of keys.paths) {
    try {
      texts.push({ bytes: await readKeyFile(await onDisk(path), path), name: quote(path) });
    } catch (error) {
      if (error instanceof OperationalError) throw error;
      throw new OperationalError(
        'SIGNATURE_KEY_INVALID',
        `cannot read the key ${quote(path)} of the policy`,
        { cause: error },
      );
    }
  }
  return texts;
}

/**
 * Reads a key that a policy names, or is to name.
 *
 * @param named How the policy calls it
 * @throws OperationalError SIGNATURE_KEY_INVALID for what is not a file of root's, or of berth's user, alone; what the system says
 */
export async function readKeyFile(path: string, named: string): Promise<Buffer> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const found = await file.stat();
  const refuse = (why: string, hint?: string): never => {
    throw new OperationalError('SIGNATURE_KEY_INVALID', `the key ${quote(named)} ${why}`, { hint });
  };
  if (!found.isFile()) refuse('is not a regular file');
  if ((found.mode & 0o022) !== 0)
    refuse('can be written by others than its owner, refusing to go by it', `chmod go-w ${named}`);
  if (found.uid !== 0 && found.uid !== process.geteuid?.())
    refuse(`belongs to user ${found.uid}, refusing to go by it`, `chown root: ${named}`);
  return await readFileBounded(`/proc/self/fd/${file.fd}`, { maxBytes: MAX_KEY_BYTES });
}
