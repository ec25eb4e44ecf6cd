import { dirname } from 'node:path';

import { syncFolder, writeFileSynced } from '../base/atomic-file.js';
import { rename } from '../base/quick-files.js';
import { TempArea } from './temp-area.js';

/** What {@link writeRecord} writes, and where. */
export interface RecordFile {
  /** `tmp/` of the store: what a killed writer leaves there, the next one removes. */
  readonly tempPath: string;
  readonly path: string;
  readonly content: string;
  /** Permission bits; 0600 unless given. */
  readonly mode?: number;
}

/**
 * Puts a small file of the store in place: whole or not at all, the old one until then, durable when it returns. The
 * temporary file is not made beside it, because nobody would know whether its writer still lives.
 */
export async function writeRecord({ tempPath, path, content, mode }: RecordFile): Promise<void> {
  using area = new TempArea(tempPath);
  const temporary = `${area.path}/record`;
  await writeFileSynced(temporary, content, { mode: mode ?? 0o600 });
  await rename(temporary, path);
  await syncFolder(dirname(path));
}
