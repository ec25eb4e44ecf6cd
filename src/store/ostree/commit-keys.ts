/*
 * Metadata of the commits, all of type `s`, as atomic 1.22 and containers/image 2017–2025 wrote it. Which commit holds what:
 *
 *   image    tree: manifest.json, signature-1…     docker.manifest, docker.digest, signatures
 *   config   tree: content                          docker.size
 *   layer    tree: the layer's files as they are    docker.size, docker.uncompressed_size, docker.uncompressed_digest,
 *            in its archive, `.wh.` files too       tarsplit.output
 *
 * docker.digest is missing before September 2017, the uncompressed ones before January 2018, signatures before November 2017.
 */

/** The manifest's text. What has it is an image. */
export const MANIFEST = 'docker.manifest';
/** Digest of the manifest, with its algorithm. */
export const MANIFEST_DIGEST = 'docker.digest';
/** Size of the blob as it came, in bytes, decimal. */
export const BLOB_SIZE = 'docker.size';
/** Size of the layer's archive without compression. */
export const ARCHIVE_SIZE = 'docker.uncompressed_size';
/** The layer's diff id. */
export const DIFF_ID = 'docker.uncompressed_digest';
/** Number of `signature-N` files. */
export const SIGNATURES = 'signatures';
/** Sum of the sizes of the layer's files: berth's own, so that listing images opens no layer. */
export const CONTENT_BYTES = 'berth.content-bytes';
/** Nobody hashed the layer's archive: berth took it over from another repository, which said what it is. berth's own. */
export const TAKEN_OVER = 'berth.taken-over';

/** The blob's file in the tree of a configuration. */
export const CONFIG_FILE = 'content';
/** The manifest's file in the tree of an image. */
export const MANIFEST_FILE = 'manifest.json';

/**
 * What berth knows of a layer beyond OSTree's trees, as a file at the layer's root: devices, FIFOs, names that are not UTF-8,
 * hard links to lower layers, what is merely implied (layer-file.ts). Its name begins as the one of all AUFS metadata does, so
 * that whoever lays layers over each other, `ostree checkout --whiteouts` too, leaves it out.
 */
export const LAYER_RECORD_FILE = '.wh..wh.berth-layer';
/** What files are called whose own name OSTree cannot keep; the object's checksum follows. Left out as the above is. */
export const UNNAMED_PREFIX = '.wh..wh.berth-file-';
/** Parent of the commits of containers/image, which gave one although there is none; `ostree fsck` and `prune` do not mind. */
export const NO_PARENT = '0'.repeat(64);
