import { createHash } from 'node:crypto';

import { OperationalError } from '../errors/operational-error.js';
import type { KeyText } from './load-keys.js';

/** Tags of OpenPGP packets (RFC 4880, section 4.3). */
const SECRET_KEY = 5;
const PUBLIC_KEY = 6;

const ARMOR =
  /^-----BEGIN PGP PUBLIC KEY BLOCK-----[ \t]*\r?\n([\s\S]*?)^-----END PGP PUBLIC KEY BLOCK-----/gm;

/**
 * One keyring of all keys, as gpgv reads it: armour is taken off.
 *
 * @throws OperationalError SIGNATURE_KEY_INVALID for what is no public key
 */
export function makeKeyring(keys: readonly KeyText[]): Buffer {
  return Buffer.concat(keys.flatMap(toPackets));
}

/**
 * What tells the key of a file, or the first of several, from others: the digest of its first packet, which is that of the primary key
 * whatever signatures, names and subkeys come after it.
 *
 * @throws OperationalError SIGNATURE_KEY_INVALID
 */
export function identifyOpenPgpKey(key: KeyText): string {
  const [packets = Buffer.alloc(0)] = toPackets(key);
  return createHash('sha256').update(firstBody(packets, key.name)).digest('hex');
}

/** The content of the first packet, without its header: that has several forms (RFC 4880, section 4.2). */
function firstBody(packets: Buffer, name: string): Buffer {
  const [tag = 0, first = 0] = packets;
  const isNew = (tag & 0x40) !== 0;
  let start: number;
  let length: number;
  if (isNew) {
    start = first < 192 ? 2 : first < 224 ? 3 : 6;
    if (packets.length < start) throw invalid(name, 'it is damaged');
    length =
      first < 192
        ? first
        : first < 224
          ? ((first - 192) << 8) + packets.readUInt8(2) + 192
          : packets.readUInt32BE(2);
  } else {
    const lengthBytes = 1 << (tag & 3);
    start = 1 + lengthBytes;
    if (lengthBytes > 4 || packets.length < start) throw invalid(name, 'it is damaged');
    length = packets.readUIntBE(1, lengthBytes);
  }
  if (length === 0 || start + length > packets.length) throw invalid(name, 'it is damaged');
  return packets.subarray(start, start + length);
}

function toPackets({ bytes, name }: KeyText): readonly Buffer[] {
  const armored = bytes.subarray(0, 4096).includes('-----BEGIN PGP');
  const blocks = armored ? takeArmorOff(bytes.toString('latin1'), name) : [bytes];
  for (const block of blocks) checkFirstPacket(block, name);
  return blocks;
}

function takeArmorOff(text: string, name: string): readonly Buffer[] {
  const blocks = [...text.matchAll(ARMOR)].map(([, inside = '']) => {
    // Headers end with an empty line; the line that begins with = is a checksum, which proves nothing.
    const body = /^(?:[A-Za-z]+: .*\r?\n)*[ \t]*\r?\n([\s\S]*)$/.exec(inside)?.[1] ?? '';
    const plain = body.replace(/^=.*$/gm, '').replace(/\s/g, '');
    const packets = Buffer.from(plain, 'base64');
    if (packets.length === 0 || packets.toString('base64') !== plain)
      throw invalid(name, 'its armour is damaged');
    return packets;
  });
  if (blocks.length === 0) throw invalid(name, 'it is no public key');
  return blocks;
}

function checkFirstPacket(packets: Buffer, name: string): void {
  const [first = 0] = packets;
  const tag = (first & 0x40) === 0 ? (first >> 2) & 0x0f : first & 0x3f;
  if ((first & 0x80) !== 0 && tag === PUBLIC_KEY) return;
  if ((first & 0x80) !== 0 && tag === SECRET_KEY)
    throw invalid(name, 'it is a secret key, which has no place there');
  throw invalid(name, 'it does not begin with a public key');
}

function invalid(name: string, why: string): OperationalError {
  return new OperationalError('SIGNATURE_KEY_INVALID', `${name} cannot be used: ${why}`, {
    hint: 'gpg --export KEY writes one that can',
  });
}
