import { dirname, join, resolve } from 'node:path';

import { writeFileAtomically } from '../base/atomic-file.js';
import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { makeFolders, makeReadableFolders } from '../base/make-folders.js';
import type { JsonObject } from '../base/strict-json.js';
import { runProgram } from '../base/subprocess.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { removeRequirements, setDefault, setRequirements } from '../trust/edit-policy.js';
import { removePlaces, writePlaces } from '../trust/edit-registries-d.js';
import { acquireLock } from '../sys/lock-file.js';
import { MAX_KEY_BYTES, readKeyFile } from '../trust/load-keys.js';
import { readPolicy, type PolicyPlace } from '../trust/load-policy.js';
import { identifyOpenPgpKey } from '../trust/openpgp-keys.js';
import { readPublicKeys } from '../trust/public-keys.js';
import { parsePlaceUrl } from '../trust/registries-d.js';

import type { Host } from './host.js';
import { assertInsideTree } from './inside-tree.js';

/** Where a host's trust is configured: paths to open. */
export interface TrustPlaces {
  readonly policy: PolicyPlace;
  readonly registriesD: string;
  /** What a policy that does not exist yet begins as; nothing unless given. */
  readonly inherited?: PolicyPlace | undefined;
}

/** What `berth trust add` asks for. */
export interface TrustRule {
  readonly transport: 'docker' | 'dir';
  readonly scope: string;
  readonly type: 'signedBy' | 'sigstoreSigned' | 'insecureAcceptAnything' | 'reject';
  /** Keys to copy into the policy: files, or what gpg knows a key by. */
  readonly pubkeys: readonly string[];
  /** Files of keys that the policy is to name. */
  readonly pubkeyFiles: readonly string[];
  /** Where the signatures are. */
  readonly sigstore: string | undefined;
}

/**
 * Sets what has to hold for a scope, in place of what held. Each key makes a requirement of its own: all of them have to have signed.
 * The place of the signatures is written first: a requirement without it would refuse what is signed.
 *
 * @throws OperationalError USAGE, CONFIG_INVALID, SIGNATURE_KEY_INVALID
 */
export async function addTrust(host: Host, places: TrustPlaces, rule: TrustRule): Promise<void> {
  const { transport, scope, type, sigstore } = rule;
  const requirements = await makeRequirements(host, rule);
  const { path: file } = places.policy;
  await withPolicyLock(host, async () => {
    const text = await readForChange(places);
    const policy = setRequirements(text, { transport, scope }, { requirements, file });
    const attachments = type === 'sigstoreSigned' ? true : undefined;
    if (
      transport === 'docker' &&
      scope !== '' &&
      (sigstore !== undefined || attachments === true)
    ) {
      await writePlaces(places.registriesD, scope, { lookaside: sigstore, attachments });
    } else if (sigstore !== undefined) {
      throw new OperationalError('USAGE', '--sigstore: only a scope of registries has one');
    }
    await writePolicy(file, policy);
  });
}

/**
 * Forgets what has to hold for a scope; with `keepPlaces` not where its signatures are.
 *
 * @throws OperationalError USAGE, CONFIG_INVALID
 */
export async function deleteTrust(
  host: Host,
  places: TrustPlaces,
  at: {
    readonly transport: 'docker' | 'dir';
    readonly scope: string;
    readonly keepPlaces: boolean;
  },
): Promise<void> {
  const { path: file } = places.policy;
  await withPolicyLock(host, async () => {
    const policy = removeRequirements(await readForChange(places), at, file);
    // First: this may refuse, and what is half done then still asks for signatures.
    if (!at.keepPlaces && at.transport === 'docker')
      await removePlaces(places.registriesD, at.scope);
    await writePolicy(file, policy);
  });
}

/** Sets what holds for all that no scope speaks of. */
export async function setDefaultTrust(
  host: Host,
  places: TrustPlaces,
  type: 'insecureAcceptAnything' | 'reject',
): Promise<void> {
  const { path: file } = places.policy;
  await withPolicyLock(host, async () => {
    await writePolicy(file, setDefault(await readForChange(places), type, file));
  });
}

/** Of two changes at once the second is made to what the first has left, and none is lost. */
async function withPolicyLock({ paths, signal }: Host, change: () => Promise<void>): Promise<void> {
  const folder = paths.onDisk(paths.lockDir);
  await makeFolders(folder, 0o700);
  const lock = await acquireLock(join(folder, '.trust.lock'), { mode: 'exclusive', signal });
  try {
    await change();
  } finally {
    lock.release();
  }
}

