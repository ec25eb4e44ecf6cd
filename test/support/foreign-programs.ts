import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';

import { userEmulator } from './emulator.js';
import { withFileLock } from './file-lock.js';
import { cacheFolder } from './cache-folder.js';
import { runOk } from './run-command.js';

const BINFMT = '/proc/sys/fs/binfmt_misc';

/** By this name mmdebstrap asks for it, and Debian's qemu-user-binfmt registers it. */
const NAME = 'qemu-aarch64';

/** How programs of arm64 begin (`Elf64_Ehdr` up to `e_machine`), and the bits of that that count. */
const MAGIC =
  '\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00';
const MASK =
  '\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff';

/** F: the emulator is opened once, now, so that it works in trees that do not have it; O, C: programs are run as their files say. */
const FLAGS = 'OCF';

/**
 * Lets this machine run programs of arm64 in emulation, as it does where qemu-user-binfmt is installed: the maintainer
 * scripts of packages run in a tree that is made. It stays so until the machine is switched off.
 */
export async function enableForeignPrograms(): Promise<void> {
  await withFileLock(`${cacheFolder('trees')}/binfmt.lock`, async () => {
    if (!existsSync(`${BINFMT}/register`))
      await runOk(['mount', '-t', 'binfmt_misc', 'binfmt_misc', BINFMT]);
    if (existsSync(`${BINFMT}/${NAME}`)) return;
    const line = `:${NAME}:M::${MAGIC}:${MASK}:${await userEmulator()}:${FLAGS}`;
    await writeFile(`${BINFMT}/register`, line);
  });
}
