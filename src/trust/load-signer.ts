import { readAuthorities, type CertifiedSigner } from './certified-signer.js';
import { loadKeys } from './load-keys.js';
import type { Signer } from './policy.js';
import { readPublicKeys, type PublicKey } from './public-keys.js';

/** Who has to have signed, with the keys and certificates that a policy names. */
export type LoadedSigner =
  CertifiedSigner | { readonly kind: 'keys'; readonly keys: readonly PublicKey[] };

/**
 * Reads the keys and certificates of who has to have signed in sigstore's manner.
 *
 * @param onDisk A path of the host as a path to open; may throw
 * @throws OperationalError SIGNATURE_KEY_INVALID
 */
export async function loadSigner(
  signer: Signer,
  onDisk: (path: string) => Promise<string>,
): Promise<LoadedSigner> {
  if (signer.kind === 'keys')
    return { kind: 'keys', keys: readPublicKeys(await loadKeys(signer.keys, onDisk)) };
  const roots = readAuthorities(await loadKeys(signer.roots, onDisk));
  if (signer.kind === 'fulcio') return { ...signer, roots };
  const between =
    signer.between === undefined ? [] : readAuthorities(await loadKeys(signer.between, onDisk));
  return { ...signer, roots, between };
}
