import { sign, type KeyObject } from 'node:crypto';

import type { ImageDestination } from '../transport/image-destination.js';
import type { ImageSource } from '../transport/image-source.js';
import { attachSignature } from './attach-signature.js';
import { attachmentTag } from './read-signatures.js';
import { signedReference, type ImageSigner } from './sign-image.js';

/**
 * Signs with a private key of sigstore's kind. The signatures go into the registry itself, where cosign and podman look for them.
 *
 * @param openTag Another tag of the same repository, to be written
 * @throws OperationalError USAGE for what is no image of a registry
 */
export function sigstoreSigner(
  source: ImageSource,
  key: KeyObject,
  {
    openTag,
    signal,
  }: {
    readonly openTag: (tag: string) => Promise<ImageDestination>;
    readonly signal: AbortSignal;
  },
): ImageSigner {
  signedReference(source);
  const algorithm = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  return {
    type: 'sigstoreSigned',
    sign: async (digest, document) => {
      const tag = attachmentTag(digest);
      const from = source.openTag?.(tag);
      if (from === undefined) throw new Error('internal error: a registry without tags');
      await using reading = from;
      await using to = await openTag(tag);
      const payload = Buffer.from(document);
      const signature = sign(algorithm, payload, key).toString('base64');
      await attachSignature({ from: reading, to }, { payload, signature }, signal);
      return to.name;
    },
  };
}
