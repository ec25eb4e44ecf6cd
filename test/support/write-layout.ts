import { mkdirSync, writeFileSync } from 'node:fs';

import { readHostPlatform } from '../../src/images/host-platform.js';
import { digestOf } from '../../src/oci/digest.js';
import { buildLayer, type TarItem } from './tar-builder.js';

/** An image for {@link writeLayout}. */
export interface LayoutImage {
  readonly layers: readonly (readonly TarItem[])[];
  /** The `config` member of its configuration. */
  readonly process?: Readonly<Record<string, unknown>>;
  /** In Go's words; this machine's unless given. */
  readonly architecture?: string;
}

/** Writes an OCI image layout with one image in it, and gives the reference to install it by. */
export function writeLayout(folder: string, image: LayoutImage): string {
  mkdirSync(`${folder}/blobs/sha256`, { recursive: true });
  const put = (content: Uint8Array): { digest: string; size: number } => {
    const digest = digestOf(content);
    writeFileSync(`${folder}/blobs/sha256/${digest.slice('sha256:'.length)}`, content);
    return { digest, size: content.length };
  };
  const putJson = (value: unknown): { digest: string; size: number } =>
    put(Buffer.from(JSON.stringify(value)));
  const layers = image.layers.map((items) => buildLayer(items));
  const manifest = putJson({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      ...putJson({
        os: 'linux',
        architecture: image.architecture ?? readHostPlatform().architecture,
        config: image.process ?? {},
        rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
      }),
    },
    layers: layers.map(({ blob }) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
      ...put(blob),
    })),
  });
  writeFileSync(`${folder}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(
    `${folder}/index.json`,
    JSON.stringify({
      schemaVersion: 2,
      manifests: [
        {
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          ...manifest,
          annotations: { 'org.opencontainers.image.ref.name': 'image' },
        },
      ],
    }),
  );
  return `oci:${folder}:image`;
}