/** One that does not exist is made; a symbolic link would be replaced by what is written, and is refused. */
async function readForChange({ policy, inherited }: TrustPlaces): Promise<Buffer | undefined> {
  const own = await readPolicy({ ...policy, isNamed: false });
  return own ?? (inherited === undefined ? undefined : await readPolicy(inherited));
}

async function writePolicy(file: string, text: string): Promise<void> {
  await makeReadableFolders(dirname(file));
  await writeFileAtomically(file, text);
}

async function makeRequirements(host: Host, rule: TrustRule): Promise<readonly JsonObject[]> {
  const { type, pubkeys, pubkeyFiles, sigstore } = rule;
  const keyCount = pubkeys.length + pubkeyFiles.length;
  if (sigstore !== undefined) parseSigstore(sigstore);
  if (type === 'insecureAcceptAnything' || type === 'reject') {
    if (keyCount > 0) throw new OperationalError('USAGE', `type ${type} takes no keys`);
    return [{ type }];
  }
  if (keyCount === 0) {
    throw new OperationalError('USAGE', `type ${type} takes a key`, {
      hint: 'name one with --pubkeys or --pubkeysfile',
    });
  }
  const common = type === 'signedBy' ? { type, keyType: 'GPGKeys' } : { type };
  // What cosign makes names no tag.
  const identity = type === 'signedBy' ? {} : { signedIdentity: { type: 'matchRepository' } };
  const requirements: JsonObject[] = [];
  const seen = new Set<string>();
  const take = (bytes: Buffer, key: string): Buffer => {
    const fingerprint = identifyKey(type, bytes, key);
    if (seen.has(fingerprint))
      throw new OperationalError('USAGE', `${quote(key)} is a key that is named twice`, {
        hint: 'each key makes a requirement, and one signature would meet both',
      });
    seen.add(fingerprint);
    return bytes;
  };
  for (const key of pubkeys) {
    const bytes = take(await readKey(host, type, key), key);
    requirements.push({ ...common, keyData: bytes.toString('base64'), ...identity });
  }
  for (const key of pubkeyFiles) {
    const keyPath = resolve(key);
    // With --root the path is one of the tree: as the policy has it, and as it will be read.
    await assertInsideTree(host.paths, keyPath);
    take(await readNamedKey(host.paths.onDisk(keyPath), keyPath), key);
    requirements.push({ ...common, keyPath, ...identity });
  }
  return requirements;
}

/** The same for the same key, however it is written. @throws OperationalError SIGNATURE_KEY_INVALID for what is none */
function identifyKey(type: 'signedBy' | 'sigstoreSigned', bytes: Buffer, key: string): string {
  const named = { bytes, name: quote(key) };
  if (type === 'signedBy') return identifyOpenPgpKey(named);
  return readPublicKeys([named])[0]?.fingerprint ?? '';
}

/** A file, or for OpenPGP what gpg knows a key by; addresses of the web are not fetched: who else could change what comes? */
async function readKey(
  host: Host,
  type: 'signedBy' | 'sigstoreSigned',
  key: string,
): Promise<Buffer> {
  if (/^https?:/i.test(key)) {
    throw new OperationalError('USAGE', `--pubkeys: ${quote(key)} is not fetched`, {
      hint: 'fetch the key, compare its fingerprint, and name the file',
    });
  }
  try {
    return await readFileBounded(key, { maxBytes: MAX_KEY_BYTES });
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR') || key.includes('/') || type !== 'signedBy')
      throw unreadable(key, error);
  }
  const home = host.conf.trust['gnupg-home'];
  const from = home === undefined ? [] : ['--homedir', home];
  const { HOME: user = '/root', GNUPGHOME: moved } = process.env;
  const { stdout } = await runProgram(['gpg', '--batch', ...from, '--export', '--', key], {
    env: { HOME: user, ...(moved === undefined ? {} : { GNUPGHOME: moved }) },
    signal: host.signal,
  });
  if (stdout.length > 0) return stdout;
  throw new OperationalError('SIGNATURE_KEY_INVALID', `there is no file and no key ${quote(key)}`);
}

async function readNamedKey(path: string, named: string): Promise<Buffer> {
  try {
    return await readKeyFile(path, named);
  } catch (error) {
    if (error instanceof OperationalError) throw error;
    throw unreadable(named, error);
  }
}

function unreadable(path: string, cause: unknown): OperationalError {
  return new OperationalError('SIGNATURE_KEY_INVALID', `cannot read the key ${quote(path)}`, {
    cause,
  });
}

function parseSigstore(url: string): void {
  try {
    parsePlaceUrl(url, '--sigstore');
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
    throw new OperationalError('USAGE', error.message);
  }
}
