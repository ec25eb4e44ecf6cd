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
