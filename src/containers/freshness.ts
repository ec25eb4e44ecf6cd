import { quote } from '../base/escape-text.js';
import type { JsonReader } from '../base/json-reader.js';
import { OperationalError } from '../errors/operational-error.js';
import type { ImageConfig } from '../oci/image-config.js';
import type { ImageManifest } from '../oci/manifest.js';
import type { TrustRecord } from '../trust/image-trust.js';

/** How far the clocks of a builder and of this host may differ, in milliseconds: a time beyond it is not one to remember. */
const MAX_CLOCK_SKEW_MS = 300_000;

/** Most parts of a version, and digits of each: a number is exact up to here. */
const MAX_VERSION_PARTS = 8;
const MAX_VERSION_DIGITS = 15;

/** How new an image is, by what its signatures cover; what it does not say is undefined. */
export interface Freshness {
  /** When it was signed, and built; milliseconds since the epoch, never in the future. */
  readonly signedAtMs: number | undefined;
  readonly createdAtMs: number | undefined;
  /** `org.opencontainers.image.version`, where it is numbers with dots between. */
  readonly version: string | undefined;
}

/** The newest that was seen of what a reference means: an update does not fall behind it. */
export interface NewestSeen extends Freshness {
  readonly reference: string;
  /** When an older one was last allowed: what was seen before it does not count. */
  readonly allowedAtMs?: number | undefined;
}

/** An image whose signatures were verified. */
interface SignedImage {
  readonly trust: TrustRecord;
  readonly config: Pick<ImageConfig, 'created' | 'labels'>;
  readonly manifest: Pick<ImageManifest, 'annotations'>;
}

/** How new an image is; undefined where nobody has signed it: then whoever made it up has made this up, too. */
export function freshnessOf(
  { trust, config, manifest }: SignedImage,
  nowMs: number,
): Freshness | undefined {
  if (trust.signatures.length === 0) return undefined;
  const { annotations } = manifest;
  const signed = trust.signatures.flatMap(({ madeAtMs }) => madeAtMs ?? []);
  const told = annotations['org.opencontainers.image.created'] ?? config.created ?? '';
  const version =
    annotations['org.opencontainers.image.version'] ??
    config.labels['org.opencontainers.image.version'] ??
    '';
  return {
    signedAtMs: known(Math.max(-1, ...signed), nowMs),
    createdAtMs: known(Date.parse(told), nowMs),
    version: partsOf(version) === undefined ? undefined : version,
  };
}

/**
 * Why an image is older than what was seen; undefined if it is not, or nothing says so. When it was signed decides where that is known:
 * who signs an old image again means it. When it was built comes next, then its version.
 */
function findDowngrade(seen: Freshness, offered: Freshness): string | undefined {
  for (const [key, verb] of [
    ['signedAtMs', 'signed'],
    ['createdAtMs', 'built'],
  ] as const) {
    const [before, now] = [seen[key], offered[key]];
    if (before === undefined || now === undefined || before === now) continue;
    return now > before
      ? undefined
      : `it was ${verb} at ${timeOf(now)}, and one that was at ${timeOf(before)} was here`;
  }
  if (seen.version === undefined || offered.version === undefined) return undefined;
  return compareVersions(offered.version, seen.version) < 0
    ? `it has version ${offered.version}, and ${seen.version} was here`
    : undefined;
}

/** The newest of what deployments have seen of a reference, since an older one was last allowed; undefined where none has. */
export function newestSeenOf(
  reference: string,
  all: readonly (NewestSeen | undefined)[],
): NewestSeen | undefined {
  const found = all.filter((one) => one?.reference === reference);
  const allowedAtMs = Math.max(0, ...found.map((one) => one?.allowedAtMs ?? 0));
  const newest = found
    .filter((one) => (one?.allowedAtMs ?? 0) === allowedAtMs)
    .reduce<Freshness | undefined>((a, b) => (b === undefined ? a : newestOf(a, b)), undefined);
  if (newest === undefined) return undefined;
  return { reference, ...newest, ...(allowedAtMs === 0 ? {} : { allowedAtMs }) };
}

/**
 * What a deployment of an image has seen of its reference.
 *
 * @param before Undefined, or with `allowedAtMs` alone, where what was seen before does not count
 * @param freshness Undefined where the image is not signed: what was seen before stays, for nothing that says how new it is counts
 */
export function seenWith(
  reference: string,
  before: Partial<NewestSeen> | undefined,
  freshness: Freshness | undefined,
): NewestSeen | undefined {
  const known: Freshness = { signedAtMs: undefined, createdAtMs: undefined, version: undefined };
  if (freshness === undefined && before === undefined) return undefined;
  return { ...before, ...newestOf({ ...known, ...before }, freshness ?? known), reference };
}

/** The newest of two, each part by itself. */
function newestOf(one: Freshness | undefined, other: Freshness): Freshness {
  const later = (a: number | undefined, b: number | undefined): number | undefined =>
    a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
  const versions = [one?.version, other.version].filter((version) => version !== undefined);
  return {
    signedAtMs: later(one?.signedAtMs, other.signedAtMs),
    createdAtMs: later(one?.createdAtMs, other.createdAtMs),
    version: versions.sort(compareVersions).at(-1),
  };
}

/**
 * Refuses an image that is older than what was seen under the same reference.
 *
 * @throws OperationalError DOWNGRADE_REFUSED
 */
export function assertNotOlder(
  reference: string,
  {
    seen,
    offered,
  }: { readonly seen: Freshness | undefined; readonly offered: Freshness | undefined },
): void {
  if (seen === undefined || offered === undefined) return;
  const why = findDowngrade(seen, offered);
  if (why === undefined) return;
  throw new OperationalError(
    'DOWNGRADE_REFUSED',
    `${quote(reference)} is an older image than was installed: ${why}`,
    {
      hint: '--allow-downgrade takes it, and counts from it on; somebody may be handing out an image with flaws that were mended since',
    },
  );
}

/** Reads what a deployment's record says; undefined where it says nothing. */
export function parseNewestSeen(reader: JsonReader): NewestSeen | undefined {
  if (!reader.present) return undefined;
  return {
    reference: reader.member('reference').string(),
    signedAtMs: reader.member('signedAtMs').optionalInteger(),
    createdAtMs: reader.member('createdAtMs').optionalInteger(),
    version: reader.member('version').optionalString(),
    allowedAtMs: reader.member('allowedAtMs').optionalInteger(),
  };
}

function known(ms: number, nowMs: number): number | undefined {
  return Number.isSafeInteger(ms) && ms >= 0 && ms <= nowMs + MAX_CLOCK_SKEW_MS ? ms : undefined;
}

function partsOf(version: string): readonly number[] | undefined {
  if (version.length > 200 || !/^v?\d+(?:\.\d+)*$/.test(version)) return undefined;
  const parts = version.replace(/^v/, '').split('.');
  if (parts.length > MAX_VERSION_PARTS || parts.some((part) => part.length > MAX_VERSION_DIGITS))
    return undefined;
  return parts.map(Number);
}

function compareVersions(one: string, other: string): number {
  const [a, b] = [partsOf(one) ?? [], partsOf(other) ?? []];
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
