import { timingSafeEqual } from 'node:crypto';

/*
 * NaCl's secretbox, XSalsa20 and Poly1305, in which cosign keeps private keys; Node's library has neither. For a key of some hundred
 * bytes that was typed a passphrase for: slow, and nothing in it depends on time that somebody could measure over a network.
 */

/** Bytes of key, nonce and tag. */
export const SECRETBOX_KEY_BYTES = 32;
export const SECRETBOX_NONCE_BYTES = 24;
const TAG_BYTES = 16;

/** "expand 32-byte k" as words. */
const SIGMA = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const;

/** Opens a box; undefined where key, nonce or box is not the right one. */
export function openSecretbox(box: Buffer, key: Buffer, nonce: Buffer): Buffer | undefined {
  if (box.length < TAG_BYTES) return undefined;
  const stream = keyStream(key, nonce, 32 + box.length - TAG_BYTES);
  const sealed = box.subarray(TAG_BYTES);
  const tag = poly1305(sealed, stream.subarray(0, 32));
  return timingSafeEqual(tag, box.subarray(0, TAG_BYTES)) ? xor(sealed, stream) : undefined;
}

/** Makes a box. */
export function sealSecretbox(plain: Buffer, key: Buffer, nonce: Buffer): Buffer {
  const stream = keyStream(key, nonce, 32 + plain.length);
  const sealed = xor(plain, stream);
  return Buffer.concat([poly1305(sealed, stream.subarray(0, 32)), sealed]);
}

/** The first 32 bytes of the stream are the key of the tag. */
function xor(bytes: Buffer, stream: Buffer): Buffer {
  return Buffer.from(bytes.map((byte, index) => byte ^ (stream[32 + index] ?? 0)));
}

/** XSalsa20: a key of its own from the first 16 bytes of the nonce, and Salsa20 with the other 8. */
function keyStream(key: Buffer, nonce: Buffer, length: number): Buffer {
  if (key.length !== SECRETBOX_KEY_BYTES || nonce.length !== SECRETBOX_NONCE_BYTES)
    throw new RangeError('internal error: a key or nonce of another length');
  const start = salsaInput(wordsOf(key), wordsOf(nonce.subarray(0, 16)));
  const mixed = salsaRounds(start);
  const subkey = [0, 5, 10, 15, 6, 7, 8, 9].map((index) => mixed[index] ?? 0);
  const [low = 0, high = 0] = wordsOf(nonce.subarray(16));
  const blocks: Buffer[] = [];
  for (let counter = 0; counter * 64 < length; counter++) {
    const input = salsaInput(subkey, [low, high, counter, 0]);
    const output = salsaRounds(input);
    const block = Buffer.alloc(64);
    for (const [index, word] of input.entries())
      block.writeUInt32LE((word + (output[index] ?? 0)) >>> 0, index * 4);
    blocks.push(block);
  }
  return Buffer.concat(blocks);
}

function salsaInput(key: readonly number[], middle: readonly number[]): readonly number[] {
  const [a, b, c, d] = SIGMA;
  return [a, ...key.slice(0, 4), b, ...middle, c, ...key.slice(4), d];
}

/** Salsa20's twenty rounds, without the addition at the end. */
function salsaRounds(input: readonly number[]): Uint32Array {
  const x = Uint32Array.from(input);
  const turn = (to: number, [one, other]: readonly [number, number], bits: number): void => {
    const sum = ((x[one] ?? 0) + (x[other] ?? 0)) >>> 0;
    x[to] = (x[to] ?? 0) ^ ((sum << bits) | (sum >>> (32 - bits)));
  };
  const quarter = ([a, b, c, d]: readonly [number, number, number, number]): void => {
    turn(b, [a, d], 7);
    turn(c, [b, a], 9);
    turn(d, [c, b], 13);
    turn(a, [d, c], 18);
  };
  for (let round = 0; round < 20; round += 2) {
    for (const n of [0, 5, 10, 15]) quarter([n, (n + 4) % 16, (n + 8) % 16, (n + 12) % 16]);
    for (const n of [0, 5, 10, 15]) {
      const row = n - (n % 4);
      quarter([n, row + ((n + 1) % 4), row + ((n + 2) % 4), row + ((n + 3) % 4)]);
    }
  }
  return x;
}

function wordsOf(bytes: Buffer): readonly number[] {
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readUInt32LE(index * 4));
}

/** Poly1305 (RFC 8439, section 2.5). */
function poly1305(message: Buffer, key: Buffer): Buffer {
  const r = littleEndian(key.subarray(0, 16)) & 0x0ffffffc0ffffffc0ffffffc0fffffffn;
  const prime = (1n << 130n) - 5n;
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16) {
    const block = message.subarray(at, at + 16);
    sum = ((sum + littleEndian(block) + (1n << BigInt(8 * block.length))) * r) % prime;
  }
  const tag = (sum + littleEndian(key.subarray(16, 32))) & ((1n << 128n) - 1n);
  return Buffer.from(tag.toString(16).padStart(32, '0'), 'hex').reverse();
}

function littleEndian(bytes: Buffer): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex') || '0'}`);
}
