import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { OperationalError } from '../../src/errors/operational-error.js';
import { digestOf, type Digest } from '../../src/oci/digest.js';
import { OCI_MANIFEST } from '../../src/oci/media-types.js';
import { parseReference, type QualifiedReference } from '../../src/oci/reference.js';
import type { RegistryClient } from '../../src/registry/registry-client.js';
import type { BlobStream, ImageSource } from '../../src/transport/image-source.js';
import { PolicyTrust, type TrustRecord } from '../../src/trust/image-trust.js';
import { signSigstore, type SignedClaim, type SigstoreKey } from './sigstore-attachments.js';
import { BUNDLE, bundleManifest } from './sigstore-bundles.js';
import { claimOf } from './signing-keys.js';
import { TempDir } from './temp-dir.js';

/** An image that is nothing but its manifest, a policy, and a place for signatures: for tests of what is taken. */
export class TrustDesk implements Disposable {
  readonly folder = new TempDir();
  readonly manifest = Buffer.from('{"schemaVersion":2}\n');
  readonly digest: Digest = digestOf(this.manifest);
  readonly reference: string;
  registryClient: Pick<RegistryClient, 'fetchFile'> = {
    fetchFile: () => Promise.reject(new Error('nothing is fetched')),
  };

  /** Scopes whose images may be signed by their digest alone. */
  unnamed: readonly string[] = [];

  constructor(reference = 'registry.example/ns/etcd:3.5') {
    this.reference = reference;
    mkdirSync(this.at('registries.d'));
    this.lookAt(`file://${this.at('signatures')}`);
  }

  /** One that looks for signatures in the registry, and takes those of the digest alone. */
  static forBundles(): TrustDesk {
    const desk = new TrustDesk();
    desk.lookAt(`file://${desk.at('signatures')}`, true);
    desk.unnamed = ['registry.example/ns'];
    return desk;
  }

  at(name: string): string {
    return join(this.folder.path, name);
  }

  write(name: string, content: string | Uint8Array): string {
    writeFileSync(this.at(name), content);
    return this.at(name);
  }

  /** Says where signatures are looked for. */
  lookAt(lookaside: string, attachments = false): void {
    const text = `default-docker:\n  lookaside: ${lookaside}\n  use-sigstore-attachments: ${String(attachments)}\n`;
    this.write('registries.d/default.yaml', text);
  }

  /** Lays signatures where they are looked for, from number 1 on. */
  lay(signatures: readonly Uint8Array[], digest: Digest = this.digest): void {
    const folder = this.at(`signatures/ns/etcd@${digest.replace(':', '=')}`);
    mkdirSync(folder, { recursive: true });
    for (const [index, signature] of signatures.entries())
      writeFileSync(join(folder, `signature-${index + 1}`), signature);
  }

  /** A claim of the image in sigstore's manner, signed; it says no time unless given, in seconds. */
  signClaim(key: SigstoreKey, timestamp?: number): SignedClaim {
    const document = claimOf(this.digest, this.reference, {
      type: 'cosign container image signature',
      optional: timestamp === undefined ? null : { timestamp },
    });
    return { document, signature: signSigstore(key, document) };
  }

  /** Demands signatures of the image. */
  require(...requirements: readonly Readonly<Record<string, unknown>>[]): void {
    this.write('policy.json', JSON.stringify({ default: requirements }));
  }

  /** Holds the manifest to the policy. */
  async check(manifest: Buffer = this.manifest, source = this.source()): Promise<TrustRecord> {
    const trust = new PolicyTrust({
      policy: { path: this.at('policy.json'), isNamed: true },
      registriesD: this.at('registries.d'),
      registryClient: this.registryClient,
      unnamed: this.unnamed,
      onDisk: (path) => Promise.resolve(path),
    });
    const document = { source, digest: digestOf(manifest), bytes: manifest, isTop: true };
    return (await trust.check(document, new AbortController().signal)).record;
  }

  source(changes: Partial<ImageSource> = {}): ImageSource {
    return {
      name: `docker://${this.reference}`,
      storeName: this.reference,
      identity: {
        transport: 'docker',
        reference: parseReference(this.reference) as QualifiedReference,
      },
      readManifest: () => Promise.reject(new Error('nothing is read')),
      openBlob: () => Promise.reject(new Error('nothing is read')),
      [Symbol.asyncDispose]: () => Promise.resolve(),
      ...changes,
    };
  }

  /** The image in a registry that has bundles of it; texts stand there as they are. */
  sourceWith(bundles: readonly (object | string)[]): ImageSource {
    const subject = { mediaType: OCI_MANIFEST, digest: this.digest, size: this.manifest.length };
    const content = new Map<string, Buffer>();
    const keep = (document: object | string) => {
      const text = typeof document === 'string' ? document : JSON.stringify(document);
      const bytes = Buffer.from(text);
      content.set(digestOf(bytes), bytes);
      return { digest: digestOf(bytes), size: bytes.length };
    };
    const list = bundles.map((bundle) => ({
      mediaType: OCI_MANIFEST,
      artifactType: BUNDLE,
      ...keep(bundleManifest(subject, keep(bundle))),
    }));
    const bytesOf = (digest = ''): Buffer => content.get(digest) ?? Buffer.of();
    return this.source({
      listReferrers: () => Promise.resolve(list),
      openTag: () => this.source({ readManifest: () => Promise.reject(notFound()) }),
      readManifest: (digest = this.digest) =>
        Promise.resolve({ bytes: bytesOf(digest), mediaType: OCI_MANIFEST, digest }),
      openBlob: ({ digest }) => Promise.resolve(streamOf(bytesOf(digest))),
    });
  }

  [Symbol.dispose](): void {
    this.folder[Symbol.dispose]();
  }
}

function notFound(): OperationalError {
  return new OperationalError('REGISTRY_NOT_FOUND', 'there is no such tag');
}

function streamOf(bytes: Buffer): BlobStream {
  return {
    async *[Symbol.asyncIterator]() {
      yield await Promise.resolve(bytes);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
