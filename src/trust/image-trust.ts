import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { RegistryClient } from '../registry/registry-client.js';
import { judgeClaim, takesUnnamed } from './judge-claim.js';
import { loadKeys } from './load-keys.js';
import { loadPolicy, type PolicyPlace } from './load-policy.js';
import type { Requirements, SignatureRequirement, TrustPolicy } from './policy.js';
import { followLinks } from './path-scopes.js';
import { loadSigner } from './load-signer.js';
import { readLogKeys } from './public-keys.js';
import { openSignatures, type SignatureList, type SignedDocument } from './read-signatures.js';
import { loadRegistriesD, type RegistriesD } from './registries-d.js';
import { findRequirements } from './scopes.js';
import type { UntrustedSignature } from './signature-blob.js';
import {
  badSignatures,
  describeImage,
  missingSignature,
  unsupportedRequirement,
} from './trust-errors.js';
import { verifyBundle } from './verify-bundle.js';
import { GpgVerifier, type VerifiedSignature } from './verify-gpg.js';
import { verifySigstore } from './verify-sigstore.js';

/** Which signature met a requirement. */
export interface AcceptedSignature {
  readonly type: SignatureRequirement['type'];
  /** Of the primary key: an OpenPGP fingerprint, or `sha256:` of a public key; by a certificate, whose it is. */
  readonly key: string;
  /** What the signer calls the image: a name, or where he names none its digest. */
  readonly identity: string;
  /** When it was made, by what was signed; milliseconds since the epoch. Undefined where nothing says so, or the future is said. */
  readonly madeAtMs?: number | undefined;
}

/** Why an image was taken. */
export interface TrustRecord {
  /** Which part of the policy held: `docker:registry.example/etcd`. */
  readonly scope: string;
  /** One for each requirement of a signature; none where the policy asks for none. */
  readonly signatures: readonly AcceptedSignature[];
}

/** A {@link TrustRecord} with what it rests on. */
export interface TrustVerdict {
  readonly record: TrustRecord;
  /** The signatures that met the requirements, as they came: they can be verified again where nobody can be asked. */
  readonly evidence: readonly UntrustedSignature[];
}

/** A manifest or index whose digest was verified. */
export interface DocumentToCheck extends SignedDocument {
  /** Undefined for what the store has: signatures by another algorithm than that of the digest say nothing of it. */
  readonly bytes?: Uint8Array | undefined;
  /** Signatures that were kept of it: they are verified first, and the others are only asked for where they do not do. */
  readonly kept?: readonly UntrustedSignature[] | undefined;
}

/** Decides which images are taken. */
export interface ImageTrust {
  /**
   * Holds a manifest or an index to the policy, before anything in it is believed.
   *
   * @throws OperationalError SIGNATURE_REFUSED, SIGNATURE_MISSING, SIGNATURE_INVALID, SIGNATURE_UNAVAILABLE, SIGNATURE_KEY_INVALID,
   * SIGNATURE_UNSUPPORTED, CONFIG_INVALID, PROGRAM_MISSING
   */
  check(document: DocumentToCheck, signal: AbortSignal): Promise<TrustVerdict>;
}

/** What {@link PolicyTrust} works with. */
export interface PolicyTrustOptions {
  readonly policy: PolicyPlace;
  /** The folder of containers-registries.d(5). */
  readonly registriesD: string;
  /** Where signatures are where nothing is said of it; the system's place unless given. */
  readonly lookaside?: string | undefined;
  /** Scopes of registries whose images may be signed by their digest alone; none unless given. */
  readonly unnamed?: readonly string[] | undefined;
  readonly registryClient: Pick<RegistryClient, 'fetchFile'>;
  /** A path of the host, as policies name keys, as a path to open; may throw. */
  readonly onDisk: (path: string) => Promise<string>;
}

/** What a requirement is held against. */
interface Case {
  readonly document: DocumentToCheck;
  readonly scope: string;
  readonly signal: AbortSignal;
}

/** A signature that met a requirement. */
interface Met {
  readonly accepted: AcceptedSignature;
  readonly signature: UntrustedSignature;
}

/** Trust by containers-policy.json(5). The policy is read once, at the first image. */
export class PolicyTrust implements ImageTrust {
  readonly #options: PolicyTrustOptions;
  #policy: Promise<TrustPolicy> | undefined;
  #registriesD: Promise<RegistriesD> | undefined;

  constructor(options: PolicyTrustOptions) {
    this.#options = options;
  }

