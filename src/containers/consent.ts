import type { Digest } from '../oci/digest.js';

/** What a new version may do more, as it was shown to somebody who said yes. */
export interface AllowedUpdate {
  /** Of the image that it was shown for. */
  readonly digest: Digest;
  readonly asks: readonly string[];
}

/**
 * What new versions may do more than the ones before: whatever it is, or exactly what was shown, by the name of the container. What
 * was not shown, or is of another image by now, is not allowed.
 */
export type Consent = 'all' | ReadonlyMap<string, AllowedUpdate>;

/** An update that was looked at and not carried out. */
export interface LookedAtUpdate {
  readonly name: string;
  readonly to: { readonly digest: Digest };
  readonly asks: readonly string[];
}

/** Whether an update may be carried out. */
export function isAllowed(consent: Consent | undefined, update: LookedAtUpdate): boolean {
  const { name, to, asks } = update;
  if (asks.length === 0 || consent === 'all') return true;
  const allowed = consent?.get(name);
  return allowed?.digest === to.digest && asks.every((item) => allowed.asks.includes(item));
}

/** The consent to what these updates were found to ask for, and to nothing else. */
export function consentTo(updates: readonly LookedAtUpdate[]): Consent {
  return new Map(updates.map(({ name, to, asks }) => [name, { digest: to.digest, asks }]));
}
