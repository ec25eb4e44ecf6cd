const DIGIT_0 = 0x30;
const DIGIT_7 = 0x37;
const SPACE = 0x20;

/** Largest length of an archived file: 8 EiB would fit the field, but not a number that is exact. */
const MAX_NUMBER = Number.MAX_SAFE_INTEGER;

/**
 * The number in a header field: octal digits between blanks (POSIX.1-2017 pax, "ustar Interchange Format"), or base-256
 * with the top bit set (GNU). An empty field is 0. Undefined for everything else and for what is no safe integer.
 */
export function parseNumber(block: Buffer, start: number, end: number): number | undefined {
  return ((block[start] ?? 0) & 0x80) === 0
    ? parseOctal(block, start, end)
    : parseBase256(block, start, end);
}

function parseOctal(block: Buffer, start: number, end: number): number | undefined {
  let index = start;
  while (index < end && block[index] === SPACE) index += 1;
  let value = 0;
  for (; index < end; index += 1) {
    const byte = block[index] ?? 0;
    if (byte === 0 || byte === SPACE) break;
    if (byte < DIGIT_0 || byte > DIGIT_7) return undefined;
    value = value * 8 + (byte - DIGIT_0);
  }
  // After the digits, only blanks and NULs: "12x" is not 10, and neither is "12\0003".
  for (; index < end; index += 1) {
    const byte = block[index];
    if (byte !== 0 && byte !== SPACE) return undefined;
  }
  return value <= MAX_NUMBER ? value : undefined;
}

function parseBase256(block: Buffer, start: number, end: number): number | undefined {
  const negative = ((block[start] ?? 0) & 0x40) !== 0;
  let value = negative ? -1n : 0n;
  for (let index = start; index < end; index += 1) {
    const byte = block[index] ?? 0;
    const bits = index > start ? byte : negative ? byte | 0x80 : byte & 0x7f;
    value = (value << 8n) | BigInt(bits);
  }
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : undefined;
}
