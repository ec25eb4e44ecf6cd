import type { FileHandle } from 'node:fs/promises';

import { DEFAULT_TAR_LIMITS, type TarLimits } from './limits.js';
import type { TarEntry } from './entry.js';
import { TarParser } from './parser.js';
import { archiveInvalid } from './tar-error.js';

/** Where the content of a member lies, or which other one it stands for. */
export type ArchiveMember =
  | { readonly kind: 'file'; readonly offset: number; readonly size: number }
  /** `target` is a path of the archive, or for a symbolic link relative to the folder of the member. */
  | { readonly kind: 'symlink' | 'hardlink'; readonly target: string }
  /** Neither a file nor a link, or there twice: which one is meant, readers disagree on. */
  | { readonly kind: 'unusable'; readonly reason: string };

/** What an archive of images may ask: one has a few members for each layer, and 4096 layers are the most. */
const LIMITS: TarLimits = { ...DEFAULT_TAR_LIMITS, maxHeaders: 100_000 };

/** Longest path of a member that is kept, in bytes: PATH_MAX. */
const MAX_PATH_BYTES = 4096;

const BLOCK_BYTES = 512;
const WINDOW_BYTES = 64 * 1024;

/**
 * Reads where the members of an archive lie, headers only: content is passed over. Paths are byte strings without `.`, empty
 * components and leading slash; members whose path holds `..` are left out.
 *
 * @throws `OperationalError` LAYER_ARCHIVE_INVALID, LAYER_LIMIT_EXCEEDED
 */
export async function indexArchive(file: FileHandle): Promise<ReadonlyMap<string, ArchiveMember>> {
  const { size } = await file.stat();
  const members = new Map<string, ArchiveMember>();
  let found: TarEntry | undefined;
  const parser = new TarParser(
    {
      entry: (entry) => {
        found = entry;
      },
      content: () => undefined,
      contentEnd: () => undefined,
      warning: () => undefined,
    },
    LIMITS,
  );
  const window = Buffer.alloc(WINDOW_BYTES);
  let windowStart = 0;
  let windowBytes = 0;
  let position = 0;
  while (!parser.ended && position < size) {
    if (position < windowStart || position + BLOCK_BYTES > windowStart + windowBytes) {
      windowStart = position;
      windowBytes = await readWhole(file, window, position);
    }
    const start = position - windowStart;
    const block = window.subarray(start, Math.min(start + BLOCK_BYTES, windowBytes));
    if (block.length === 0) break;
    parser.write(block);
    position += block.length;
    if (found === undefined) continue;
    addMember(members, found, position);
    found = undefined;
    position += parser.passOver();
  }
  // Padding behind the last member may be missing, content may not.
  const lacking = [...members.values()].find(
    (member) => member.kind === 'file' && member.offset + member.size > size,
  );
  if (lacking !== undefined) throw archiveInvalid('it ends in the middle of an entry', size);
  parser.end();
  return members;
}

/** A path in the form that {@link indexArchive} files it under; undefined if it leads out. */
export function normaliseMemberPath(path: string): string | undefined {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return parts.includes('..') ? undefined : parts.join('/');
}

function addMember(members: Map<string, ArchiveMember>, entry: TarEntry, offset: number): void {
  const path = normaliseMemberPath(entry.path);
  if (path === undefined || entry.type === 'directory' || path.length > MAX_PATH_BYTES) return;
  members.set(
    path,
    members.has(path)
      ? { kind: 'unusable', reason: 'stands in it twice' }
      : memberOf(entry, offset),
  );
}

function memberOf(entry: TarEntry, offset: number): ArchiveMember {
  switch (entry.type) {
    case 'file':
      return { kind: 'file', offset, size: entry.size };
    case 'symlink':
    case 'hardlink':
      return { kind: entry.type, target: entry.link };
    default:
      return { kind: 'unusable', reason: 'is not a regular file' };
  }
}

async function readWhole(file: FileHandle, buffer: Buffer, position: number): Promise<number> {
  let total = 0;
  while (total < buffer.length) {
    const { bytesRead } = await file.read({
      buffer,
      offset: total,
      length: buffer.length - total,
      position: position + total,
    });
    if (bytesRead === 0) break;
    total += bytesRead;
  }
  return total;
}
