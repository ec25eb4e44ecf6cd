import { isIP } from 'node:net';

import { decodeBase64 } from '../base/decode-base64.js';
import type { KeySource, Signer } from './policy.js';
import type { StrictFields } from './strict-fields.js';

/** Most keys of one requirement: each is tried for each signature. */
const MAX_KEYS = 64;

/** Where `sigstoreSigned` has who may sign: one of them. */
export const SIGNERS = ['keyPath', 'keyPaths', 'keyData', 'keyDatas', 'fulcio', 'pki'] as const;

/** Where it has the keys of a transparency log. */
export const LOG_KEYS = [
  'rekorPublicKeyPath',
  'rekorPublicKeyPaths',
  'rekorPublicKeyData',
  'rekorPublicKeyDatas',
] as const;

/** Who has to have signed, of a `sigstoreSigned`. */
export function parseSigner(fields: StrictFields): Signer {
  switch (onlyOne(fields, SIGNERS)) {
    case 'fulcio':
      return parseFulcio(fields.object('fulcio'));
    case 'pki':
      return parsePki(fields.object('pki'));
    default:
      return { kind: 'keys', keys: keysOf(fields) };
  }
}

function parseFulcio(fields: StrictFields): Signer {
  fields.allowOnly('caPath', 'caData', 'oidcIssuer', 'subjectEmail');
  return {
    kind: 'fulcio',
    roots: parseKeys(fields, ['caPath', 'caData']) ?? fields.fail('', 'names no authority'),
    issuer: nameOf(fields, 'oidcIssuer') ?? fields.fail('oidcIssuer', 'is missing'),
    email: nameOf(fields, 'subjectEmail') ?? fields.fail('subjectEmail', 'is missing'),
  };
}

function parsePki(fields: StrictFields): Signer {
  const roots = ['caRootsPath', 'caRootsData'];
  const between = ['caIntermediatesPath', 'caIntermediatesData'];
  fields.allowOnly(...roots, ...between, 'subjectEmail', 'subjectHostname');
  const [email, host] = [nameOf(fields, 'subjectEmail'), nameOf(fields, 'subjectHostname')];
  if (email === undefined && host === undefined) fields.fail('', 'does not say whose signature');
  if (host !== undefined && isIP(host.replace(/^\[(.*)\]$/, '$1')) !== 0)
    fields.fail('subjectHostname', 'is an address: berth compares names of hosts');
  return {
    kind: 'pki',
    roots: parseKeys(fields, roots) ?? fields.fail('', 'names no authority'),
    between: parseKeys(fields, between),
    email,
    host,
  };
}

/** A name that has to be there in full; undefined where none is. */
function nameOf(fields: StrictFields, key: string): string | undefined {
  if (!fields.has(key)) return undefined;
  const name = fields.text(key);
  return name === '' ? fields.fail(key, 'is empty') : name;
}

/** The keys of a requirement, of which there has to be one. */
export function keysOf(fields: StrictFields): KeySource {
  const keys = parseKeys(fields, ['keyPath', 'keyPaths', 'keyData', 'keyDatas']);
  return keys ?? fields.fail('', 'names no key');
}

/** Which of some members is there; undefined if none is. */
function onlyOne(fields: StrictFields, names: readonly string[]): string | undefined {
  const [found, ...others] = names.filter((name) => fields.has(name));
  if (others.length > 0)
    fields.fail('', `has ${found ?? ''} and ${others.join(' and ')}: one at most`);
  return found;
}

/** Keys, or certificates, in files or as they are; undefined if there are none. */
export function parseKeys(fields: StrictFields, names: readonly string[]): KeySource | undefined {
  const key = onlyOne(fields, names);
  if (key === undefined) return undefined;
  const texts = key.endsWith('s') ? fields.texts(key) : [fields.text(key)];
  if (texts.length > MAX_KEYS) fields.fail(key, `has more than ${MAX_KEYS} items`);
  if (/Datas?$/.test(key)) {
    const fail = (): never => fields.fail(key, 'is not base64');
    return { kind: 'data', data: texts.map((text) => decodeBase64(text) ?? fail()) };
  }
  for (const path of texts) {
    if (!path.startsWith('/')) fields.fail(key, 'is not an absolute path');
  }
  return { kind: 'files', paths: texts };
}
