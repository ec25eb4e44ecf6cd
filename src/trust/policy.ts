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

/** Who has to have signed: somebody with one of some keys, or with a certificate of some authority. */
export type Signer =
  | { readonly kind: 'keys'; readonly keys: KeySource }
  | {
      /** An authority that certifies for minutes whose address it is, by what another one says (fulcio). */
      readonly kind: 'fulcio';
      readonly roots: KeySource;
      /** Who has to have said it: an URL, compared as it stands. */
      readonly issuer: string;
      readonly email: string;
    }
  | {
      readonly kind: 'pki';
      readonly roots: KeySource;
      /** Authorities that may stand between; undefined where they come with the signature. */
      readonly between: KeySource | undefined;
      /** At least one of them; both have to fit. */
      readonly email: string | undefined;
      readonly host: string | undefined;
    };

/** A requirement that a signature has to meet. */
export interface SignatureRequirement {
  /** `signedBy`: OpenPGP, "simple signing", by keys alone; `sigstoreSigned`: a public key or certificate of sigstore's kind. */
  readonly type: 'signedBy' | 'sigstoreSigned';
  readonly signer: Signer;
  /** Of a transparency log that has to have the signature, with `sigstoreSigned`; undefined where none has to. */
  readonly logKeys?: KeySource | undefined;
  readonly signedIdentity: SignedIdentity;
}

/** A requirement that nobody verifies, berth as little as podman: what it holds for is refused. */
export interface ForeignRequirement {
  readonly type: 'signedBy' | 'signedBaseLayer';
  /** What it asks for, in words. */
  readonly foreign: string;
}

/** One requirement of containers-policy.json(5). */
export type Requirement =
  | { readonly type: 'insecureAcceptAnything' | 'reject' }
  | SignatureRequirement
  | ForeignRequirement;

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
