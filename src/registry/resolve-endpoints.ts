import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import {
  DOCKER_HUB,
  formatReference,
  formatRepository,
  parseReference,
  qualifyReference,
  type ImageReference,
  type QualifiedReference,
} from '../oci/reference.js';
import { findReach } from './address-reach.js';
import type { RegistryEndpoint } from './endpoint.js';
import type {
  MirrorRule,
  RegistriesConf,
  RegistryLocation,
  RegistryRule,
} from './registries-conf.js';

/** The host that answers for docker.io. */
const DOCKER_HUB_API = 'registry-1.docker.io';

/** How the user wants a registry spoken to: `http:NAME` and `https:NAME` of atomic(1). */
export type ForcedScheme = 'http' | 'https';

/** One meaning of a reference and where to get it, best place first: mirrors, then the registry itself. */
export interface ResolvedReference {
  readonly reference: QualifiedReference;
  readonly endpoints: readonly RegistryEndpoint[];
}

/**
 * What a reference means under a configuration. A full name has one meaning; a short one has as many as there are registries
 * to search, in their order.
 *
 * @throws {@link OperationalError} REGISTRY_BLOCKED if registries.conf blocks all of them
 */
export function resolveReference(
  reference: ImageReference,
  conf: RegistriesConf,
  forced?: ForcedScheme,
): readonly ResolvedReference[] {
  const meanings = qualify(reference, conf).map((qualified) => ({
    reference: qualified,
    rule: findRule(qualified, conf),
  }));
  const allowed = meanings.filter(({ rule }) => rule?.blocked !== true);
  const [first] = meanings;
  if (allowed.length === 0 && first !== undefined) {
    throw new OperationalError(
      'REGISTRY_BLOCKED',
      `${quote(formatReference(first.reference))} is blocked by ${quote(first.rule?.prefix ?? '')} in registries.conf`,
    );
  }
  return allowed.map(({ reference: qualified, rule }) => ({
    reference: qualified,
    endpoints: findEndpoints(qualified, rule, forced),
  }));
}

function qualify(reference: ImageReference, conf: RegistriesConf): readonly QualifiedReference[] {
  if (reference.registry !== undefined) return [qualifyReference(reference, reference.registry)];
  const alias = conf.aliases.get(reference.repository);
  if (alias !== undefined && alias !== '') {
    const { registry, repository } = parseReference(alias);
    if (registry !== undefined) return [qualifyReference({ ...reference, repository }, registry)];
  }
  const registries = conf.unqualifiedSearch ?? [DOCKER_HUB];
  if (registries.length === 0) {
    throw new OperationalError(
      'REFERENCE_INVALID',
      `${quote(reference.repository)} is a short name, and unqualified-search-registries in registries.conf is empty`,
      { hint: `name the registry too: REGISTRY/${reference.repository}` },
    );
  }
  if (registries.length > 1 && conf.shortNameMode === 'enforcing') {
    const [first, second] = registries.map((registry) => `${registry}/${reference.repository}`);
    throw new OperationalError(
      'REFERENCE_INVALID',
      `${quote(reference.repository)} is a short name that may mean several registries, and short-name-mode in registries.conf is 'enforcing'`,
      { hint: `name the registry too (${first ?? ''}, ${second ?? ''}, …), or give it an alias` },
    );
  }
  return registries.map((registry) => qualifyReference(reference, registry));
}

/** The rule with the longest prefix; a wildcard fits any host below its own, and counts as shorter than a name. */
function findRule(reference: QualifiedReference, conf: RegistriesConf): RegistryRule | undefined {
  const name = formatRepository(reference);
  return conf.rules
    .filter(({ prefix }) => fits(name, prefix))
    .sort((a, b) => b.prefix.length - a.prefix.length)[0];
}

function fits(name: string, prefix: string): boolean {
  if (prefix.startsWith('*.')) {
    const [host = ''] = name.split('/', 1);
    const suffix = prefix.slice(1);
    const slash = suffix.indexOf('/');
    return slash === -1
      ? host.endsWith(suffix)
      : host.endsWith(suffix.slice(0, slash)) &&
          `${name.slice(host.length)}/`.startsWith(`${suffix.slice(slash)}/`);
  }
  return name === prefix || name.startsWith(`${prefix}/`);
}

function findEndpoints(
  reference: QualifiedReference,
  rule: RegistryRule | undefined,
  forced: ForcedScheme | undefined,
): readonly RegistryEndpoint[] {
  if (rule === undefined) {
    return [toEndpoint(formatRepository(reference), { insecure: false }, forced)];
  }
  const rest = formatRepository(reference).slice(fittingLength(reference, rule.prefix));
  const places: readonly RegistryLocation[] = [
    ...rule.mirrors.filter((mirror) => isMirrorFor(reference, mirror)),
    rule,
  ];
  return places.map((place) => {
    const wildcard = rule.prefix.startsWith('*.') && place === rule;
    const name =
      wildcard && place.location === '' ? formatRepository(reference) : place.location + rest;
    const endpoint = toEndpoint(name, place, forced);
    return place === rule ? endpoint : { ...endpoint, isMirror: true };
  });
}

/** How much of a name a prefix covers: of a wildcard, the whole host. */
function fittingLength(reference: QualifiedReference, prefix: string): number {
  if (!prefix.startsWith('*.')) return prefix.length;
  const slash = prefix.indexOf('/');
  return reference.registry.length + (slash === -1 ? 0 : prefix.length - slash);
}

function isMirrorFor(reference: QualifiedReference, { pullFromMirror }: MirrorRule): boolean {
  if (pullFromMirror === 'all') return true;
  return (pullFromMirror === 'digest-only') === (reference.digest !== undefined);
}

function toEndpoint(
  name: string,
  { insecure }: Pick<RegistryLocation, 'insecure'>,
  forced: ForcedScheme | undefined,
): RegistryEndpoint {
  const { registry, repository } = parseReference(name);
  if (registry === undefined) {
    throw new OperationalError(
      'CONFIG_INVALID',
      `registries.conf leads to ${quote(name)}, which names no registry`,
    );
  }
  return {
    registry,
    apiHost: registry === DOCKER_HUB ? DOCKER_HUB_API : registry,
    repository,
    schemes: schemesFor(registry, insecure, forced),
    verifyTls: !insecure || forced === 'https',
  };
}

/**
 * Plain http is spoken only where someone said so: the reference (`http:`), or registries.conf (`insecure`). A registry on
 * this very host counts as said: nobody listens in between. Its certificate is checked all the same, if it has one.
 */
function schemesFor(
  registry: string,
  insecure: boolean,
  forced: ForcedScheme | undefined,
): readonly ('https' | 'http')[] {
  if (forced !== undefined) return [forced];
  const local = findReach(registry.replace(/:\d+$/, '')) === 'loopback';
  return insecure || local ? ['https', 'http'] : ['https'];
}
