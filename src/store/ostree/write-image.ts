import {
  beginTransaction,
  createFileHash,
  deleteObject,
  hasObject,
  parseChecksum,
  readCommit,
  fsckObject,
  OstreeError,
  variantString,
  type Checksum,
  type NewCommit,
  type Repo,
  type Transaction,
  type TreeChecksums,
} from '../../../ostree-adapter/index.js';
import type { Digest } from '../../oci/digest.js';
import type { NewImage } from '../image-store.js';
import type { CommitCatalogue, LayerCommit } from './commit-catalogue.js';
import {
  BLOB_SIZE,
  CONFIG_FILE,
  CONTENT_BYTES,
  DIFF_ID,
  MANIFEST,
  MANIFEST_DIGEST,
  MANIFEST_FILE,
  SIGNATURES,
} from './commit-keys.js';
import { blobRef, nameRef } from './ref-names.js';

/** What {@link writeImage} works with. */
export interface ImageToWrite {
  readonly image: NewImage;
  /** The layers of the image, in the manifest's order. */
  readonly layers: readonly LayerCommit[];
  readonly catalogue: CommitCatalogue;
  readonly repo: Repo;
}

/**
 * Writes an image as atomic and containers/image did: configuration and layers by the digests of their blobs, then the
 * manifest by the image's names, and by its digest, which keeps it when it has lost them.
 *
 * What refers comes after what it refers to, each in a transaction of its own: files, the commits with them, the image.
 */
export async function writeImage({ image, layers, catalogue, repo }: ImageToWrite): Promise<void> {
  const { manifest } = image;
  const timestampSeconds = Math.floor(Date.now() / 1000);
  for (const content of [image.configBytes, image.manifestBytes])
    await removeDamaged(repo, content);
  const [configTree, manifestTree] = await inTransaction(repo, (transaction) =>
    Promise.resolve([
      writeFileTree(transaction, CONFIG_FILE, image.configBytes),
      writeFileTree(transaction, MANIFEST_FILE, image.manifestBytes),
    ] as const),
  );
  await inTransaction(repo, async (transaction) => {
    const refs = catalogue.refs();
    const configRef = blobRef(manifest.config.digest);
    if (!(await holds(configTree, refs.get(configRef), repo))) {
      const metadata = new Map([[BLOB_SIZE, variantString(`${image.configBytes.length}`)]]);
      const config = { tree: configTree, metadata, timestampSeconds };
      transaction.setRef(configRef, await transaction.writeCommit(config));
    }
    const known = catalogue.layers();
    const blobs = new Set(manifest.layers.map(({ digest }) => blobRef(digest)));
    for (const [index, layer] of layers.entries()) {
      const descriptor = manifest.layers[index];
      if (descriptor === undefined || layer.diffId === undefined || layer.isTakenOver) continue;
      const ref = blobRef(descriptor.digest);
      // An image that was taken over says what it likes of its blobs: each layer keeps a ref that leads to it.
      const isTaken =
        refs.has(ref) && !known.some((one) => one.ref === ref && one.diffId === layer.diffId);
      if (isTaken) continue;
      if (!refs.has(ref) || (layer.ref === ref && !layer.commit.metadata.has(BLOB_SIZE))) {
        const commit = layerCommit(layer, { diffId: layer.diffId, size: descriptor.size });
        transaction.setRef(ref, await transaction.writeCommit({ ...commit, timestampSeconds }));
      }
      // Until now it stood under its diff id, since nobody had said which blob it is.
      const pending = blobRef(layer.diffId);
      if (layer.ref === pending && !blobs.has(pending)) transaction.setRef(pending, undefined);
    }
  });
  await inTransaction(repo, async (transaction) => {
    const known = catalogue.refs();
    const digestRef = blobRef(image.digest);
    let checksum = known.get(digestRef);
    if (!(await holds(manifestTree, checksum, repo))) checksum = undefined;
    checksum ??= await transaction.writeCommit({
      tree: manifestTree,
      metadata: new Map([
        [MANIFEST, variantString(Buffer.from(image.manifestBytes).toString('utf8'))],
        [SIGNATURES, variantString('0')],
        [MANIFEST_DIGEST, variantString(image.digest)],
      ]),
      timestampSeconds,
    });
    for (const ref of [digestRef, ...image.names.map(nameRef)]) transaction.setRef(ref, checksum);
  });
}

function layerCommit(
  { commit, contentBytes }: LayerCommit,
  { diffId, size }: { readonly diffId: Digest; readonly size: number },
): Omit<NewCommit, 'timestampSeconds'> {
  const metadata = new Map(commit.metadata);
  metadata.set(BLOB_SIZE, variantString(`${size}`));
  metadata.set(DIFF_ID, variantString(diffId));
  if (contentBytes !== undefined) metadata.set(CONTENT_BYTES, variantString(`${contentBytes}`));
  return { tree: commit.tree, metadata };
}

/** Removes the object of a document that is there and damaged: libostree would not write it again. */
async function removeDamaged(repo: Repo, content: Uint8Array): Promise<void> {
  const digest = createFileHash(DOCUMENT).update(content).digest('hex');
  const object = { type: 'file', checksum: parseChecksum(digest) } as const;
  if (!hasObject(repo, object)) return;
  try {
    await fsckObject(repo, object);
  } catch (error) {
    if (!(error instanceof OstreeError)) throw error;
    deleteObject(repo, object);
  }
}

/** What the file of a document is. */
const DOCUMENT = { kind: 'file', mode: 0o644, uid: 0, gid: 0, xattrs: [] } as const;

/** Whether a commit is there, its bytes what its name says, and of this tree. */
async function holds(
  tree: TreeChecksums,
  checksum: Checksum | undefined,
  repo: Repo,
): Promise<boolean> {
  if (checksum === undefined) return false;
  try {
    await fsckObject(repo, { type: 'commit', checksum });
    const there = readCommit(repo, checksum).tree;
    return there.contents === tree.contents && there.metadata === tree.metadata;
  } catch (error) {
    if (error instanceof OstreeError) return false;
    throw error;
  }
}

/** A tree with one file. */
function writeFileTree(transaction: Transaction, name: string, content: Uint8Array): TreeChecksums {
  const owner = { uid: 0, gid: 0, xattrs: [] };
  const file = transaction.writeFile(DOCUMENT, content);
  const files = new Map<string, Checksum>([[name, file]]);
  return {
    contents: transaction.writeTree({ files, directories: new Map() }),
    metadata: transaction.writeDirectoryMetadata({ mode: 0o755, ...owner }),
  };
}

async function inTransaction<Result>(
  repo: Repo,
  body: (transaction: Transaction) => Promise<Result>,
): Promise<Result> {
  await using transaction = await beginTransaction(repo);
  const result = await body(transaction);
  await transaction.commit();
  return result;
}
