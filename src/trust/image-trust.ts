import { realpath } from 'node:fs/promises';

import { quote } from '../base/escape-text.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { digestAlgorithm, digestOf, type Digest } from '../oci/digest.js';
import type { RegistryClient } from '../registry/registry-client.js';
import type { ImageIdentity, ImageSource } from '../transport/image-source.js';
import { loadKeys } from './load-keys.js';
import { loadPolicy, type PolicyPlace } from './load-policy.js';
import { matchesIdentity } from './match-identity.js';
import type { Requirements, SignatureRequirement, TrustPolicy } from './policy.js';
import { readSignatures, type SignedDocument } from './read-signatures.js';
import { loadRegistriesD, type RegistriesD } from './registries-d.js';
import { findRequirements } from './scopes.js';
import type { UntrustedSignature } from './signature-blob.js';
import { parseClaim } from './signature-claim.js';
import { GpgVerifier, type VerifiedSignature } from './verify-gpg.js';
import { readPublicKeys, verifySigstore } from './verify-sigstore.js';

/** Most reasons that are told of signatures that did not do. */
const MAX_REASONS = 3;

/** Which signature met a requirement. */
export interface AcceptedSignature {
  readonly type: SignatureRequirement['type'];
  /** Of the primary key: an OpenPGP fingerprint, or `sha256:` of a public key. */
  readonly key: string;
  /** What the signer calls the image. */
  readonly identity: string;
}

/** Why an image was taken. */
export interface TrustRecord {
  /** Which part of the policy held: `docker:registry.example/etcd`. */
  readonly scope: string;
  /** One for each requirement of a signature; none where the policy asks for none. */
  readonly signatures: readonly AcceptedSignature[];
}

/** A manifest or index whose digest was verified. */
export interface DocumentToCheck extends SignedDocument {
  /** Undefined for what the store has: signatures by another algorithm than that of the digest say nothing of it. */
  readonly bytes?: Uint8Array | undefined;
}

/** Decides which images are taken. */
export interface ImageTrust {
  /**
   * Holds a manifest or an index to the policy, before anything in it is believed.
   *
   * @throws OperationalError SIGNATURE_REFUSED, SIGNATURE_MISSING, SIGNATURE_INVALID, SIGNATURE_UNAVAILABLE, SIGNATURE_KEY_INVALID,
   * CONFIG_INVALID, PROGRAM_MISSING
   */
  check(document: DocumentToCheck, signal: AbortSignal): Promise<TrustRecord>;
}

/** What {@link PolicyTrust} works with. */
export interface PolicyTrustOptions {
  readonly policy: PolicyPlace;
  /** The folder of containers-registries.d(5). */
  readonly registriesD: string;
  readonly registryClient: Pick<RegistryClient, 'fetchFile'>;
  /** A path of the host, as policies name keys, as a path to open. */
  readonly onDisk: (path: string) => string;
}

/** Trust by containers-policy.json(5). The policy is read once, at the first image. */
export class PolicyTrust implements ImageTrust {
  readonly #options: PolicyTrustOptions;
  #policy: Promise<TrustPolicy> | undefined;
  #registriesD: Promise<RegistriesD> | undefined;

  constructor(options: PolicyTrustOptions) {
    this.#options = options;
  }

