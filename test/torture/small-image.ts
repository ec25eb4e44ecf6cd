import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { configTemplate, SERVICE_TEMPLATE } from '../support/exports-image.js';
import { buildLayer, type TarItem } from '../support/tar-builder.js';

/** An image of a few files of every kind that a store and a checkout treat differently. */
export interface SmallImage {
  /** Its name in the layout. */
  readonly tag: string;
  /** Number of small files in each layer, beside those that make it a system container. */
  readonly files: number;
  readonly layers: number;
  /** Stands in the content of one file of each layer and in a host file: makes versions differ. */
  readonly version: string;
  /** Number of files for the host; 1 unless given. */
  readonly hostFiles?: number;
  /** Names its folders on the host: containers of two such images stand side by side. `small` unless given. */
  readonly name?: string;
  /** Whether it has a variable {@link SECRET_VARIABLE}, which has to be given then; it has unless told. */
  readonly hasSecret?: boolean;
  /** Further members of its manifest.json. */
  readonly manifest?: Readonly<Record<string, unknown>>;
  /** Whether the content of its small files is its version's alone; else the versions share all but a few. */
  readonly isUnlike?: boolean;
}

/** The secret of such an image. */
export const SECRET_VARIABLE = 'PASSWORD';

/** Adds an image to an OCI layout in `folder`, which is made as needed; what it is installed from. */
export function addSmallImage(folder: string, image: SmallImage): string {
  mkdirSync(join(folder, 'blobs/sha256'), { recursive: true });
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const layers = Array.from({ length: image.layers }, (_, index) =>
    buildLayer(index === 0 ? [...exportsOf(image), ...filesOf(image, 0)] : filesOf(image, index)),
  );
  const config = addBlob(folder, {
    os: 'linux',
    architecture: 'amd64',
    config: { Entrypoint: ['/probe'] },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
  });
  for (const { blob } of layers) addBytes(folder, blob);
  const manifest = addBlob(folder, {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  });
  addToIndex(folder, image.tag, {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    ...manifest,
    annotations: { [TAG]: image.tag },
  });
  return `oci:${folder}:${image.tag}`;
}

function exportsOf(image: SmallImage): readonly TarItem[] {
  const { name = 'small', hasSecret = true } = image;
  const mounts = [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/state', type: 'bind', source: `/var/lib/${name}/x`, options: ['rbind'] },
  ];
  // The first file is in all versions with another content, the second in all with the same, the last in this one only.
  const hostFiles = Array.from({ length: image.hostFiles ?? 1 }, (_, index) => ({
    path: `exports/hostfs/etc/${name}/${index}.conf`,
    content: `version=${index === 1 ? 'any' : image.version}\nindex=${index}\n`,
    mode: 0o640,
  }));
  const ownFile = {
    path: `exports/hostfs/etc/${name}/version-${image.version}.conf`,
    content: `${image.version}\n`,
  };
  const unit = SERVICE_TEMPLATE.replace(
    'Restart=no',
    `Restart=no\nEnvironment=VERSION=${image.version}`,
  ).replace('WantedBy=', `WantedBy=version-${image.version}.target `);
  return [
    { path: 'exports/' },
    { path: 'exports/service.template', content: unit },
    {
      path: 'exports/manifest.json',
      content: JSON.stringify({
        version: '1.0',
        variables: hasSecret ? { [SECRET_VARIABLE]: { secret: true } } : {},
        ...image.manifest,
      }),
    },
    {
      path: 'exports/config.json.template',
      content: configTemplate({
        process: {
          ...PROCESS,
          env: [
            `VERSION=${image.version}`,
            ...(hasSecret ? [`PASSWORD_FILE=$${SECRET_VARIABLE}`] : []),
          ],
        },
        mounts,
      }),
    },
    {
      path: 'exports/tmpfiles.template',
      content: ['', '/x', `/${image.version}`]
        .map((folder) => `d /var/lib/${name}${folder} 0700 0 0 - -\n`)
        .join(''),
    },
    ...hostFiles,
    ownFile,
    { path: `exports/hostfs/etc/${name}/link`, type: 'symlink', link: '0.conf' },
    { path: 'etc/passwd', content: 'root:x:0:0::/:/bin/sh\n' },
    { path: 'probe', content: 'not run offline\n', mode: 0o755 },
    { path: 'proc/' },
  ];
}

const PROCESS = { user: { uid: 0, gid: 0 }, args: ['/probe', 'deaf'], cwd: '/' };

function filesOf(image: SmallImage, layer: number): readonly TarItem[] {
  const kinds: readonly TarItem[] = [
    { path: `l${layer}/` },
    { path: `l${layer}/version`, content: `${image.version} ${layer}\n` },
    { path: `l${layer}/empty`, content: '' },
    { path: `l${layer}/owned`, content: `owned ${layer}`, uid: 1000, gid: 1000, mode: 0o4711 },
    { path: `l${layer}/attribute`, content: `a${layer}`, xattrs: { 'user.kind': 'small' } },
    { path: `l${layer}/hard`, type: 'hardlink', link: `l${layer}/version` },
    { path: `l${layer}/soft`, type: 'symlink', link: 'version' },
    { path: `l${layer}/deep/er/`, mode: 0o700 },
    { path: `l${layer}/deep/er/large`, content: `${layer}`.repeat(100_000) },
    { path: `l${layer}/pipe`, type: 'fifo' },
  ];
  const plain = Array.from({ length: image.files }, (_, index) => ({
    path: `l${layer}/f${index}`,
    content: `${image.isUnlike === true ? image.version : 'any'} layer ${layer} file ${index}\n`,
    mtime: 1_700_000_000 + index,
  }));
  return [...kinds, ...plain];
}

interface Blob {
  readonly digest: string;
  readonly size: number;
}

function addBlob(folder: string, document: unknown): Blob {
  return addBytes(folder, Buffer.from(JSON.stringify(document)));
}

function addBytes(folder: string, bytes: Uint8Array): Blob {
  const hex = createHash('sha256').update(bytes).digest('hex');
  writeFileSync(join(folder, 'blobs/sha256', hex), bytes);
  return { digest: `sha256:${hex}`, size: bytes.length };
}

/** Adds an image, in the place of another of that tag. */
function addToIndex(folder: string, tag: string, descriptor: Tagged): void {
  const path = join(folder, 'index.json');
  const manifests = existsSync(path)
    ? (JSON.parse(readFileSync(path, 'utf8')) as { manifests: Tagged[] }).manifests
    : [];
  const others = manifests.filter(({ annotations }) => annotations[TAG] !== tag);
  writeFileSync(path, JSON.stringify({ schemaVersion: 2, manifests: [...others, descriptor] }));
}

const TAG = 'org.opencontainers.image.ref.name';

interface Tagged extends Blob {
  readonly mediaType: string;
  readonly annotations: Readonly<Record<string, string>>;
}
