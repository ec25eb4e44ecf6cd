import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

import { pushBlob, pushManifest, type PushedDescriptor, type PushTarget } from './push-image.js';

/** A key pair as sigstore's tools make one. */
export interface SigstoreKey {
  readonly privateKey: KeyObject;
  /** In PEM. */
  readonly publicKey: string;
}

/** A new pair: ECDSA on P-256 unless given. */
export function makeSigstoreKey(kind: 'ec' | 'ed25519' | 'rsa' | 'short-rsa' = 'ec'): SigstoreKey {
  const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength });
  const pair = {
    ec: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    ed25519: () => generateKeyPairSync('ed25519'),
    rsa: () => rsa(2048),
    'short-rsa': () => rsa(1024),
  }[kind]();
  return {
    privateKey: pair.privateKey,
    publicKey: pair.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
}

/** A signature of sigstore's kind, in base64. */
export function signSigstore(key: SigstoreKey, document: string): string {
  const algorithm = key.privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  return sign(algorithm, Buffer.from(document), key.privateKey).toString('base64');
}

/** What a signature signs, and the signature in base64. */
export interface SignedClaim {
  readonly document: string;
  readonly signature: string;
}

/** A signature as a place for signatures has it: in a file (containers/image's form). */
export function signatureFile(
  { document, signature }: SignedClaim,
  annotations: Readonly<Record<string, string | undefined>> = {},
): Buffer {
  const blob = {
    mimeType: 'application/vnd.dev.cosign.simplesigning.v1+json',
    payload: Buffer.from(document).toString('base64'),
    annotations: { 'dev.cosignproject.cosign/signature': signature, ...annotations },
  };
  return Buffer.from(`\0sigstore-json\n${JSON.stringify(blob)}`);
}

/** One signature of a list. */
export interface Attachment {
  readonly document: string;
  readonly signature: string;
  readonly mediaType?: string;
  /** What a transparency log said of it. */
  readonly bundle?: string;
}

/** Pushes the signatures of a manifest as cosign does: under a tag made of its digest. */
export async function pushAttachments(
  target: PushTarget,
  digest: string,
  attachments: readonly Attachment[],
): Promise<PushedDescriptor> {
  const layers = [];
  for (const { document, signature, mediaType, bundle } of attachments) {
    layers.push({
      ...(await pushBlob(target, Buffer.from(document))),
      mediaType: mediaType ?? 'application/vnd.dev.cosign.simplesigning.v1+json',
      annotations: {
        'dev.cosignproject.cosign/signature': signature,
        ...(bundle === undefined ? {} : { 'dev.sigstore.cosign/bundle': bundle }),
      },
    });
  }
  const config = await pushBlob(target, Buffer.from('{}'));
  return await pushManifest(target, `${digest.replace(':', '-')}.sig`, {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { ...config, mediaType: 'application/vnd.oci.image.config.v1+json' },
    layers,
  });
}
