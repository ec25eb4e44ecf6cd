import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { cacheFolder, projectRoot } from './cache-folder.js';
import { aptConnectionOptions, debianArchive } from './debian-archive.js';
import { withFileLock } from './file-lock.js';
import { type MachineArchitecture, machineKinds } from './machine-kind.js';
import { runOk } from './run-command.js';
import type { Suite } from './suites.js';

/** Debian's cloud kernel, ready for qemu. */
export interface MachineKernel {
  readonly image: string;
  readonly initrd: string;
  /** Folder to lay over a tree: `usr/lib/modules/…`. */
  readonly modules: string;
}

/** The kernel of a release for an architecture; fetched and prepared once, and kept in the cache. */
export async function machineKernel(
  suite: Suite,
  architecture: MachineArchitecture,
): Promise<MachineKernel> {
  const init = join(projectRoot, 'test/fixtures/machine/init.c');
  const id = createHash('sha256')
    .update(await readFile(init))
    .digest('hex')
    .slice(0, 12);
  const path = join(cacheFolder('trees'), `${suite}-kernel-${architecture}-${id}`);
  if (!existsSync(path)) {
    await withFileLock(`${path}.lock`, async () => {
      if (!existsSync(path)) await prepareKernel({ suite, architecture }, { init, path });
    });
  }
  return {
    image: join(path, 'vmlinuz'),
    initrd: join(path, 'initrd'),
    modules: join(path, 'modules'),
  };
}

async function prepareKernel(
  { suite, architecture }: { readonly suite: Suite; readonly architecture: MachineArchitecture },
  place: { readonly init: string; readonly path: string },
): Promise<void> {
  const building = await mkdtemp(join(cacheFolder('trees'), '.building-'));
  try {
    const root = join(building, 'root');
    const ready = join(building, 'ready');
    const options = join(building, 'apt.conf');
    await mkdir(root);
    await mkdir(join(ready, 'modules/usr/lib'), { recursive: true });
    await writeFile(options, (await aptConnectionOptions()).join('\n') + '\n');
    await runOk(
      [
        ...['mmdebstrap', '--quiet', '--mode=root', '--format=directory', '--variant=extract'],
        ...[`--aptopt=${options}`, `--architectures=${architecture}`],
        `--include=linux-image-cloud-${architecture}`,
        ...[suite, root, await debianArchive()],
      ],
      { timeoutMs: 600_000 },
    );
    await rename(join(root, 'usr/lib/modules'), join(ready, 'modules/usr/lib/modules'));
    const [version = ''] = await readdir(join(ready, 'modules/usr/lib/modules'));
    await rename(join(root, 'boot', `vmlinuz-${version}`), join(ready, 'vmlinuz'));
    await runOk(['depmod', '--basedir', join(ready, 'modules/usr'), version]);
    const driver = join(
      ready,
      'modules/usr/lib/modules',
      version,
      'kernel/drivers/block/virtio_blk.ko.xz',
    );
    await runOk(['sh', '-euc', 'xz -dc "$1" >"$2"', 'sh', driver, join(building, 'driver')]);
    const program = join(building, 'init');
    await runOk([
      machineKinds[architecture].compiler,
      '-Os',
      '-Wall',
      '-Wextra',
      '-Werror',
      '-static',
      '-s',
      '-o',
      program,
      place.init,
    ]);
    await writeFile(
      join(ready, 'initrd'),
      newcArchive([
        { name: 'init', mode: 0o100755, content: await readFile(program) },
        {
          name: 'virtio_blk.ko',
          mode: 0o100644,
          content: await readFile(join(building, 'driver')),
        },
      ]),
    );
    await rename(ready, place.path);
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

interface ArchiveFile {
  readonly name: string;
  readonly mode: number;
  readonly content: Uint8Array;
}

/** A cpio archive in the form the kernel unpacks (Documentation/driver-api/early-userspace/buffer-format.rst). */
function newcArchive(files: readonly ArchiveFile[]): Buffer {
  const entry = (file: ArchiveFile, number: number): Buffer => {
    const fields = [number, file.mode, 0, 0, 1, 0, file.content.length, 0, 0, 0, 0];
    const header = [...fields, file.name.length + 1, 0]
      .map((field) => field.toString(16).padStart(8, '0'))
      .join('');
    return Buffer.concat([
      padded(Buffer.from(`070701${header}${file.name}\0`)),
      padded(Buffer.from(file.content)),
    ]);
  };
  const end = { name: 'TRAILER!!!', mode: 0, content: new Uint8Array() };
  return Buffer.concat([...files, end].map((file, index) => entry(file, index + 1)));
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
