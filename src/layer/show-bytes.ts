import { quote } from '../base/escape-text.js';
import { decodeByteString } from './tree.js';

/** A byte string (a path or name out of a layer) as messages show it: decoded, escaped, cut, in quotes. */
export function showBytes(bytes: string): string {
  return quote(decodeByteString(bytes));
}
