import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';

import { open, rename, unlink } from './quick-files.js';

/** Options of {@link writeFileAtomically}. */
export interface AtomicFileOptions {
  /** Permission bits; set exactly, whatever the umask is. 0644 unless given. */
  readonly mode?: number;
  /** Seconds since the epoch to set as modification time; the present unless given. */
  readonly mtimeSeconds?: number;
}

/**
 * Writes a file so that anyone sees the old content, or the new one, whole: temporary name beside it, fsync, rename,
 * fsync of the folder. When it returns, a power cut keeps the new content. A symbolic link that stands at `path` is
 * replaced, not followed. The only writer of files that someone else may read.
 */
export async function writeFileAtomically(
  path: string,
  content: string | Uint8Array,
  options: AtomicFileOptions = {},
): Promise<void> {
  const temporary = temporaryNameBeside(path);
  try {
    await writeFileSynced(temporary, content, options);
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined); // too late to care: the first error is what counts
    throw error;
  }
  await syncFolder(dirname(path));
}

/** A fresh name in the folder of `path`, for a file that will be renamed to it. Recovery knows it by its prefix. */
export function temporaryNameBeside(path: string): string {
  const slash = path.lastIndexOf('/') + 1;
  return `${path.slice(0, slash)}.berth-tmp-${randomBytes(6).toString('hex')}-${path.slice(slash)}`;
}

/** The name that a temporary file was to get, if it is one of {@link temporaryNameBeside}. */
export function finalNameOf(temporary: string): string | undefined {
  // Asked of thousands of others.
  if (!temporary.startsWith('.berth-tmp-')) return undefined;
  return /^\.berth-tmp-[0-9a-f]{12}-(.+)$/s.exec(temporary)?.[1];
}

/** Creates a file that must not exist, writes it and syncs its content; its folder is not synced. */
export async function writeFileSynced(
  path: string,
  content: string | Uint8Array,
  options: AtomicFileOptions = {},
): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(content);
    await file.chmod(options.mode ?? 0o644);
    if (options.mtimeSeconds !== undefined)
      await file.utimes(options.mtimeSeconds, options.mtimeSeconds);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the names in a folder durable (what was created, renamed or removed there). */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
