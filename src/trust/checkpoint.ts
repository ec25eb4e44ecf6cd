import { createHash, verify } from 'node:crypto';

import { decodeBase64 } from '../base/decode-base64.js';
import type { PublicKey } from './public-keys.js';

/** Largest checkpoint, and most signatures of one: a log and some witnesses. */
const MAX_TEXT = 16 * 1024;
const MAX_SIGNATURES = 32;

/** How much of a signature says whose key made it. */
const HINT_BYTES = 4;

/** What a log has signed of its tree. */
export interface Checkpoint {
  readonly size: number;
  readonly rootHash: Buffer;
}

/**
 * Reads a checkpoint that a log has signed (C2SP's tlog-checkpoint and signed-note): the name of the log, the size of its tree and its
 * root, an empty line, and signatures of all of that by the log and by others, who are not asked.
 *
 * @param logKeys Of the log: any of them may have signed
 * @returns Why it is none; else what it says
 */
export function readCheckpoint(text: string, logKeys: readonly PublicKey[]): Checkpoint | string {
  if (text.length > MAX_TEXT) return 'the checkpoint of the log is too large';
  const end = text.indexOf('\n\n');
  const note = text.slice(0, end + 1);
  const [origin = '', size = '', root = ''] = note.split('\n');
  const rootHash = decodeBase64(root);
  if (end === -1 || origin === '' || !/^(?:0|[1-9]\d{0,15})$/.test(size) || rootHash === undefined)
    return 'the checkpoint of the log is none';
  const signatures = text
    .slice(end + 2)
    .split('\n')
    .slice(0, MAX_SIGNATURES)
    .flatMap((line) => parseSignature(line, origin));
  const isSigned = logKeys.some((key) => signatures.some((one) => isMadeBy(key, note, one)));
  if (!isSigned) return 'the checkpoint of the log was signed by none of the keys of the log';
  return { size: Number(size), rootHash };
}

interface NoteSignature {
  readonly name: string;
  readonly hint: Buffer;
  readonly bytes: Buffer;
}

/** Those of a log alone: older ones put the number of the tree behind their name. */
function parseSignature(line: string, origin: string): readonly NoteSignature[] {
  const [, name = '', text = ''] = /^\u2014 (\S+) (\S+)$/.exec(line) ?? [];
  const all = decodeBase64(text);
  const isOfLog = origin === name || origin.startsWith(`${name} - `);
  if (all === undefined || name === '' || !isOfLog || all.length <= HINT_BYTES) return [];
  return [{ name, hint: all.subarray(0, HINT_BYTES), bytes: all.subarray(HINT_BYTES) }];
}

function isMadeBy({ key }: PublicKey, note: string, { name, hint, bytes }: NoteSignature): boolean {
  const isEdwards = key.asymmetricKeyType === 'ed25519';
  const spki = key.export({ type: 'spki', format: 'der' });
  // The last bytes of such a key are the key itself (RFC 8410, section 4).
  const named = isEdwards
    ? Buffer.concat([Buffer.from(`${name}\n\u0001`), spki.subarray(-32)])
    : spki;
  const expected = createHash('sha256').update(named).digest().subarray(0, HINT_BYTES);
  return (
    expected.equals(hint) && verify(isEdwards ? null : 'sha256', Buffer.from(note), key, bytes)
  );
}
