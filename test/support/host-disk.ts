import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { runOk } from './run-command.js';

/** A file system of its own for a folder of a host. */
export interface DiskOptions {
  readonly type: 'tmpfs' | 'ext4';
  readonly sizeMb: number;
  /** Mount options, as mount(8) takes them: `noexec`. */
  readonly options?: string;
}

/** Makes a file system and mounts it at a folder of a host, which is made; its image, if it has one, is put into `folder`. */
export async function mountDisk(
  disk: DiskOptions,
  { target, folder }: { readonly target: string; readonly folder: string },
): Promise<void> {
  await mkdir(target);
  const options = disk.options === undefined ? '' : `,${disk.options}`;
  if (disk.type === 'tmpfs') {
    const words = `mode=755,size=${disk.sizeMb}m${options}`;
    await runOk(['mount', '-t', 'tmpfs', '-o', words, 'berth-test-var', target]);
    return;
  }
  const image = join(folder, 'var.ext4');
  await runOk(['truncate', `--size=${disk.sizeMb}M`, image]);
  await runOk(['mkfs.ext4', '-q', '-m', '0', image]);
  await runOk(['mount', '-o', `loop${options}`, image, target]);
  await runOk(['rmdir', join(target, 'lost+found')]);
}
