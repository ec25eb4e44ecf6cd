import { endianness } from 'node:os';

import { callAside, callSync, type AsyncOptions } from './ffi/call.js';
import { tableEntries } from './ffi/hash-table.js';
import { native } from './ffi/library.js';
import { filledSlot, slot, slotInt, slotNumber } from './ffi/memory.js';
import { variantBytesAt } from './gvariant/native-variant.js';
import {
  checksumArgument,
  objectTypes,
  parseChecksum,
  typeArgument,
  type ObjectName,
  type ObjectType,
} from './object-name.js';
import type { Repo } from './repo.js';

/**
 * Whether an object is there, in the repository, in its open transaction or in its parent repository.
 *
 * @throws {@link OstreeError}
 */
export function hasObject(repo: Repo, { type, checksum }: ObjectName): boolean {
  const out = slot();
  callSync(
    'ostree_repo_has_object',
    repo.handle.pointer,
    typeArgument(type),
    checksumArgument(checksum),
    out,
    null,
  );
  return slotInt(out) !== 0;
}

/**
 * What an object takes on disk, in bytes.
 *
 * @throws {@link OstreeError} (`isNotFound`)
 */
export function objectStorageSize(repo: Repo, { type, checksum }: ObjectName): number {
  const out = slot();
  callSync(
    'ostree_repo_query_object_storage_size',
    repo.handle.pointer,
    typeArgument(type),
    checksumArgument(checksum),
    out,
    null,
  );
  return slotNumber(out);
}

/** `OSTREE_REPO_LIST_OBJECTS_ALL`. */
const LIST_ALL = 1 << 2;
/** `OSTREE_REPO_LIST_OBJECTS_NO_PARENTS`. */
const NO_PARENTS = 1 << 3;

/**
 * All objects of the repository itself, in no order.
 *
 * @throws {@link OstreeError}
 */
export async function listObjects(
  repo: Repo,
  options: AsyncOptions = {},
): Promise<readonly ObjectName[]> {
  const out = slot();
  await repo.handle.whileHeld((pointer) =>
    callAside('ostree_repo_list_objects', [pointer, LIST_ALL | NO_PARENTS, out], options),
  );
  // (transfer container) of variants that the table owns
  const table = filledSlot(out);
  try {
    const names: ObjectName[] = [];
    for (const [key] of tableEntries(table)) {
      const name = decodeObjectName(variantBytesAt(key));
      if (name !== undefined) names.push(name);
    }
    return names;
  } finally {
    native().g_hash_table_unref(table);
  }
}

const typeNames = new Map(
  Object.entries(objectTypes).map(([name, number]) => [number as number, name as ObjectType]),
);

/** An object name of type `(su)`: by hand, since there are many. Undefined for types that this adapter does not know. */
function decodeObjectName(bytes: Buffer): ObjectName | undefined {
  // 64 digits, NUL, up to the next multiple of 4, the number, the end of the string as framing.
  const number = endianness() === 'LE' ? bytes.readUInt32LE(68) : bytes.readUInt32BE(68);
  const type = typeNames.get(number);
  return type && { type, checksum: parseChecksum(bytes.toString('latin1', 0, 64)) };
}

/**
 * Reads an object again and compares it with its name, in another thread.
 *
 * @throws {@link OstreeError} if it is missing or damaged
 */
export async function fsckObject(
  repo: Repo,
  { type, checksum }: ObjectName,
  options: AsyncOptions = {},
): Promise<void> {
  const argument = checksumArgument(checksum);
  await repo.handle.whileHeld((pointer) =>
    callAside('ostree_repo_fsck_object', [pointer, typeArgument(type), argument], options),
  );
}

/**
 * Removes an object, whoever needs it.
 *
 * @throws {@link OstreeError} (`isNotFound`)
 */
export function deleteObject(repo: Repo, { type, checksum }: ObjectName): void {
  callSync(
    'ostree_repo_delete_object',
    repo.handle.pointer,
    typeArgument(type),
    checksumArgument(checksum),
    null,
  );
}

/**
 * Marks a commit as one whose objects may be missing, or as whole.
 *
 * @throws {@link OstreeError}
 */
export function markCommitPartial(
  repo: Repo,
  {
    checksum,
    isPartial,
  }: { readonly checksum: ObjectName['checksum']; readonly isPartial: boolean },
): void {
  callSync(
    'ostree_repo_mark_commit_partial',
    repo.handle.pointer,
    checksumArgument(checksum),
    isPartial ? 1 : 0,
  );
}
