import type { Digest } from '../oci/digest.js';
import type { ImageConfig } from '../oci/image-config.js';
import type { ImageManifest } from '../oci/manifest.js';
import type { LayerSink } from '../layer/layer-sink.js';
import type { DirectoryNode, FileNode } from '../layer/tree.js';

/**
 * Where images are kept. Two back ends stand behind this interface (embedded and OSTree), and one contract suite holds
 * for both. A store is safe for several processes at once: readers never wait; writers of different layers do not
 * wait for each other; what one process is putting in, no other takes out.
 */
export interface ImageStore extends AsyncDisposable {
  readonly kind: StorageKind;
  /** The folder that its content is put into, as this process opens it; made with the first content. */
  readonly folder: string;

  /**
   * Whether the layer with this uncompressed digest is there, its record sound (a damaged one counts as missing, so that
   * pulling repairs it). From here on, and from every other call that uses layers or files, nothing is pruned by anyone
   * until this store is disposed of.
   *
   * One that was taken over (see {@link ImageStore.beginLayer}) only counts with `takenOver`: the images that came with it
   * use it, and whoever else needs the layer fetches it.
   */
  hasLayer(diffId: Digest, options?: { readonly takenOver?: boolean }): Promise<boolean>;

  /**
   * Waits until nobody else, in whatever process, has the turn at this layer, and gives it to the caller until the result is
   * disposed of: of several who need the same layer one fetches it, and the others find it there.
   *
   * @throws OperationalError CANCELLED
   */
  reserveLayer(
    diffId: Digest,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<Disposable>;

  /**
   * Begins taking in a layer. Nothing of it is visible until {@link LayerTransaction.commit}; disposing of an
   * uncommitted transaction removes what it wrote. Beginning a layer that is there already is allowed and harmless: its
   * record is written anew.
   *
   * `replace` names objects (ids of {@link FsckProblem}s) that are there and damaged: committing puts sound ones in their
   * places, each in one step. Checkouts keep the damaged ones until {@link ImageStore.mendCheckout}.
   *
   * `takenOver` says that nobody hashed an archive: that the files are those of the diff id is what a repository said. Such a
   * layer never takes the place of one that was hashed, nor of one that somebody else said to be the same and is not; and
   * it gives way to one that was hashed.
   */
  beginLayer(diffId: Digest, options?: BeginLayerOptions): Promise<LayerTransaction>;

  /**
   * Records an image whose layers are all there, under the given names; durable when it returns. Idempotent. A name that
   * pointed to another image points to this one afterwards.
   *
   * @throws OperationalError STORE_INVALID if a layer is missing; LAYER_ENTRY_REFUSED, LAYER_LIMIT_EXCEEDED if the layers
   * cannot be laid over each other (a hard link to nothing, a path below a file)
   */
  addImage(image: NewImage): Promise<StoredImage>;

  /** The image of a name, a manifest digest, or an unambiguous prefix (7 digits or more) of its hexadecimal part. */
  findImage(nameOrDigest: string): Promise<StoredImage | undefined>;

  /** All images, sorted by digest. A damaged one is passed to `onDamaged`, not thrown: one bad record must not hide the rest. */
  listImages(options?: {
    readonly onDamaged?: (digest: string, error: unknown) => void;
  }): Promise<readonly StoredImage[]>;

  /**
   * Makes a name mean an image that is there; durable when it returns. A name that meant another image means this one now.
   *
   * @throws OperationalError IMAGE_NOT_FOUND
   */
  addName(name: string, digest: Digest): Promise<void>;

  /** Removes a name; an image without names stays until pruned. */
  removeName(name: string): Promise<void>;

  /** The merged tree of an image: layers applied lowest first, whiteouts and opaque directories resolved. Metadata only. */
  openTree(image: StoredImage): Promise<ImageTree>;

  /**
   * Writes the tree of an image into a directory that exists and is empty, owned by the caller: owner, mode, time to
   * the nanosecond and extended attributes kept, regular files shared with the store where possible. Not synced: the
   * caller syncs before its own commit point. On failure the directory's content is undefined and the caller removes it,
   * by `removeTreeAt`: what an image brings may be deeper than any path reaches.
   *
   * @throws OperationalError STORE_INVALID if content is missing, DISK_FULL, LAYER_ENTRY_REFUSED for a device
   */
  checkout(tree: ImageTree, directory: string, options?: CheckoutOptions): Promise<CheckoutResult>;

  /** How the roots of containers with this tree are to be sealed; undefined where they are not. */
  rootSealing(tree: ImageTree): RootSealing | undefined;

  /**
   * The composefs image of a tree with mount points: names, owners, modes, times, links, and of each file the object that has its content
   * with the digest that fs-verity has to measure of it. The same tree comes to the same bytes, as long as its objects are the same.
   *
   * @throws OperationalError STORE_UNSUITABLE if objects are not sealed, or if it has what such an image has no form for; STORE_INVALID
   * if content is missing
   */
  encodeSealedRoot(tree: ImageTree, mountPoints: readonly MountPoint[]): Promise<Buffer>;

  /**
   * Paths (byte strings) of the files whose objects do not measure what an image of {@link encodeSealedRoot} from before, of the size that it has
   * now, says of them: their objects were replaced.
   *
   * @throws OperationalError as {@link encodeSealedRoot}
   */
  findReplaced(
    tree: ImageTree,
    mountPoints: readonly MountPoint[],
    image: Buffer,
  ): Promise<readonly string[]>;

  /**
   * Removes images without names that `keep` does not list, layers that no image has, and objects that no layer has. Waits
   * for whoever uses the store; a function is asked when the waiting is over, so that it hears of what was installed
   * meanwhile. With `unname`, the names of the images that it gives are removed first.
   *
   * @throws OperationalError BUSY while this same store takes in a layer; STORE_INVALID if something that stays is damaged:
   * nobody can say what it needs
   */
  prune(options: PruneOptions): Promise<PruneResult>;

  /**
   * Makes a checkout of this tree what it was: what is missing, or not as the tree has it, is made anew beside and renamed
   * into its place, so that a process which uses it sees the one or the other, and one which has it open keeps that. What
   * the tree does not have is left alone and reported, but for empty mount points. Durable when it returns. Only as good as
   * the objects are: `fsck` first.
   *
   * @throws OperationalError STORE_INVALID if content is missing, DISK_FULL
   */
  mendCheckout(
    tree: ImageTree,
    directory: string,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<MendResult>;

  /**
   * Re-reads everything and reports what is not as it was put in; with `images`, only what these need. Changes nothing.
   */
  fsck(options?: FsckOptions): Promise<FsckReport>;

  /**
   * Removes a damaged thing that {@link ImageStore.fsck} found and that nothing can be made of any more: an object or file that no layer
   * has, the record of a name that cannot be read. Others, and what is gone already, are left alone.
   */
  discard(problem: FsckProblem): Promise<boolean>;
}

/** Options of {@link ImageStore.beginLayer}. */
export interface BeginLayerOptions {
  readonly replace?: ReadonlySet<string> | undefined;
  readonly takenOver?: boolean | undefined;
  /** Size of the layer's blob, by which the store sees what is worth its while; 0 unless given. */
  readonly blobBytes?: number | undefined;
}

/** A layer being taken in. */
export interface LayerTransaction extends AsyncDisposable {
  readonly sink: LayerSink;
  /**
   * Makes the layer visible and durable. Call only after the whole layer was verified against its diff id, unless it is taken
   * over.
   *
   * @throws OperationalError LAYER_DISPUTED for a layer that is taken over
   */
  commit(): Promise<void>;
}

/** What is known of an image when it is recorded. The bytes are stored as they came: the digest is of them. */
export interface NewImage {
  readonly digest: Digest;
  readonly manifestBytes: Uint8Array;
  readonly configBytes: Uint8Array;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  /** Canonical references that name it; written only by a verified pull. */
  readonly names: readonly string[];
}

/** The back ends, by the names that `--storage` takes. */
export type StorageKind = 'embedded' | 'ostree';

/** An image of the store. */
export interface StoredImage {
  /** Which back end has it. */
  readonly storage: StorageKind;
  /** Of the manifest. */
  readonly digest: Digest;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  readonly configBytes: Uint8Array;
  readonly names: readonly string[];
  /** When it was recorded here; milliseconds since the epoch. */
  readonly storedAtMs: number;
  /** Sum of the layers' file content in bytes. */
  readonly contentBytes: number;
}

/** The merged file tree of an image. Paths are byte strings, absolute or relative to the root; no link is followed. */
export interface ImageTree {
  readonly root: DirectoryNode;
  /**
   * Content of a regular file of this tree.
   *
   * @throws OperationalError LIMIT_EXCEEDED above `maxBytes`, STORE_INVALID if the object is missing or damaged
   */
  readFile(node: FileNode, options: { readonly maxBytes: number }): Promise<Buffer>;
}

/** Options of {@link ImageStore.checkout}. */
export interface CheckoutOptions {
  readonly signal?: AbortSignal | undefined;
  /** Directories and empty files to make where the tree has nothing: mount points. Absolute byte-string paths. */
  readonly mountPoints?: readonly MountPoint[];
  /** Whether device nodes are made; refused unless true. */
  readonly devices?: boolean;
}

/** A mount point that the checkout has to have. Parents are made as needed; links on the way are followed inside the root. */
export interface MountPoint {
  readonly path: string;
  readonly kind: 'directory' | 'file';
}

/** How the roots of containers are sealed. */
export interface RootSealing {
  /** Where that can be, or always. */
  readonly wanted: 'maybe' | 'yes';
  /** The folder of the objects, as this process sees it. */
  readonly objects: string;
}

/** What a checkout did. */
export interface CheckoutResult {
  readonly files: number;
  readonly directories: number;
  /** Content bytes that had to be written because sharing was not possible. */
  readonly copiedBytes: number;
  /** The mount points that were made, absolute byte-string paths, parents included. */
  readonly createdMountPoints: readonly string[];
}

/** Options of {@link ImageStore.prune}. */
export interface PruneOptions {
  readonly keep: ReadonlySet<Digest> | (() => Promise<ReadonlySet<Digest>>);
  /** Which of the images that have names, and are not kept, lose them. */
  readonly unname?: (image: StoredImage) => boolean;
}

/** What pruning removed. */
export interface PruneResult {
  readonly images: number;
  readonly layers: number;
  readonly objects: number;
  readonly freedBytes: number;
}

/** Options of {@link ImageStore.fsck}. */
export interface FsckOptions {
  readonly signal?: AbortSignal | undefined;
  /** Manifests of the images to check; all, and everything else that is in the store, unless given. */
  readonly images?: ReadonlySet<Digest> | undefined;
}

/** What fsck found. */
export interface FsckReport {
  readonly checkedObjects: number;
  readonly problems: readonly FsckProblem[];
}

/** One damaged or missing thing. */
export interface FsckProblem {
  readonly kind: 'object' | 'layer' | 'image' | 'name';
  /** Of an object its id, of a layer its diff id, of an image its digest, of a name the name or its file. */
  readonly id: string;
  readonly problem: string;
  /** Layers to take in again for it to be sound: all of them, but for an object that is damaged any one. */
  readonly layers: readonly Digest[];
  /** Of an image, the names that mean it. */
  readonly names: readonly string[];
}

/** What {@link ImageStore.mendCheckout} did. */
export interface MendResult {
  /** Paths below the checkout that were made anew or put right, as text to show. */
  readonly mended: readonly string[];
  /** Those that stay as they are: what the image does not have. */
  readonly left: readonly string[];
}