  async check(document: DocumentToCheck, signal: AbortSignal): Promise<TrustRecord> {
    const policy = await (this.#policy ??= loadPolicy(this.#options.policy));
    const identity = await resolveIdentity(document.source.identity);
    const { scope, requirements } = findRequirements(policy, identity);
    const name = nameOf(document);
    if (requirements.some(({ type }) => type === 'reject')) {
      throw new OperationalError(
        'SIGNATURE_REFUSED',
        `the policy ${quote(this.#options.policy.path)} rejects ${name} (${scope})`,
        { hint: 'berth trust show lists what it takes' },
      );
    }
    const wanted = signaturesWanted(requirements);
    if (wanted.length === 0) return { scope, signatures: [] };
    const found = await this.#read(document, signal);
    const signatures: AcceptedSignature[] = [];
    for (const requirement of wanted) {
      signatures.push(await this.#meet(requirement, found, { document, scope, signal }));
    }
    return { scope, signatures };
  }

  async #read(
    document: SignedDocument,
    signal: AbortSignal,
  ): Promise<readonly UntrustedSignature[]> {
    const { registryClient, onDisk, registriesD } = this.#options;
    const conf = await (this.#registriesD ??= loadRegistriesD(registriesD));
    return await readSignatures(document, { registriesD: conf, registryClient, onDisk, signal });
  }

  /** One good signature is enough, and none is not: how many bad ones lie beside it says nothing. */
  async #meet(
    requirement: SignatureRequirement,
    found: readonly UntrustedSignature[],
    at: {
      readonly document: DocumentToCheck;
      readonly scope: string;
      readonly signal: AbortSignal;
    },
  ): Promise<AcceptedSignature> {
    const { type, signedIdentity } = requirement;
    const kind = type === 'signedBy' ? 'simple' : 'sigstore';
    const candidates = found.filter((one) => one.kind === kind);
    if (candidates.length === 0) throw missing(type, found, at);
    await using verifier = await this.#verifier(requirement, at.signal);
    const reasons: string[] = [];
    for (const candidate of candidates) {
      const verified = await verifier.verify(candidate);
      const judged = verified.good
        ? judgeClaim(verified.document, { ...at.document, type, signedIdentity })
        : { why: verified.why };
      if (verified.good && 'identity' in judged)
        return { type, key: verified.key, identity: judged.identity };
      if ('why' in judged) reasons.push(`${candidate.name}: ${judged.why}`);
    }
    const told = reasons.slice(0, MAX_REASONS).join('; ');
    const more = reasons.length > MAX_REASONS ? ` and ${reasons.length - MAX_REASONS} more` : '';
    throw new OperationalError(
      'SIGNATURE_INVALID',
      `no signature of ${nameOf(at.document)} is what the policy asks for (${at.scope}): ${told}${more}`,
    );
  }

  async #verifier(
    { type, keys: source }: SignatureRequirement,
    signal: AbortSignal,
  ): Promise<
    AsyncDisposable & { verify(signature: UntrustedSignature): Promise<VerifiedSignature> }
  > {
    const keys = await loadKeys(source, this.#options.onDisk);
    const other: VerifiedSignature = { good: false, why: 'it is of another kind' };
    if (type === 'signedBy') {
      const gpg = await GpgVerifier.create(keys, { signal });
      return {
        verify: async (one) => (one.kind === 'simple' ? await gpg.verify(one.blob) : other),
        [Symbol.asyncDispose]: () => gpg[Symbol.asyncDispose](),
      };
    }
    const publicKeys = readPublicKeys(keys);
    return {
      verify: (one) =>
        Promise.resolve(one.kind === 'sigstore' ? verifySigstore(one, publicKeys) : other),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
}

function signaturesWanted(requirements: Requirements): readonly SignatureRequirement[] {
  return requirements.flatMap((one) =>
    one.type === 'signedBy' || one.type === 'sigstoreSigned' ? [one] : [],
  );
}

/** Whether a document that was signed by the right key speaks of this image. */
function judgeClaim(
  signed: Buffer,
  expected: DocumentToCheck & Pick<SignatureRequirement, 'type' | 'signedIdentity'>,
): { readonly identity: string } | { readonly why: string } {
  try {
    const { digest, identity } = parseClaim(signed, expected.type);
    if (!hasDigest(expected, digest)) return { why: `it is for ${digest}` };
    if (!matchesIdentity(expected.signedIdentity, identity, expected.source.identity.reference))
      return { why: `it is for ${quote(identity)}` };
    return { identity };
  } catch (error) {
    if (error instanceof OperationalError) return { why: error.message };
    throw error;
  }
}

function hasDigest({ digest, bytes }: DocumentToCheck, signed: Digest): boolean {
  if (digest === signed) return true;
  return bytes !== undefined && digestOf(bytes, digestAlgorithm(signed)) === signed;
}

function missing(
  type: SignatureRequirement['type'],
  found: readonly UntrustedSignature[],
  { document, scope }: { readonly document: DocumentToCheck; readonly scope: string },
): OperationalError {
  const kind = type === 'signedBy' ? 'OpenPGP' : 'sigstore';
  const others = found.length === 0 ? '' : `, and ${found.length} of another kind`;
  return new OperationalError(
    'SIGNATURE_MISSING',
    `${nameOf(document)} has no ${kind} signature${others}; the policy asks for one (${scope})`,
    { hint: hintFor(document, type) },
  );
}

function hintFor(
  { source, isTop }: DocumentToCheck,
  type: SignatureRequirement['type'],
): string | undefined {
  if (source.identity.transport !== 'docker') return 'images of this transport carry no signatures';
  if (type === 'sigstoreSigned')
    return 'signatures in the registry are looked for where /etc/containers/registries.d has use-sigstore-attachments: true';
  return isTop
    ? 'berth sign makes one'
    : 'index and manifest have to be signed: berth sign signs both';
}

function nameOf({
  source,
  digest,
}: {
  readonly source: ImageSource;
  readonly digest: Digest;
}): string {
  return `${quote(source.name)} (${digest})`;
}

/** Paths are compared as they are without links, as scopes have to be written. */
async function resolveIdentity(identity: ImageIdentity): Promise<ImageIdentity> {
  if (identity.path === undefined) return identity;
  try {
    return { ...identity, path: await realpath(identity.path) };
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP')) return identity; // what cannot be found cannot be read either
    throw error;
  }
}
