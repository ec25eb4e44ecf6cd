/*
 * OSTree repositories through libostree, which is loaded on the first call. README.md says who owns what, which threads
 * what runs in, and what libostree must be.
 */
export { checkout, type CheckoutOptions } from './checkout.js';
export { checkoutComposefs, hasComposefsCheckout, type ComposefsOptions } from './composefs.js';
export { readCommit, readDetachedMetadata, writeDetachedMetadata, type Commit } from './commit.js';
export {
  OstreeError,
  OstreeInputError,
  OstreeLibraryError,
  type LibraryProblem,
} from './errors.js';
export type { AsyncOptions } from './ffi/call.js';
export { signCommitGpg, verifyCommitGpg, type GpgSignature } from './gpg.js';
export { importArchive, importDirectory, type ImportOptions } from './import-tree.js';
export { loadLibrary } from './load.js';
export {
  createFileHash,
  encodeDirectoryMetadata,
  encodeFileHeader,
  type DirectoryMetadata,
  type FileHeader,
  type RegularFile,
  type SymbolicLink,
  type Xattr,
} from './file-header.js';
export { decodeVariant } from './gvariant/decode.js';
export { encodeVariant } from './gvariant/encode.js';
export { GVariantError } from './gvariant/type-string.js';
export {
  variantBoolean,
  variantBytes,
  variantDict,
  variantInt64,
  variantString,
  variantStrings,
  variantUint32,
  variantUint64,
  type Variant,
  type VariantData,
  type VariantDict,
} from './gvariant/value.js';
export {
  createMutableTree,
  openMutableTree,
  type MutableEntry,
  type MutableTree,
} from './mutable-tree.js';
export {
  isChecksum,
  isRefName,
  parseChecksum,
  type Checksum,
  type ObjectName,
  type ObjectType,
} from './object-name.js';
export {
  deleteObject,
  fsckObject,
  hasObject,
  listObjects,
  markCommitPartial,
  objectStorageSize,
} from './objects.js';
export { prune, type PruneOptions, type PruneResult } from './prune.js';
export type { FileWriter } from './file-writer.js';
export { openFile, readFileHeader, type FileReader } from './read-file.js';
export { listRefs, resolveRef, setRef } from './refs.js';
export {
  createRepo,
  openRepo,
  reloadConfig,
  type Repo,
  type RepoLocation,
  type RepoMode,
} from './repo.js';
export { hasEd25519, signCommit, verifyCommitSignature } from './sign.js';
export {
  applyStaticDelta,
  generateStaticDelta,
  listStaticDeltas,
  type StaticDeltaOptions,
} from './static-delta.js';
export {
  beginTransaction,
  type HashedFile,
  type NewCommit,
  type ObjectStream,
  type Transaction,
} from './transaction.js';
export { verifyTree } from './verify-tree.js';
export type { TransactionStats } from './transaction-stats.js';
export {
  encodeTree,
  readDirectoryMetadata,
  readMetadataObject,
  readTree,
  type TreeChecksums,
  type TreeEntries,
} from './tree.js';
