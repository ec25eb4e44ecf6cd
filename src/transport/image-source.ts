import type { Descriptor } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import type { QualifiedReference } from '../oci/reference.js';

/** What a policy knows an image by (containers-policy.json(5), "Supported transports and their scopes"). */
export interface ImageIdentity {
  readonly transport:
    'docker' | 'docker-daemon' | 'docker-archive' | 'oci' | 'oci-archive' | 'dir' | 'ostree';
  /** Its name with tag or digest, where the transport knows names. */
  readonly reference?: QualifiedReference | undefined;
  /** Absolute; where the transport is one of paths. */
  readonly path?: string | undefined;
  /** Which of the images of a layout; undefined where the only one is meant. */
  readonly imageName?: string | undefined;
}

/**
 * Where an image comes from: a registry, a layout, an archive. Gives bytes as they are; what is addressed by digest is
 * verified by the reader (`readManifest` does it itself; streams are verified by whoever consumes them, while they flow).
 */
export interface ImageSource extends AsyncDisposable {
  /** For messages and records: `docker://registry.example/etcd:3.5`. */
  readonly name: string;
  /** The name under which the store files the image, e.g. `docker.io/library/etcd:latest`. */
  readonly storeName: string;

  readonly identity: ImageIdentity;

  /** The repository that it is, if it is one: another one of the same registry can mount its blobs. */
  readonly repository?: { readonly registry: string; readonly repository: string };

  /**
   * The manifest or index that the reference names, or the one with the given digest. Bytes hashed; a digest that was
   * asked for is checked before anything else is done with them.
   */
  readManifest(digest: Digest | undefined, options: SourceOptions): Promise<ManifestDocument>;

  /**
   * Asks now for the manifest that the next source of this name is asked for without a digest, and ends when it is there, or when there
   * will be none; that source asks again then. Undefined where that is no gain: nobody is far away.
   */
  askAhead?(options: SourceOptions): Promise<void>;

  /** Opens a blob. The caller consumes or disposes of it, and verifies size and digest. Resumes where it can. */
  openBlob(descriptor: Descriptor, options: BlobOptions): Promise<BlobStream>;

  /** Whether {@link BlobOptions.offset} is followed, and worth it: the bytes come from afar. */
  readonly resumes?: boolean;

  /** What refers to a manifest, where the source keeps such a list. */
  listReferrers?(digest: Digest, options: SourceOptions): Promise<readonly Descriptor[]>;

  /** Another tag of the same repository, at the same places; disposed of by itself. Signatures of sigstore's kind are there. */
  openTag?(tag: string): ImageSource;

  /** Signature number `number`, from 1, that is kept beside a manifest; undefined where there is none. */
  readSignature?(digest: Digest | undefined, number: number): Promise<Buffer | undefined>;

  /**
   * Says that a blob which this source gave was not what was promised. Gives whether it can be had from another place, which
   * the next {@link ImageSource.openBlob} then asks; a place that was wrong once is not asked again.
   */
  rejectBlob?(descriptor: Descriptor): boolean;
}

/** Options of every call that waits. */
export interface SourceOptions {
  readonly signal: AbortSignal;
}

/** Options of {@link ImageSource.openBlob}. */
export interface BlobOptions extends SourceOptions {
  /** Bytes that the caller has already; those that follow are wanted. Only of a source that {@link ImageSource.resumes}. */
  readonly offset?: number;
  /**
   * Whether pieces may be lent: each is good until the next one is asked for. For readers of much that are done with a piece by
   * then; a source may do it where it saves work.
   */
  readonly lend?: boolean | undefined;
}

/** A manifest or index as it came. */
export interface ManifestDocument {
  readonly bytes: Uint8Array;
  /** What the server called it; undefined where the transport has no such thing. */
  readonly mediaType: string | undefined;
  /** Of the bytes; sha256, or the algorithm that was asked for. */
  readonly digest: Digest;
}

/** A blob that flows. Ending early (`return()`, disposing) closes the connection. */
export interface BlobStream extends AsyncIterable<Uint8Array>, AsyncDisposable {}
