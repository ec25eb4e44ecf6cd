import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, resolve } from 'node:path';

import { readTar } from '../support/read-tar.js';

/**
 * The control: an unpacker as people write it at first, with paths joined to a folder and handed to the kernel. It must
 * fail each case of an attack, or the case proves nothing.
 */
export function naiveExtract(tar: Buffer, root: string): void {
  for (const { entry, content } of readTar(tar).entries) {
    const path = resolve(root, entry.path);
    const name = basename(path);
    if (name === '.wh..wh..opq') {
      for (const inside of readdirSync(dirname(path)))
        rmSync(resolve(dirname(path), inside), { recursive: true });
    } else if (name.startsWith('.wh.')) {
      rmSync(resolve(dirname(path), name.slice(4)), { recursive: true, force: true });
    } else if (entry.type === 'directory') {
      mkdirSync(path, { recursive: true });
      chmodSync(path, entry.mode);
    } else if (entry.type === 'symlink') {
      rmSync(path, { recursive: true, force: true });
      symlinkSync(entry.link, path);
    } else if (entry.type === 'hardlink') {
      linkSync(resolve(root, entry.link), path);
    } else if (entry.type === 'file') {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, Buffer.from(content, 'latin1'));
    }
  }
}
