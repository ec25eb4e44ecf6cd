import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { sha256 } from './push-image.js';
import { buildTar } from './tar-builder.js';
import { TempDir } from './temp-dir.js';

const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';

const tar = buildTar([{ path: 'etc/etcd', content: 'configuration' }]);
/** The one layer of the images of a {@link Layout}, as it lies there. */
export const layoutLayer = gzipSync(tar);

/** What an index says of a manifest. */
export interface LayoutEntry {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os: string; readonly architecture: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Writes layouts blob by blob, as a producer does. */
export class Layout implements Disposable {
  readonly folder = new TempDir();
  readonly path = this.folder.path;

  constructor() {
    mkdirSync(join(this.path, 'blobs/sha256'), { recursive: true });
    writeFileSync(join(this.path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  }

  add(mediaType: string, content: Uint8Array | object): LayoutEntry {
    const bytes = content instanceof Uint8Array ? content : Buffer.from(JSON.stringify(content));
    writeFileSync(this.blobPath(sha256(bytes)), bytes);
    return { mediaType, digest: sha256(bytes), size: bytes.length };
  }

  addImage(name?: string, architecture = 'amd64', settings: object = {}): LayoutEntry {
    const config = this.add('application/vnd.oci.image.config.v1+json', {
      os: 'linux',
      architecture,
      config: settings,
      rootfs: { type: 'layers', diff_ids: [sha256(tar)] },
    });
    const layers = [this.add('application/vnd.oci.image.layer.v1.tar+gzip', layoutLayer)];
    const image = this.add(OCI_MANIFEST, {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config,
      layers,
    });
    return {
      ...image,
      ...(name === undefined
        ? { platform: { os: 'linux', architecture } }
        : { annotations: { 'org.opencontainers.image.ref.name': name } }),
    };
  }

  finish(manifests: readonly object[]): void {
    const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests };
    writeFileSync(join(this.path, 'index.json'), JSON.stringify(index));
  }

  blobPath(digest: string): string {
    return join(this.path, 'blobs/sha256', digest.slice('sha256:'.length));
  }

  [Symbol.dispose](): void {
    this.folder[Symbol.dispose]();
  }
}
