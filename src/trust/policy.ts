import type { QualifiedReference } from '../oci/reference.js';

/** What an image has to be called by its signature (containers-policy.json(5), `signedIdentity`). */
export type SignedIdentity =
  | { readonly type: 'matchExact' | 'matchRepoDigestOrExact' | 'matchRepository' }
  | { readonly type: 'exactReference'; readonly reference: QualifiedReference }
  | { readonly type: 'exactRepository'; readonly repository: QualifiedReference }
  | {
      readonly type: 'remapIdentity';
      /** A host, a namespace or a repository. */
      readonly prefix: string;
      readonly signedPrefix: string;
    };

/** Where the keys of a requirement are: any one of them may have signed. */
export type KeySource =
  | { readonly kind: 'files'; readonly paths: readonly string[] }
  | { readonly kind: 'data'; readonly data: readonly Buffer[] };

/** A requirement that a signature has to meet. */
export interface SignatureRequirement {
  /** `signedBy`: OpenPGP, "simple signing"; `sigstoreSigned`: a public key of sigstore's kind. */
  readonly type: 'signedBy' | 'sigstoreSigned';
  readonly keys: KeySource;
  /** Of a transparency log that has to have the signature, with `sigstoreSigned`; undefined where none has to. */
  readonly logKeys?: KeySource | undefined;
  readonly signedIdentity: SignedIdentity;
}

/** A requirement that berth cannot verify: what it holds for is refused. */
export interface CertificateRequirement {
  readonly type: 'sigstoreSigned';
  /** Which authority is to have certified who signed. */
  readonly certificates: 'fulcio' | 'pki';
}

/** One requirement of containers-policy.json(5). */
export type Requirement =
  | { readonly type: 'insecureAcceptAnything' | 'reject' }
  | SignatureRequirement
  | CertificateRequirement;

/** All of them have to be met; there is at least one. */
export type Requirements = readonly Requirement[];

/** Which images are taken from where. */
export interface TrustPolicy {
  readonly default: Requirements;
  /** By transport, then by scope; the empty scope is the transport's default. */
  readonly transports: ReadonlyMap<string, ReadonlyMap<string, Requirements>>;
}

/** Where no policy is: everything is taken. */
export const ACCEPT_ANYTHING: TrustPolicy = {
  default: [{ type: 'insecureAcceptAnything' }],
  transports: new Map(),
};
