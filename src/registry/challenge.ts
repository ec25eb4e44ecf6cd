import { OperationalError } from '../errors/operational-error.js';

/** One way of proving who one is that a server offers (RFC 9110, section 11.6.1). */
export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Longest WWW-Authenticate that is read, in characters; real ones have some 300. */
const MAX_CHALLENGE_CHARACTERS = 8192;

const SCHEME = /([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s+|$|(?=,))/y;
const PARAMETER =
  /([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\\u0000-\u001f]|\\[\u0020-\u007e])*)"|([!#$%&'*+.^_`|~0-9A-Za-z:/?@-]+))\s*/y;
const SEPARATOR = /[\s,]*/y;
const TOKEN68 = /[A-Za-z0-9._~+/-]+=*\s*(?=,|$)/y;

/**
 * Parses WWW-Authenticate, with several challenges in one header.
 *
 * @throws {@link OperationalError} REGISTRY_PROTOCOL if it is not what RFC 9110 allows
 */
export function parseChallenges(header: string): readonly Challenge[] {
  if (header.length > MAX_CHALLENGE_CHARACTERS)
    fail(`has more than ${MAX_CHALLENGE_CHARACTERS} characters`);
  const challenges: Challenge[] = [];
  let position = 0;
  const match = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = position;
    const found = pattern.exec(header);
    if (found === null) return undefined;
    position += found[0].length;
    return found;
  };
  match(SEPARATOR);
  while (position < header.length) {
    const scheme = match(SCHEME)?.[1];
    if (scheme === undefined) fail('names no scheme where one should stand');
    const parameters = new Map<string, string>();
    for (;;) {
      match(SEPARATOR);
      const parameter = match(PARAMETER);
      if (parameter === undefined) break;
      const [, name = '', quoted, plain] = parameter;
      if (parameters.has(name.toLowerCase())) fail('has a parameter twice');
      parameters.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '');
    }
    if (parameters.size === 0 && match(TOKEN68) !== undefined) match(SEPARATOR); // Negotiate and its like: not for us
    challenges.push({ scheme: scheme.toLowerCase(), parameters });
  }
  return challenges;
}

function fail(why: string): never {
  throw new OperationalError('REGISTRY_PROTOCOL', `the registry's WWW-Authenticate ${why}`);
}
