import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { formatRepository } from '../oci/reference.js';
import type { ForeignRequirement, SignatureRequirement } from './policy.js';
import type { SignedDocument } from './read-signatures.js';

/** Most reasons that are told of signatures that did not do. */
const MAX_REASONS = 3;

/** Which image is spoken of, and under which scope of the policy. */
interface Spoken {
  readonly document: SignedDocument;
  readonly scope: string;
}

/** `'docker://registry.example/etcd:3.5' (sha256:…)`. */
export function describeImage({ source, digest }: SignedDocument): string {
  return `${quote(source.name)} (${digest})`;
}

/** There is no signature of the kind that a requirement asks for. */
export function missingSignature(
  type: SignatureRequirement['type'],
  others: number,
  { document, scope }: Spoken,
): OperationalError {
  const kind = type === 'signedBy' ? 'OpenPGP' : 'sigstore';
  const beside = others === 0 ? '' : `, and ${others} of another kind`;
  return new OperationalError(
    'SIGNATURE_MISSING',
    `${describeImage(document)} has no ${kind} signature${beside}; the policy asks for one (${scope})`,
    { hint: hintFor(document, type) },
  );
}

/** There are signatures, and none is what a requirement asks for. */
export function badSignatures(
  reasons: readonly string[],
  { document, scope, isUnnamed }: Spoken & { readonly isUnnamed: boolean },
): OperationalError {
  const told = reasons.slice(0, MAX_REASONS).join('; ');
  const more = reasons.length > MAX_REASONS ? ` and ${reasons.length - MAX_REASONS} more` : '';
  const { reference } = document.source.identity;
  return new OperationalError(
    'SIGNATURE_INVALID',
    `no signature of ${describeImage(document)} is what the policy asks for (${scope}): ${told}${more}`,
    {
      hint:
        isUnnamed && reference !== undefined
          ? `if any image of this signer may stand in its place, say so in berth.conf, section [trust]: unnamed-signatures = ["${formatRepository(reference)}"]`
          : undefined,
    },
  );
}

/** A requirement asks for what berth does not verify. */
export function unsupportedRequirement(
  { foreign }: ForeignRequirement,
  { document, scope }: Spoken,
): OperationalError {
  return new OperationalError(
    'SIGNATURE_UNSUPPORTED',
    `refusing ${describeImage(document)}: the policy asks for ${foreign} (${scope}), which berth does not verify`,
    {
      hint: `give the images of this scope another requirement, by a scope of their own in the policy: 'berth trust add --pubkeysfile KEY SCOPE'`,
    },
  );
}

function hintFor(
  { source, isTop }: SignedDocument,
  type: SignatureRequirement['type'],
): string | undefined {
  if (source.identity.transport !== 'docker') return 'images of this transport carry no signatures';
  if (type === 'sigstoreSigned')
    return 'signatures in the registry are looked for where /etc/containers/registries.d has use-sigstore-attachments: true';
  return isTop
    ? 'berth sign makes one'
    : 'index and manifest have to be signed: berth sign signs both';
}
