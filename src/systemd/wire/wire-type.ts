import { OperationalError } from '../../errors/operational-error.js';

/** Deepest nesting of arrays, structures and variants (D-Bus Specification, "Valid Signatures": 32 of each). */
export const MAX_DEPTH = 64;

/** Alignment of each type in bytes (D-Bus Specification, "Summary of D-Bus Marshalling"). */
const ALIGNMENTS: Readonly<Record<string, number>> = {
  ...{ y: 1, g: 1, v: 1, n: 2, q: 2, b: 4, i: 4, u: 4, s: 4, o: 4, a: 4, h: 4 },
  ...{ x: 8, t: 8, d: 8, '(': 8, '{': 8 },
};

/** A multiple of which the address of a value of this type is. */
export function alignmentOf(type: string): number {
  const alignment = ALIGNMENTS[type];
  if (alignment === undefined) throw malformed(`no type is called '${type}'`);
  return alignment;
}

/** Where the single complete type that begins at `start` ends. */
export function endOfType(signature: string, start: number): number {
  let at = start;
  while (signature[at] === 'a') at++;
  const open = signature[at];
  if (open !== '(' && open !== '{') {
    alignmentOf(open ?? '');
    return at + 1;
  }
  const close = open === '(' ? ')' : '}';
  if (signature[at + 1] === close) throw malformed('a structure of nothing');
  for (at++; signature[at] !== close;) {
    if (at >= signature.length) throw malformed(`'${signature}' ends too early`);
    at = endOfType(signature, at);
  }
  return at + 1;
}

/** What is not a message of D-Bus. */
export function malformed(problem: string): OperationalError {
  return new OperationalError('SYSTEMD_PROTOCOL', `the bus sent what is no message: ${problem}`);
}
