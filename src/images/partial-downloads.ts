import { readdirSync, statfsSync, statSync, unlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

import { makeFolders } from '../base/make-folders.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import { tryLock } from '../sys/lock-file.js';
import { PartialBlob } from './partial-blob.js';

/** Smallest blob that is kept in parts, in bytes: less than this is fetched again as quickly as it is looked for. */
const MIN_BLOB_BYTES = 1024 * 1024;

/** Most bytes that stand in the folder; the oldest go first. A host that pulls more than that at a time has the disk for it. */
const MAX_KEPT_BYTES = 16 * 1024 ** 3;

/** What nobody came back for within a week, in milliseconds, is not waited for: tags have moved on by then. */
const MAX_AGE_MS = 7 * 24 * 3600 * 1000;

/**
 * How many times the size of what is kept has to be free: a layer takes some three times its compressed size in the store, and
 * what is kept here must never be what fills the disk.
 */
const ROOM_FACTOR = 5;

/**
 * What comes of a blob within this time of its first byte, in milliseconds, is not kept: fetching it again takes no longer than that. Most
 * blobs are there by then.
 */
const KEEP_AFTER_MS = 2000;

/** `ALGORITHM-HEX` of the blob. */
const FILE_NAME = /^(sha256-[0-9a-f]{64}|sha512-[0-9a-f]{128})$/;

/**
 * What came of blobs whose download broke off, for the next pull to go on from: one file each ({@link PartialBlob}), held by an
 * flock while a process writes it. Nothing in here counts as an image, or as part of one: all of it may be removed at any
 * time, and is by pruning, by age, and once it is complete.
 *
 * This is the one place where a download is written to a file before it goes into the store: what a hash and a decompressor
 * know in the middle of a blob cannot be put aside (neither OpenSSL's nor zlib's state is to be had from Node), so going on
 * needs the bytes themselves, and for a blob that came whole they were written in vain. Where all are, it costs 6 % of a pull from
 * loopback: so a blob that comes for the first time has two seconds to be there before anything of it is kept.
 */
export class PartialDownloads {
  readonly #folder: string;
  readonly #keepAfterMs: number;

  /** @param options.keepAfterMs How long a blob may come before it is kept; 2 s unless given */
  constructor(folder: string, options: { readonly keepAfterMs?: number | undefined } = {}) {
    this.#folder = folder;
    this.#keepAfterMs = options.keepAfterMs ?? KEEP_AFTER_MS;
  }

  /**
   * Opens what there is of a blob, for this process alone. Undefined where nothing is kept: of a small blob, on a disk that is
   * nearly full or does not work, and where another process is at it.
   */
  async open({
    digest,
    size,
  }: Pick<Descriptor, 'digest' | 'size'>): Promise<PartialBlob | undefined> {
    if (size < MIN_BLOB_BYTES || size > MAX_KEPT_BYTES) return undefined;
    try {
      await makeFolders(this.#folder, 0o700);
      const path = join(this.#folder, digest.replace(':', '-'));
      const there = statSync(path, { throwIfNoEntry: false })?.size;
      this.#makeRoom(MAX_KEPT_BYTES - size, path);
      if (!this.#hasRoomFor(size - (there ?? 0))) return undefined;
      const lock = tryLock(path, 'exclusive');
      if (lock === undefined) return undefined;
      try {
        const file = await open(path, 'r+');
        const hasRoomFor = (bytes: number) => Promise.resolve(this.#hasRoomFor(bytes));
        const isThere = there !== undefined;
        const how = { isThere, keepAfterMs: this.#keepAfterMs, hasRoomFor };
        return await PartialBlob.open({ path, file, lock, size, ...how });
      } catch (error) {
        lock.release();
        throw error;
      }
    } catch (error) {
      // A convenience: what is wrong with the disk, the store says.
      if (error instanceof OperationalError || isSystemError(error)) return undefined;
      throw error;
    }
  }

  /** Removes what no process is at, and gives how many bytes that was. */
  removeAll(): number {
    return this.#list().reduce((freed, { path }) => freed + removeUnused(path), 0);
  }

  #hasRoomFor(bytes: number): boolean {
    const { bavail, bsize } = statfsSync(this.#folder);
    return bavail * bsize >= bytes * ROOM_FACTOR;
  }

  /** Removes what is too old, then the oldest until no more than so many bytes are left; `spared` stays. */
  #makeRoom(maxBytes: number, spared: string): void {
    const others = this.#list().filter(({ path }) => path !== spared);
    let bytes = others.reduce((sum, file) => sum + file.bytes, 0);
    for (const file of others.sort((a, b) => a.mtimeMs - b.mtimeMs)) {
      if (bytes <= maxBytes && file.mtimeMs > Date.now() - MAX_AGE_MS) return;
      bytes -= removeUnused(file.path);
    }
  }

  #list(): { readonly path: string; readonly bytes: number; readonly mtimeMs: number }[] {
    let names: string[];
    try {
      names = readdirSync(this.#folder).filter((name) => FILE_NAME.test(name));
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return [];
      throw error;
    }
    return names.flatMap((name) => {
      const path = join(this.#folder, name);
      const found = statSync(path, { throwIfNoEntry: false });
      return found === undefined ? [] : [{ path, bytes: found.size, mtimeMs: found.mtimeMs }];
    });
  }
}

/** Under the lock: whoever opened the file before finds out that it is not the one any more. */
function removeUnused(path: string): number {
  using lock = tryLock(path, 'exclusive');
  if (lock === undefined) return 0;
  const { size } = statSync(path);
  unlinkSync(path);
  return size;
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
