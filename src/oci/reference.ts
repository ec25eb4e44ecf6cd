import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { parseDigest, type Digest } from './digest.js';

/**
 * The name of an image in a registry: `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`, parsed once and canonical afterwards
 * (distribution-spec v1.1 "Pulling manifests"; the grammar of the registry part is that of the reference implementation).
 * Where both tag and digest stand, the digest decides and the tag is for people.
 */
export interface ImageReference {
  /** `HOST[:PORT]` in lower case, IPv6 in brackets; undefined in a short name, which registries.conf completes. */
  readonly registry: string | undefined;
  /** `library/etcd`. */
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

/** A reference with its registry known. */
export interface QualifiedReference extends ImageReference {
  readonly registry: string;
}

/** Longest name (registry and repository) in characters: the limit of the reference implementation and of most registries. */
const MAX_NAME_CHARACTERS = 255;

/** Longest whole reference: a name, a tag of 128 and a sha512 digest fit, and nothing longer can be valid. */
const MAX_REFERENCE_CHARACTERS = MAX_NAME_CHARACTERS + 1 + 128 + 1 + 'sha512:'.length + 128;

const REPOSITORY =
  /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const HOST_NAME = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const IPV6 = /^\[[0-9a-f:]+(?:\.\d+){0,3}\]$/;

/** The hub's name as people write it, and the other names by which it is known. */
export const DOCKER_HUB = 'docker.io';
const DOCKER_HUB_ALIASES = ['index.docker.io', 'registry-1.docker.io'];

/**
 * Parses a reference. A short name stays one (`registry` undefined): what it means is configuration.
 *
 * @throws {@link OperationalError} REFERENCE_INVALID
 */
export function parseReference(text: string): ImageReference {
  if (text.length > MAX_REFERENCE_CHARACTERS) {
    fail(text, `it is longer than ${MAX_REFERENCE_CHARACTERS} characters`);
  }
  const at = text.indexOf('@');
  // What stands before the @ may be a password: it is not shown.
  if (at !== -1 && text.includes('/', at))
    fail(`…${text.slice(at)}`, 'a registry takes no user name');
  const named = at === -1 ? text : text.slice(0, at);
  const digest = at === -1 ? undefined : parseReferenceDigest(text, text.slice(at + 1));
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const tag = colon === -1 ? undefined : named.slice(colon + 1);
  const name = colon === -1 ? named : named.slice(0, colon);
  if (name === '') fail(text, 'it has no repository');
  if (tag !== undefined && !TAG.test(tag)) {
    fail(text, `${quote(tag)} is not a tag`);
  }
  if (name.length > MAX_NAME_CHARACTERS) {
    fail(text, `its name is longer than ${MAX_NAME_CHARACTERS} characters`);
  }
  const { registry, repository } = splitName(text, name);
  if (!REPOSITORY.test(repository)) {
    fail(
      text,
      /[A-Z]/.test(repository)
        ? `the repository ${quote(repository)} must be lower case`
        : `${quote(repository)} is not a repository name`,
    );
  }
  if (registry === undefined && /^[0-9a-f]{64}$/.test(repository)) {
    fail(text, '64 hexadecimal digits are an image id, not a repository');
  }
  return canonical({ registry, repository, tag, digest });
}

/** The text of a reference, from which {@link parseReference} gives the same value. */
export function formatReference(reference: ImageReference): string {
  return (
    formatRepository(reference) +
    (reference.tag === undefined ? '' : `:${reference.tag}`) +
    (reference.digest === undefined ? '' : `@${reference.digest}`)
  );
}

/** Registry and repository, without tag and digest. */
export function formatRepository(reference: ImageReference): string {
  return (reference.registry === undefined ? '' : `${reference.registry}/`) + reference.repository;
}

/** The tag that a reference means: `latest` where neither tag nor digest stands. */
export function effectiveTag(reference: ImageReference): string | undefined {
  return reference.tag ?? (reference.digest === undefined ? 'latest' : undefined);
}

/** Completes a short name. The hub keeps images without a namespace below `library/`. */
export function qualifyReference(reference: ImageReference, registry: string): QualifiedReference {
  return canonical({
    ...reference,
    registry: reference.registry ?? registry,
  }) as QualifiedReference;
}

/** The name by which a registry goes here, which the hub has several of. */
export function canonicalRegistry(host: string): string {
  return DOCKER_HUB_ALIASES.includes(host) ? DOCKER_HUB : host;
}

/**
 * Parses `HOST[:PORT]`.
 *
 * @throws {@link OperationalError} REFERENCE_INVALID
 */
export function parseRegistryHost(text: string): string {
  const registry = text.toLowerCase();
  const [, host = '', port] = /^(\[[^\]]*\]|[^:[\]]*)(?::(.*))?$/s.exec(registry) ?? [];
  if (!HOST_NAME.test(host) && !isIpv6Literal(host)) {
    fail(text, `${quote(text)} is not a registry host`);
  }
  if (port !== undefined && !isPort(port)) fail(text, `${quote(port)} is not a port`);
  return registry;
}

function splitName(
  text: string,
  name: string,
): { registry: string | undefined; repository: string } {
  const slash = name.indexOf('/');
  const first = slash === -1 ? '' : name.slice(0, slash);
  // The reference implementation's rule: without dot or colon the first word is a namespace of a short name. Its further rule,
  // that capitals make a host, is not kept: in lower case, as hosts are compared, it would be a namespace again.
  const isHost = /[.:[]/.test(first) || first === 'localhost';
  if (!isHost) return { registry: undefined, repository: name };
  try {
    return { registry: parseRegistryHost(first), repository: name.slice(slash + 1) };
  } catch (cause) {
    if (cause instanceof OperationalError) fail(text, cause.message.replace(/^.*: /, ''));
    throw cause;
  }
}

function canonical(reference: ImageReference): ImageReference {
  const { registry, repository } = reference;
  if (registry !== undefined && DOCKER_HUB_ALIASES.includes(registry)) {
    return canonical({ ...reference, registry: DOCKER_HUB });
  }
  if (registry === DOCKER_HUB && !repository.includes('/')) {
    return { ...reference, repository: `library/${repository}` };
  }
  return reference;
}

function parseReferenceDigest(text: string, digest: string): Digest {
  try {
    return parseDigest(digest);
  } catch (error) {
    if (error instanceof OperationalError) fail(text, error.message);
    throw error;
  }
}

function isIpv6Literal(host: string): boolean {
  if (!IPV6.test(host)) return false;
  try {
    return new URL(`http://${host}/`).hostname !== '';
  } catch {
    return false; // the URL parser knows what an address is; that it throws is the answer
  }
}

function isPort(text: string): boolean {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535;
}

function fail(text: string, why: string): never {
  throw new OperationalError(
    'REFERENCE_INVALID',
    `${quote(text)} is not an image reference: ${why}`,
  );
}
