import { OperationalError } from '../errors/operational-error.js';
import {
  canonicalRegistry,
  DOCKER_HUB,
  parseReference,
  qualifyReference,
  type QualifiedReference,
} from '../oci/reference.js';
import type {
  Requirement,
  Requirements,
  SignatureRequirement,
  SignedIdentity,
  TrustPolicy,
} from './policy.js';
import { keysOf, LOG_KEYS, parseKeys, parseSigner, SIGNERS } from './parse-signer.js';
import { StrictFields } from './strict-fields.js';

/** Transports whose scopes are paths. */
export const PATH_TRANSPORTS: readonly string[] = ['dir', 'oci', 'oci-archive', 'sif'];

/** Transports whose scopes begin with the name of a registry. */
const NAME_TRANSPORTS = ['docker', 'docker-daemon', 'atomic'];

/** Kinds of keys that containers-policy.json(5) has names for, and nobody verifies. */
const FOREIGN_KEYS = ['signedByGPGKeys', 'X509Certificates', 'signedByX509CAs'];

/**
 * Parses containers-policy.json(5). What is not understood is refused, wherever it stands: a requirement that is passed over is
 * one that is not met.
 *
 * @throws OperationalError CONFIG_INVALID naming file and key
 */
export function parsePolicy(bytes: Uint8Array, file: string): TrustPolicy {
  const top = StrictFields.parse(bytes, { what: file, code: 'CONFIG_INVALID' });
  top.allowOnly('default', 'transports');
  const transports = new Map<string, ReadonlyMap<string, Requirements>>();
  if (top.has('transports')) {
    const all = top.object('transports');
    for (const transport of all.keys) {
      transports.set(transport, parseScopes(all.object(transport), transport));
    }
  }
  return { default: parseRequirements(top, 'default'), transports };
}

/** One requirement as it stands in a policy. */
export function parseRequirement(fields: StrictFields): Requirement {
  const type = fields.text('type');
  switch (type) {
    case 'insecureAcceptAnything':
    case 'reject':
      fields.allowOnly('type');
      return { type };
    case 'signedBy':
      return parseSignedBy(fields);
    case 'sigstoreSigned':
      return parseSigstoreSigned(fields);
    case 'signedBaseLayer':
      fields.allowOnly('type', 'baseLayerIdentity');
      return { type, foreign: type };
    default:
      return fields.fail(
        'type',
        `is '${type}': berth knows insecureAcceptAnything, reject, signedBy and sigstoreSigned`,
      );
  }
}

function parseScopes(fields: StrictFields, transport: string): ReadonlyMap<string, Requirements> {
  const scopes = new Map<string, Requirements>();
  for (const key of fields.keys) {
    const why = key === '' ? undefined : findScopeFault(transport, key);
    if (why !== undefined) fields.fail(key, why);
    const scope = normaliseScope(transport, key);
    if (scopes.has(scope)) fields.fail(key, 'stands there twice, written in another way');
    scopes.set(scope, parseRequirements(fields, key));
  }
  return scopes;
}

/**
 * Why a scope can never fit any image of its transport; undefined if it can. Such a line is refused, not passed over: whoever wrote
 * it means it to hold.
 */
