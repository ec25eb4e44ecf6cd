import { effectiveTag, formatRepository } from '../oci/reference.js';
import type { ImageIdentity } from '../transport/image-source.js';
import type { Requirements, TrustPolicy } from './policy.js';

/** The requirements that hold for an image, and where they stand. */
export interface ChosenRequirements {
  /** `docker:registry.example/etcd`, `docker:` for the default of a transport, or `default`. */
  readonly scope: string;
  readonly requirements: Requirements;
}

/**
 * The requirements for an image: those of the most specific scope that is there, else the transport's default, else the policy's.
 * Requirements of other scopes play no part.
 */
export function findRequirements(policy: TrustPolicy, identity: ImageIdentity): ChosenRequirements {
  const { transport } = identity;
  const scopes = policy.transports.get(transport);
  const named = scopes === undefined ? [] : requirementsOfNames(scopes, identity);
  const withNamed = (chosen: ChosenRequirements): ChosenRequirements =>
    named.length === 0 ? chosen : { ...chosen, requirements: [...chosen.requirements, ...named] };
  for (const scope of scopes === undefined ? [] : [...listScopes(identity), '']) {
    const requirements = scopes?.get(scope);
    if (requirements !== undefined)
      return withNamed({ scope: `${transport}:${scope}`, requirements });
  }
  return withNamed({ scope: 'default', requirements: policy.default });
}

/**
 * What holds for images of a layout by their names, where the image is not called by one: it may be any of them, and leaving the
 * name out must not be a way round a rule.
 */
function requirementsOfNames(
  scopes: ReadonlyMap<string, Requirements>,
  { transport, path, imageName }: ImageIdentity,
): Requirements {
  if (path === undefined || imageName !== undefined || !LAYOUTS.includes(transport)) return [];
  return [...scopes].flatMap(([scope, requirements]) =>
    scope.startsWith(`${path}:`) ? requirements : [],
  );
}

const LAYOUTS: readonly ImageIdentity['transport'][] = ['oci', 'oci-archive'];

/**
 * The scopes that an image lies in, the most specific one first (containers-policy.json(5), "Supported transports and their
 * scopes"); the transport's default is not among them.
 */
export function listScopes(identity: ImageIdentity): readonly string[] {
  const { transport, reference, path, imageName } = identity;
  switch (transport) {
    case 'docker':
    case 'docker-daemon':
      return reference === undefined ? [] : nameScopes(reference);
    case 'oci':
    case 'oci-archive':
      if (path === undefined) return [];
      return [...(imageName === undefined ? [] : [`${path}:${imageName}`]), ...pathScopes(path)];
    case 'dir':
      return path === undefined ? [] : pathScopes(path);
    case 'ostree':
      return reference === undefined || path === undefined
        ? []
        : nameScopes(reference)
            .filter((scope) => !scope.startsWith('*'))
            .map((scope) => `${path}:${scope}`);
    case 'docker-archive':
      return [];
  }
}

function nameScopes(reference: NonNullable<ImageIdentity['reference']>): readonly string[] {
  const name = formatRepository(reference);
  const { digest } = reference;
  const scopes = [
    digest === undefined ? `${name}:${effectiveTag(reference) ?? ''}` : `${name}@${digest}`,
  ];
  const parts = name.split('/');
  for (let length = parts.length; length > 0; length--) {
    scopes.push(parts.slice(0, length).join('/'));
  }
  // Wildcards know no ports: registry.example:5000 is a host of *.example.
  const labels = (parts[0] ?? '').replace(/:.*$/s, '').split('.');
  for (let first = 1; first < labels.length; first++) {
    scopes.push(`*.${labels.slice(first).join('.')}`);
  }
  return scopes;
}

/** The path and the folders above it, without the root: the transport's default stands for that. */
function pathScopes(path: string): readonly string[] {
  const scopes: string[] = [];
  for (let rest = path; rest !== '' && rest !== '/'; rest = rest.slice(0, rest.lastIndexOf('/'))) {
    scopes.push(rest);
  }
  return scopes;
}
