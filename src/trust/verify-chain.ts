import { isSignedBy, KEY_USAGE, type Certificate } from './certificate.js';

/** What certificates of those who sign software are for, and what stands for everything (RFC 5280, section 4.2.1.12). */
const SIGNING_CODE = '1.3.6.1.5.5.7.3.3';
const ANYTHING = '2.5.29.37.0';

/** Most authorities between a certificate and one that is believed, and signatures that are verified to find the way. */
const MAX_BETWEEN = 8;
const MAX_CHECKS = 64;

/** Whom to believe, and when. */
export interface ChainRules {
  /** Authorities that are believed. */
  readonly roots: readonly Certificate[];
  /** Authorities that may stand between: nothing in them is believed. */
  readonly between: readonly Certificate[];
  /** When every certificate of the way has to be in force; milliseconds since the epoch. */
  readonly atMs: number;
}

/**
 * Looks for a way from a certificate to an authority that is believed (RFC 5280, section 6), all of it good for signing software at one
 * time. Gives why there is none; undefined if there is one. Nobody is asked whether one was taken back.
 */
export function findChainFault(leaf: Certificate, rules: ChainRules): string | undefined {
  const fault =
    findFault(leaf, rules.atMs) ??
    (leaf.keyUsage !== undefined && (leaf.keyUsage & KEY_USAGE.digitalSignature) === 0
      ? 'is not for signatures'
      : undefined);
  if (fault !== undefined) return fault;
  return new ChainSearch(rules).leadsToRoot(leaf, [leaf])
    ? undefined
    : 'leads to none of the authorities of the policy';
}

class ChainSearch {
  readonly #rules: ChainRules;
  readonly #authorities: readonly Certificate[];
  #checks = 0;

  constructor(rules: ChainRules) {
    this.#rules = rules;
    this.#authorities = [...rules.roots, ...rules.between];
  }

  /** @param path The certificate, and those below it, the first one first */
  leadsToRoot(certificate: Certificate, path: readonly Certificate[]): boolean {
    if (this.#rules.roots.some(({ der }) => der.equals(certificate.der))) return true;
    if (path.length > MAX_BETWEEN + 1) return false;
    return this.#authorities.some(
      (authority) =>
        authority.subject.equals(certificate.issuer) &&
        !path.some(({ der }) => der.equals(authority.der)) &&
        mayCertify(authority, path.length - 1, this.#rules.atMs) &&
        ++this.#checks <= MAX_CHECKS &&
        isSignedBy(certificate, authority) &&
        this.leadsToRoot(authority, [...path, authority]),
    );
  }
}

/** @param between How many authorities there are below it */
function mayCertify(authority: Certificate, between: number, atMs: number): boolean {
  const { isAuthority, keyUsage, maxPathLength } = authority;
  return (
    isAuthority &&
    (keyUsage === undefined || (keyUsage & KEY_USAGE.certificateSign) !== 0) &&
    (maxPathLength === undefined || between <= maxPathLength) &&
    findFault(authority, atMs) === undefined
  );
}

function findFault(certificate: Certificate, atMs: number): string | undefined {
  const { notBeforeMs, notAfterMs, purposes, foreign } = certificate;
  if (atMs < notBeforeMs) return `was not in force before ${new Date(notBeforeMs).toISOString()}`;
  // The second that it names is its last one.
  if (atMs >= notAfterMs + 1000)
    return `was not in force after ${new Date(notAfterMs).toISOString()}`;
  if (purposes?.some((oid) => oid === SIGNING_CODE || oid === ANYTHING) === false)
    return 'is not for signing software';
  return foreign;
}