export function findScopeFault(transport: string, scope: string): string | undefined {
  if (transport === 'docker-archive' || transport === 'tarball')
    return 'is a scope: images of this transport have none but the empty one';
  if (PATH_TRANSPORTS.includes(transport)) {
    if (!scope.startsWith('/')) return 'is not an absolute path';
    if (scope === '/') return "is not a scope: the empty one ('') stands for all";
    return /\/(?:\/|\.{1,2}(?:\/|$)|$)/.test(scope)
      ? 'is not a plain path: without //, /./, /../ and / at its end'
      : undefined;
  }
  if (NAME_TRANSPORTS.includes(transport)) {
    if (!/^(?:\*\.)?[^*\s]+$/.test(scope) || /\/$|\/\/|^\//.test(scope))
      return 'is neither HOST[:PORT][/NAMESPACE…][:TAG|@DIGEST] nor *.DOMAIN';
    if (/^docker\.io\/[^/]+[:@]/.test(normaliseScope(transport, scope)))
      return `names no image: the hub has those without a namespace as ${DOCKER_HUB}/library/…`;
    // Of `atomic:` nothing is read here.
    if (transport === 'atomic' || scope.startsWith('*.') || namesHost(scope)) return undefined;
    return `names no registry: it takes the whole name, ${DOCKER_HUB}/library/etcd in place of etcd`;
  }
  return undefined;
}

/** As {@link parseReference} tells a host from a namespace; with a port it is one, whatever it looks like. */
function namesHost(scope: string): boolean {
  const [first = ''] = scope.split('/', 1);
  const host = first.replace(/:\d+$/, '');
  return host !== first || host === 'localhost' || /^(?:[^:]*\.[^:]*|\[.*\])$/.test(host);
}

/**
 * Hosts are compared in lower case, and the hub by one of its names, as {@link parseReference} gives them: a rule must not miss its
 * registry for a capital.
 */
export function normaliseScope(transport: string, scope: string): string {
  if (!NAME_TRANSPORTS.includes(transport)) return scope;
  const slash = scope.indexOf('/');
  const host = (slash === -1 ? scope : scope.slice(0, slash)).toLowerCase();
  return canonicalRegistry(host) + (slash === -1 ? '' : scope.slice(slash));
}

function parseRequirements(fields: StrictFields, key: string): Requirements {
  return fields.objects(key).map(parseRequirement);
}

function parseSignedBy(fields: StrictFields): Requirement {
  fields.allowOnly('type', 'keyType', 'keyPath', 'keyPaths', 'keyData', 'signedIdentity');
  const type = 'signedBy';
  const keyType = fields.text('keyType');
  const signer = { kind: 'keys', keys: keysOf(fields) } as const;
  const signedIdentity = parseIdentity(fields);
  if (FOREIGN_KEYS.includes(keyType)) return { type, foreign: `${type} with ${keyType}` };
  if (keyType !== 'GPGKeys') fields.fail('keyType', `is '${keyType}': berth knows GPGKeys`);
  return { type, signer, signedIdentity };
}

function parseSigstoreSigned(fields: StrictFields): SignatureRequirement {
  fields.allowOnly('type', 'signedIdentity', ...SIGNERS, ...LOG_KEYS);
  const signedIdentity = parseIdentity(fields);
  const logKeys = parseKeys(fields, LOG_KEYS);
  const signer = parseSigner(fields);
  // What a certificate was good for is known by when the log took the signature in alone: it lives ten minutes.
  if (signer.kind === 'fulcio' && logKeys === undefined)
    fields.fail('', `has fulcio and none of ${LOG_KEYS.join(', ')}`);
  if (signer.kind === 'pki' && logKeys !== undefined)
    fields.fail('', 'has pki and a key of a log, which are not for each other');
  const type = 'sigstoreSigned';
  return { type, signer, signedIdentity, ...(logKeys === undefined ? {} : { logKeys }) };
}

function parseIdentity(fields: StrictFields): SignedIdentity {
  if (!fields.has('signedIdentity')) return { type: 'matchRepoDigestOrExact' };
  const identity = fields.object('signedIdentity');
  const type = identity.text('type');
  switch (type) {
    case 'matchExact':
    case 'matchRepoDigestOrExact':
    case 'matchRepository':
      identity.allowOnly('type');
      return { type };
    case 'exactReference': {
      identity.allowOnly('type', 'dockerReference');
      const reference = parseName(identity, 'dockerReference');
      if (reference.tag === undefined && reference.digest === undefined)
        identity.fail('dockerReference', 'has neither tag nor digest');
      return { type, reference };
    }
    case 'exactRepository': {
      identity.allowOnly('type', 'dockerRepository');
      const repository = parseName(identity, 'dockerRepository');
      if (repository.tag !== undefined || repository.digest !== undefined)
        identity.fail('dockerRepository', 'has a tag or digest');
      return { type, repository };
    }
    case 'remapIdentity':
      identity.allowOnly('type', 'prefix', 'signedPrefix');
      return {
        type,
        prefix: parsePrefix(identity, 'prefix'),
        signedPrefix: parsePrefix(identity, 'signedPrefix'),
      };
    default:
      return identity.fail('type', `is '${type}', which berth does not know`);
  }
}

function parseName(fields: StrictFields, key: string): QualifiedReference {
  try {
    return qualifyReference(parseReference(fields.text(key)), DOCKER_HUB);
  } catch (error) {
    if (error instanceof OperationalError) fields.fail(key, `is wrong: ${error.message}`);
    throw error;
  }
}

/** `HOST[:PORT]`, `HOST[:PORT]/NAMESPACE…`: without tag and digest. */
function parsePrefix(fields: StrictFields, key: string): string {
  const text = normaliseScope('docker', fields.text(key));
  if (!/^[a-z0-9[][a-z0-9.:\][-]*(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$/.test(text))
    fields.fail(key, 'is not HOST[:PORT][/NAMESPACE…]');
  return text;
}
