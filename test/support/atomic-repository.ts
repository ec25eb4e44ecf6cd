import { mkdirSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

import {
  ARCHIVE_SIZE,
  BLOB_SIZE,
  CONFIG_FILE,
  DIFF_ID,
  MANIFEST,
  MANIFEST_DIGEST,
  MANIFEST_FILE,
  NO_PARENT,
  SIGNATURES,
} from '../../src/store/ostree/commit-keys.js';
import { runOk } from './run-command.js';
import { buildLayer, sha256, type BuiltLayer, type TarItem } from './tar-builder.js';
import { TempDir } from './temp-dir.js';

/** An image as containers/image would have put it into a repository. */
export interface AtomicImage {
  /** As its user typed it, with a tag. */
  readonly name: string;
  /** Encoded as its ref; given here as text so that no code of berth's decides it. */
  readonly ref: string;
  readonly layers: readonly (readonly TarItem[])[];
  /** Files that the commits of the layers have instead: a repository that lies. */
  readonly planted?: readonly (readonly TarItem[])[];
  /** Diff ids that the configuration and the commits name instead. */
  readonly claimedDiffIds?: readonly string[];
  /** `config` of the image configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Leaves out what was not written before September 2017 (`digest`) and before January 2018 (`all`). */
  readonly without?: 'digest' | 'all';
}

/** What is in the repository. */
export interface AtomicImageWritten {
  readonly manifest: string;
  readonly digest: string;
  readonly config: string;
  readonly layers: readonly BuiltLayer[];
}

/** Type of files that containers/image left out of layers. */
const LEFT_OUT = ['character-device', 'block-device', 'fifo'];

/**
 * Writes images into a repository with the `ostree` command, commit for commit as `ostree_dest.go` of containers/image and
 * atomic 1.22 did: a commit with the unpacked files for each layer (its `.wh.` files among them, devices and FIFOs not),
 * one for the configuration, one for the manifest. The repository is made if missing.
 */
export async function writeAtomicRepository(
  repository: string,
  images: readonly AtomicImage[],
  options: { readonly mode?: 'bare' | 'bare-user' } = {},
): Promise<AtomicImageWritten[]> {
  mkdirSync(repository, { recursive: true });
  const { mode = 'bare' } = options;
  await runOk(['ostree', `--repo=${repository}`, 'init', `--mode=${mode}`]);
  const written: AtomicImageWritten[] = [];
  for (const image of images) written.push(await writeImage(repository, image));
  return written;
}

async function writeImage(repository: string, image: AtomicImage): Promise<AtomicImageWritten> {
  const layers = image.layers.map((items) => buildLayer(items));
  const diffIds = image.claimedDiffIds ?? layers.map(({ diffId }) => diffId);
  for (const [index, layer] of layers.entries()) {
    const files = image.planted?.[index] ?? image.layers[index] ?? [];
    const kept = files.filter(({ type = '' }) => !LEFT_OUT.includes(type));
    const diffId = diffIds[index] ?? layer.diffId;
    await writeLayer(repository, { ...layer, diffId }, { kept, without: image.without });
  }
  const config = JSON.stringify({
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: image.config ?? {},
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: [],
  });
  const configDigest = sha256(Buffer.from(config));
  await commitFiles(repository, {
    ref: hexOf(configDigest),
    files: { [CONFIG_FILE]: config },
    metadata: { [BLOB_SIZE]: `${Buffer.byteLength(config)}` },
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
    config: {
      mediaType: 'application/vnd.docker.container.image.v1+json',
      size: Buffer.byteLength(config),
      digest: configDigest,
    },
    layers: layers.map(({ size, digest }) => ({
      mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
      size,
      digest,
    })),
  });
  const digest = sha256(Buffer.from(manifest));
  await commitFiles(repository, {
    ref: image.ref,
    files: { [MANIFEST_FILE]: manifest },
    metadata: {
      [MANIFEST]: manifest,
      ...(image.without === undefined ? { [SIGNATURES]: '0', [MANIFEST_DIGEST]: digest } : {}),
    },
  });
  return { manifest, digest, config, layers };
}

async function writeLayer(
  repository: string,
  layer: BuiltLayer,
  options: { readonly kept: readonly TarItem[]; readonly without: AtomicImage['without'] },
): Promise<void> {
  using root = new TempDir();
  await runOk(['tar', '-x', '--numeric-owner', '-p', '--xattrs', '-C', root.path, '-f', '-'], {
    input: buildLayer(options.kept, { compression: 'none' }).tar,
  });
  await commit(repository, {
    ref: hexOf(layer.digest),
    root: root.path,
    metadata: {
      [BLOB_SIZE]: `${layer.size}`,
      ...(options.without === 'all'
        ? {}
        : {
            [ARCHIVE_SIZE]: `${layer.tar.length}`,
            [DIFF_ID]: layer.diffId,
            'tarsplit.output': gzipSync('{}\n').toString('base64'),
          }),
    },
  });
}

async function commitFiles(
  repository: string,
  content: {
    readonly ref: string;
    readonly files: Readonly<Record<string, string>>;
    readonly metadata: Readonly<Record<string, string>>;
  },
): Promise<void> {
  using root = new TempDir();
  for (const [name, text] of Object.entries(content.files)) {
    writeFileSync(`${root.path}/${name}`, text);
  }
  await commit(repository, { ...content, root: root.path });
}

async function commit(
  repository: string,
  content: {
    readonly ref: string;
    readonly root: string;
    readonly metadata: Readonly<Record<string, string>>;
  },
): Promise<void> {
  await runOk([
    'ostree',
    `--repo=${repository}`,
    'commit',
    `--branch=ociimage/${content.ref}`,
    `--tree=dir=${content.root}`,
    `--parent=${NO_PARENT}`,
    '--no-bindings',
    '--subject=',
    ...Object.entries(content.metadata).map(
      ([key, value]) => `--add-metadata-string=${key}=${value}`,
    ),
  ]);
}

function hexOf(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1);
}
