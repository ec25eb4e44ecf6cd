import { mkdirSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import { configTemplate, SERVICE_TEMPLATE } from './exports-image.js';
import { sha256 } from './push-image.js';
import { buildLayer } from './tar-builder.js';

/** A system container for a layout: files below `/exports`, and labels. */
export interface LayoutSketch {
  /** By name; the usual service and config templates are added unless they are here. */
  readonly files?: Readonly<Record<string, string | undefined>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** Written to `/exports/manifest.json`. */
  readonly manifest?: Readonly<Record<string, unknown>>;
}

/** Writes an OCI layout that holds one small system container under each name; gives `NAME => oci:FOLDER:NAME`. */
export function writeLayout(
  folder: string,
  images: Readonly<Record<string, LayoutSketch>>,
): (name: string) => string {
  mkdirSync(`${folder}/blobs/sha256`, { recursive: true });
  writeFileSync(`${folder}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
  const put = (mediaType: string, content: Uint8Array): object => {
    const digest = sha256(content);
    writeFileSync(`${folder}/blobs/sha256/${digest.slice('sha256:'.length)}`, content);
    return { mediaType, digest, size: content.length };
  };
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
  const manifests = Object.entries(images).map(([name, sketch]) => {
    const layer = layerOf(sketch);
    const config = put(
      'application/vnd.oci.image.config.v1+json',
      json({
        architecture: 'amd64',
        os: 'linux',
        config: { Cmd: ['/bin/true'], Labels: sketch.labels ?? {} },
        rootfs: { type: 'layers', diff_ids: [sha256(gunzipSync(layer))] },
      }),
    );
    const layers = [put('application/vnd.oci.image.layer.v1.tar+gzip', layer)];
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    const manifest = put(mediaType, json({ schemaVersion: 2, mediaType, config, layers }));
    return { ...manifest, annotations: { 'org.opencontainers.image.ref.name': name } };
  });
  writeFileSync(`${folder}/index.json`, json({ schemaVersion: 2, manifests }));
  return (name) => `oci:${folder}:${name}`;
}

function layerOf(sketch: LayoutSketch): Uint8Array {
  const files: LayoutSketch['files'] = {
    'service.template': SERVICE_TEMPLATE,
    'config.json.template': configTemplate(),
    'manifest.json': JSON.stringify({ version: '1.0', ...sketch.manifest }),
    ...sketch.files,
  };
  return buildLayer([
    { path: 'exports/' },
    { path: 'proc/' },
    ...Object.entries(files).flatMap(([name, content]) =>
      content === undefined ? [] : [{ path: `exports/${name}`, content }],
    ),
  ]).blob;
}
