import * as files from 'node:fs';
import type * as promises from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';

/*
 * Calls of node:fs/promises that are over at once: each is one system call on the host's own disk, of some microseconds, made
 * where it is asked for. In the pool of threads it would be the same call and two wakings, 100 µs in a virtual machine, and an
 * update asks for three hundred. Not for what flows, for what another process answers, nor for anything that is worth
 * overlapping.
 */

export const access = atOnce(files.accessSync) as typeof promises.access;
export const chmod = atOnce(files.chmodSync) as typeof promises.chmod;
export const link = atOnce(files.linkSync) as typeof promises.link;
export const lstat = atOnce(files.lstatSync) as typeof promises.lstat;
export const mkdir = atOnce(files.mkdirSync) as typeof promises.mkdir;
export const readdir = atOnce(files.readdirSync) as typeof promises.readdir;
export const readFile = atOnce(files.readFileSync) as typeof promises.readFile;
export const readlink = atOnce(files.readlinkSync) as typeof promises.readlink;
/** As the pool has it: the C library's own, where `realpathSync` alone asks about each part of the path in JavaScript. */
export const realpath = atOnce(files.realpathSync.native) as typeof promises.realpath;
export const rename = atOnce(files.renameSync) as typeof promises.rename;
export const rmdir = atOnce(files.rmdirSync) as typeof promises.rmdir;
export const stat = atOnce(files.statSync) as typeof promises.stat;
export const symlink = atOnce(files.symlinkSync) as typeof promises.symlink;
export const unlink = atOnce(files.unlinkSync) as typeof promises.unlink;
export const utimes = atOnce(files.utimesSync) as typeof promises.utimes;
export const writeFile = atOnce(files.writeFileSync) as typeof promises.writeFile;

/** An open file, to be closed by whoever opened it. */
export class QuickFile implements AsyncDisposable {
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  readonly stat = (): Promise<files.Stats> => whenDone(() => files.fstatSync(this.fd));
  readonly chmod = (mode: number): Promise<void> =>
    whenDone(() => {
      files.fchmodSync(this.fd, mode);
    });
  readonly utimes = (atime: number, mtime: number): Promise<void> =>
    whenDone(() => {
      files.futimesSync(this.fd, atime, mtime);
    });
  readonly writeFile = (content: string | Uint8Array): Promise<void> =>
    whenDone(() => {
      files.writeFileSync(this.fd, content);
    });
  /** In the pool: a busy disk takes seconds for it. */
  readonly sync = (): Promise<void> => fsync(this.fd);
  readonly close = (): Promise<void> =>
    whenDone(() => {
      files.closeSync(this.fd);
    });

  /** Reads from where the last read ended; 0 bytes at the end of the file. */
  read(buffer: Buffer): number {
    return files.readSync(this.fd, buffer, 0, buffer.length, null);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** As `open` of node:fs/promises. */
export function open(path: string, flags: string | number, mode?: number): Promise<QuickFile> {
  return whenDone(() => new QuickFile(files.openSync(path, flags, mode)));
}

const fsync = promisify(files.fsync);

function atOnce(call: (...args: never[]) => unknown): (...args: never[]) => Promise<unknown> {
  return (...args) => whenDone(() => call(...args));
}

/**
 * Makes a call at once. Who makes thousands of them one after the other has the answer later, now and then: else no signal would be
 * heard meanwhile, no timer would run out, and nothing that arrived would be taken.
 */
export async function whenDone<T>(call: () => T): Promise<T> {
  try {
    return call();
  } finally {
    if (isLong()) await nextTurn();
  }
}

/** Longest time in a row, which a person does not notice. */
const LONGEST_MS = 10;

let turnBegan: number | undefined;

/** Whether calls have been made for long without anything else having had its turn. */
function isLong(): boolean {
  const now = performance.now();
  if (turnBegan === undefined) {
    turnBegan = now;
    setImmediate(() => {
      turnBegan = undefined;
    }).unref();
  }
  return now - turnBegan >= LONGEST_MS;
}
