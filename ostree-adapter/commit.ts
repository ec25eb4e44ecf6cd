import { callAside, callSync, type AsyncOptions } from './ffi/call.js';
import { filledSlot, slot, slotInt, slotPointer } from './ffi/memory.js';
import { decodeVariant } from './gvariant/decode.js';
import { NativeVariant, takeVariant } from './gvariant/native-variant.js';
import { GVariantError } from './gvariant/type-string.js';
import {
  asArray,
  asBytes,
  asString,
  dictData,
  dictOf,
  type VariantData,
  type VariantDict,
} from './gvariant/value.js';
import { checksumArgument, checksumOfBytes, type Checksum } from './object-name.js';
import type { Repo } from './repo.js';
import type { TreeChecksums } from './tree.js';

/** A commit as it was read. */
export interface Commit {
  readonly checksum: Checksum;
  readonly metadata: VariantDict;
  readonly parent: Checksum | undefined;
  readonly subject: string;
  readonly body: string;
  /** Seconds since the epoch. */
  readonly timestampSeconds: number;
  readonly tree: TreeChecksums;
  /** Whether only some of its objects may be there: it was pulled with `--commit-metadata-only` or is under way. */
  readonly isPartial: boolean;
}

/** GVariant type of commit objects: metadata, parent, related objects, subject, body, time (big-endian), contents, metadata. */
const COMMIT_TYPE = '(a{sv}aya(say)sstayay)';
const DICT_TYPE = 'a{sv}';

/**
 * Reads a commit.
 *
 * @throws {@link OstreeError} (`isNotFound`); {@link GVariantError} if it is damaged
 */
export function readCommit(repo: Repo, checksum: Checksum): Commit {
  const out = slot();
  const state = slot();
  callSync('ostree_repo_load_commit', repo.handle.pointer, checksumArgument(checksum), out, state);
  // (transfer full)
  using variant = new NativeVariant(filledSlot(out));
  const [metadata, parent, , subject, body, time, contents, dirmeta] = asArray(
    decodeVariant(COMMIT_TYPE, variant.bytes()),
  );
  const parentBytes = asBytes(parent);
  return {
    checksum,
    metadata: dictOf(metadata ?? null),
    parent: parentBytes.length === 0 ? undefined : checksumOf(parentBytes),
    subject: asString(subject),
    body: asString(body),
    timestampSeconds: bigEndian64(time),
    tree: { contents: checksumOf(asBytes(contents)), metadata: checksumOf(asBytes(dirmeta)) },
    isPartial: slotInt(state) !== 0,
  };
}

/**
 * The metadata beside a commit, which may change without changing its checksum (signatures are in it); undefined if it has
 * none.
 *
 * @throws {@link OstreeError}
 */
export function readDetachedMetadata(repo: Repo, checksum: Checksum): VariantDict | undefined {
  const out = slot();
  callSync(
    'ostree_repo_read_commit_detached_metadata',
    repo.handle.pointer,
    checksumArgument(checksum),
    out,
    null,
  );
  const found = slotPointer(out);
  if (found === undefined) return undefined;
  // (transfer full)
  const metadata = dictOf(takeVariant(DICT_TYPE, found));
  // Removing it leaves an empty file.
  return metadata.size === 0 ? undefined : metadata;
}

/**
 * Sets the metadata beside a commit; undefined removes it.
 *
 * @throws {@link OstreeError}
 */
export async function writeDetachedMetadata(
  repo: Repo,
  {
    checksum,
    metadata,
  }: { readonly checksum: Checksum; readonly metadata: VariantDict | undefined },
  options: AsyncOptions = {},
): Promise<void> {
  using variant =
    metadata === undefined
      ? undefined
      : NativeVariant.of({ type: DICT_TYPE, value: dictData(metadata) });
  const argument = checksumArgument(checksum);
  await repo.handle.whileHeld((pointer) =>
    callAside(
      'ostree_repo_write_commit_detached_metadata',
      [pointer, argument, variant?.pointer ?? null],
      options,
    ),
  );
}

function checksumOf(bytes: Uint8Array): Checksum {
  if (bytes.length !== 32) throw new GVariantError('checksum is not of 32 bytes');
  return checksumOfBytes(bytes);
}

function bigEndian64(data: VariantData | undefined): number {
  if (typeof data !== 'bigint') throw new GVariantError('not a number');
  const bytes = new BigUint64Array([data]);
  return Number(new DataView(bytes.buffer).getBigUint64(0));
}
