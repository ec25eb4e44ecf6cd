import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { runProgram } from '../base/subprocess.js';
import { OperationalError } from '../errors/operational-error.js';
import { nameSigner } from './certified-signer.js';
import { loadKeys } from './load-keys.js';
import { makeKeyring } from './openpgp-keys.js';
import { loadSigner, type LoadedSigner } from './load-signer.js';
import type {
  KeySource,
  Requirement,
  SignatureRequirement,
  Signer,
  TrustPolicy,
} from './policy.js';
import type { RegistriesD } from './registries-d.js';
import { readLogKeys } from './public-keys.js';

/** A requirement of a scope, as people look at it. */
export interface TrustEntry {
  readonly transport: string;
  /** The empty one is the default of its transport; undefined with the transport `default`. */
  readonly scope: string | undefined;
  readonly type: Requirement['type'];
  /** Files of keys, and what can be read of all of them: fingerprints, and names where there are any. */
  readonly files: readonly string[];
  readonly keys: readonly string[];
  /** Why the keys cannot be told. */
  readonly problem: string | undefined;
  /** What signatures have to name; `matchRepoDigestOrExact` and the like. */
  readonly identity: string | undefined;
  /** Where registries.d has the signatures of just this scope. */
  readonly lookaside: string | undefined;
  readonly attachments: boolean | undefined;
}

/** What {@link describePolicy} takes. */
export interface DescribePolicyOptions {
  readonly policy: TrustPolicy;
  readonly registriesD: RegistriesD;
  readonly onDisk: (path: string) => Promise<string>;
  readonly signal: AbortSignal;
}

/** Every requirement of a policy, its default first. A key that cannot be read is a problem of its entry. */
export async function describePolicy(
  options: DescribePolicyOptions,
): Promise<readonly TrustEntry[]> {
  const { policy, registriesD } = options;
  const entries: TrustEntry[] = [];
  for (const requirement of policy.default) {
    const places = registriesD.default;
    const what = await describeRequirement(requirement, options);
    const { lookaside, attachments } = places ?? {};
    entries.push({ transport: 'default', scope: undefined, lookaside, attachments, ...what });
  }
  for (const [transport, scopes] of policy.transports) {
    for (const [scope, requirements] of scopes) {
      const places = transport === 'docker' ? registriesD.scopes.get(scope) : undefined;
      const { lookaside, attachments } = places ?? {};
      for (const requirement of requirements) {
        const what = await describeRequirement(requirement, options);
        entries.push({ transport, scope, lookaside, attachments, ...what });
      }
    }
  }
  return entries;
}

async function describeRequirement(
  requirement: Requirement,
  options: DescribePolicyOptions,
): Promise<Pick<TrustEntry, 'type' | 'files' | 'keys' | 'problem' | 'identity'>> {
  const { type } = requirement;
  if ('foreign' in requirement) {
    const problem = `${requirement.foreign} is not verified: what this holds for is refused`;
    return { type, files: [], keys: [], problem, identity: undefined };
  }
  if (!('signer' in requirement))
    return { type, files: [], keys: [], problem: undefined, identity: undefined };
  const files = [...sourcesOf(requirement.signer), requirement.logKeys].flatMap((source) =>
    source?.kind === 'files' ? source.paths : [],
  );
  const identity = requirement.signedIdentity.type;
  try {
    const keys = await listKeys(requirement, options);
    return { type, files, keys, problem: undefined, identity };
  } catch (error) {
    if (!(error instanceof OperationalError) || error.code === 'CANCELLED') throw error;
    return { type, files, keys: [], problem: error.message, identity };
  }
}

function sourcesOf(signer: Signer): readonly (KeySource | undefined)[] {
  if (signer.kind === 'keys') return [signer.keys];
  return [signer.roots, signer.kind === 'pki' ? signer.between : undefined];
}

async function listKeys(
  { type, signer, logKeys }: SignatureRequirement,
  { onDisk, signal }: DescribePolicyOptions,
): Promise<readonly string[]> {
  if (type === 'sigstoreSigned' || signer.kind !== 'keys') {
    const logs = logKeys === undefined ? [] : readLogKeys(await loadKeys(logKeys, onDisk));
    return [
      ...listSigners(await loadSigner(signer, onDisk)),
      ...logs.map(({ fingerprint }) => `${fingerprint} of the log`),
    ];
  }
  const keyring = makeKeyring(await loadKeys(signer.keys, onDisk));
  const home = await mkdtemp(join(tmpdir(), 'berth-trust-'));
  try {
    const how = ['--batch', '--no-autostart', '--with-colons', '--show-keys'];
    const { stdout } = await runProgram(['gpg', '--homedir', home, ...how], {
      input: keyring,
      signal,
    });
    return readColons(stdout.toString('utf8'));
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

function listSigners(signer: LoadedSigner): readonly string[] {
  if (signer.kind === 'keys') return signer.keys.map(({ fingerprint }) => fingerprint);
  const authorities = signer.roots.map(({ fingerprint }) => `${fingerprint} as authority`);
  return [nameSigner(signer), ...authorities];
}

/** Of GnuPG's colons: each primary key with its first name. */
function readColons(text: string): readonly string[] {
  const keys: { fingerprint: string; name: string }[] = [];
  let isPrimary = false;
  for (const line of text.split('\n')) {
    const fields = line.split(':');
    if (fields[0] === 'pub') isPrimary = true;
    if (fields[0] === 'sub') isPrimary = false;
    if (fields[0] === 'fpr' && isPrimary) keys.push({ fingerprint: fields[9] ?? '', name: '' });
    const last = keys.at(-1);
    if (fields[0] === 'uid' && last?.name === '') last.name = fields[9] ?? '';
  }
  return keys.map(({ fingerprint, name }) =>
    name === '' ? fingerprint : `${fingerprint} ${name}`,
  );
}