  async check(document: DocumentToCheck, signal: AbortSignal): Promise<TrustVerdict> {
    const written = await (this.#policy ??= loadPolicy(this.#options.policy));
    const { policy, identity } = await followLinks(written, document.source.identity);
    const { scope, requirements } = findRequirements(policy, identity);
    if (requirements.some(({ type }) => type === 'reject')) {
      throw new OperationalError(
        'SIGNATURE_REFUSED',
        `the policy ${quote(this.#options.policy.path)} rejects ${describeImage(document)} (${scope})`,
        { hint: "'berth trust show' lists what it takes" },
      );
    }
    for (const one of requirements)
      if ('foreign' in one) throw unsupportedRequirement(one, { document, scope });
    const wanted = signaturesWanted(requirements);
    if (wanted.length === 0) return { record: { scope, signatures: [] }, evidence: [] };
    const at = { document, scope, signal };
    return (
      (await this.#meetByKept(wanted, at)) ??
      (await this.#meetAll(wanted, at, await this.#open(at)))
    );
  }

  /** By the signatures that were kept; undefined where these do not do: the keys may be others by now. */
  async #meetByKept(
    wanted: readonly SignatureRequirement[],
    at: Case,
  ): Promise<TrustVerdict | undefined> {
    const { kept = [] } = at.document;
    if (kept.length === 0) return undefined;
    try {
      return await this.#meetAll(wanted, at, { forType: () => [() => Promise.resolve(kept)] });
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      if (error.code === 'SIGNATURE_INVALID' || error.code === 'SIGNATURE_MISSING')
        return undefined;
      throw error;
    }
  }

  async #meetAll(
    wanted: readonly SignatureRequirement[],
    at: Case,
    list: SignatureList,
  ): Promise<TrustVerdict> {
    const met: Met[] = [];
    for (const requirement of wanted) met.push(await this.#meet(requirement, at, list));
    return {
      record: { scope: at.scope, signatures: met.map(({ accepted }) => accepted) },
      evidence: [...new Set(met.map(({ signature }) => signature))],
    };
  }

  async #open({ document, signal }: Case): Promise<SignatureList> {
    const { registryClient, onDisk, registriesD, lookaside } = this.#options;
    const conf = await (this.#registriesD ??= loadRegistriesD(registriesD, lookaside));
    return openSignatures(document, { registriesD: conf, registryClient, onDisk, signal });
  }

  /**
   * One good signature is enough, and none is not: how many bad ones lie beside it says nothing. A place that cannot be read does
   * not matter where another one has a good signature; where none has, it may have been there.
   */
  async #meet(requirement: SignatureRequirement, at: Case, list: SignatureList): Promise<Met> {
    const { type } = requirement;
    const kinds = type === 'signedBy' ? ['simple'] : ['sigstore', 'bundle'];
    const reasons: string[] = [];
    const unnamed = takesUnnamed(this.#options.unnamed, at.document.source.identity);
    let others = 0;
    let isUnnamed = false;
    let failure: Error | undefined;
    await using verifier = await this.#verifier(requirement, at.signal);
    for (const read of list.forType(type)) {
      let found: readonly UntrustedSignature[];
      try {
        found = await read();
      } catch (error) {
        at.signal.throwIfAborted();
        failure ??= error instanceof Error ? error : new Error(String(error));
        continue;
      }
      const candidates = found.filter(({ kind }) => kinds.includes(kind));
      others += found.length - candidates.length;
      let newest: Met | undefined;
      for (const candidate of candidates) {
        const verified = await verifier.verify(candidate);
        const judged = verified.good
          ? judgeClaim(verified, { ...at.document, ...requirement, form: candidate.kind, unnamed })
          : { why: verified.why };
        if ('why' in judged) {
          reasons.push(`${candidate.name}: ${judged.why}`);
          isUnnamed ||= 'isUnnamed' in judged;
        }
        // The newest of them says how fresh the image is: an old one proves as much of who signed, and less of that.
        else if ((judged.madeAtMs ?? 0) >= (newest?.accepted.madeAtMs ?? 0))
          newest = { accepted: { type, ...judged }, signature: candidate };
      }
      if (newest !== undefined) return newest;
    }
    if (failure !== undefined) throw failure;
    if (reasons.length === 0) throw missingSignature(type, others, at);
    throw badSignatures(reasons, { ...at, isUnnamed });
  }

  async #verifier(
    { type, signer, logKeys }: SignatureRequirement,
    signal: AbortSignal,
  ): Promise<
    AsyncDisposable & { verify(signature: UntrustedSignature): Promise<VerifiedSignature> }
  > {
    const { onDisk } = this.#options;
    const other: VerifiedSignature = { good: false, why: 'it is of another kind' };
    if (type === 'signedBy' && signer.kind === 'keys') {
      const gpg = await GpgVerifier.create(await loadKeys(signer.keys, onDisk), { signal });
      return {
        verify: async (one) => (one.kind === 'simple' ? await gpg.verify(one.blob) : other),
        [Symbol.asyncDispose]: () => gpg[Symbol.asyncDispose](),
      };
    }
    const whom = {
      signer: await loadSigner(signer, onDisk),
      logKeys: logKeys === undefined ? undefined : readLogKeys(await loadKeys(logKeys, onDisk)),
      nowMs: Date.now(),
    };
    return {
      verify: (one) =>
        Promise.resolve(
          one.kind === 'sigstore'
            ? verifySigstore(one, whom)
            : one.kind === 'bundle'
              ? verifyBundle(one.bundle, whom)
              : other,
        ),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
}

function signaturesWanted(requirements: Requirements): readonly SignatureRequirement[] {
  return requirements.flatMap((one) => ('signer' in one ? [one] : []));
}
