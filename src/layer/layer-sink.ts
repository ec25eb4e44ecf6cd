import type { DigestAlgorithm } from '../oci/digest.js';
import type { NodeMeta } from './tree.js';

/** The hash of an archive, of which a diff id is made, taken while it is unpacked. */
export interface ArchiveHash extends Disposable {
  /** Takes a piece in, behind those before. It must not change before {@link ArchiveHash.settle}, and who else it is lent to, are done with it. */
  add(piece: Uint8Array): void;
  /** Resolves when all pieces up to now are hashed; undefined where none waits, or whom they are lent to says so. @throws what hashing threw */
  settle(): Promise<void> | undefined;
  /** In hexadecimal, of all pieces; once only. @throws what hashing threw */
  digest(): Promise<string>;
}

/** Begins a hash of the archive that a sink is given: see {@link LayerSink.hashAside}. */
export type HashAside = (algorithm: DigestAlgorithm) => ArchiveHash;

/**
 * Where the entries of one layer go. `applyLayer` has already checked and normalised what arrives: paths are byte
 * strings without leading slash, without `.` and `..`, components at most 255 bytes; the empty path is the root.
 * Calls are synchronous and arrive in archive order; a file's content arrives between `beginFile` and `endFile`.
 *
 * A sink resolves the parents of a path inside the layer: a directory that no entry has named yet is implied; a symbolic
 * link in the place of a parent is followed inside the layer's own root, never outside. Later entries replace earlier
 * ones of the same path (image-spec v1.1 layer.md), except that a directory over a directory changes only its metadata.
 */
export interface LayerSink {
  /**
   * There where another thread works on what is lent, and can hash it on the way: a piece that is added to the hash, before what is in it
   * is written, stays as it is until what {@link LayerSink.borrowed} gives afterwards settles.
   */
  readonly hashAside?: HashAside | undefined;
  addDirectory(path: string, meta: NodeMeta): void;
  addSymlink(path: string, target: string, meta: NodeMeta): void;
  addSpecial(path: string, special: SpecialEntry): void;
  /** `target` is a path like `path`. A target that this layer lacks is looked for in the layers below on merging. */
  addHardLink(path: string, target: string): void;
  /** Hides `path` of the layers below; what this layer itself has there stays. */
  addWhiteout(path: string): void;
  /** Hides everything that the layers below have in the directory `path`. */
  addOpaque(path: string): void;
  /** Begins a regular file of exactly `size` bytes. */
  beginFile(path: string, file: { readonly meta: NodeMeta; readonly size: number }): void;
  /**
   * The chunk may be reused by the caller afterwards: a sink that keeps it copies it. One that is lent stays as it is until
   * what {@link LayerSink.borrowed} gives afterwards settles.
   */
  writeFile(chunk: Uint8Array, isLent?: boolean): void;
  endFile(): void;
  /** Settles, and never rejects, when nothing is needed any more that was lent up to now; undefined where that is so. */
  borrowed(): Promise<void> | undefined;
  /** Called between chunks of input; resolves when the sink can take more; undefined where it can. @throws what taking in threw */
  ready(): Promise<void> | undefined;
  /** Called at the end; resolves when all is taken in. @throws what taking in threw */
  drain(): Promise<void>;
}

/** A device or FIFO as it arrives at a sink. */
export interface SpecialEntry {
  readonly kind: 'character-device' | 'block-device' | 'fifo';
  readonly meta: NodeMeta;
  readonly major: number;
  readonly minor: number;
}
