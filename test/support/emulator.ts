import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { cacheFolder } from './cache-folder.js';
import { aptConnectionOptions, debianArchive } from './debian-archive.js';
import { withFileLock } from './file-lock.js';
import { type MachineArchitecture, machineKinds } from './machine-kind.js';
import { runOk } from './run-command.js';

/** The release that the emulator is taken from, whatever release the machine itself runs. */
const EMULATOR_SUITE = 'trixie';

/** Where Debian keeps a package's libraries; the emulator itself runs on x86-64. */
const LIBRARIES = 'usr/lib/x86_64-linux-gnu';

/** What is taken: the system emulators, that of single programs, and qemu-storage-daemon. */
const PACKAGES = ['qemu-system-x86', 'qemu-system-arm', 'qemu-user', 'qemu-utils'] as const;

/** The command that starts qemu's system emulator for an architecture, without its options. */
export async function emulatorCommand(
  architecture: MachineArchitecture,
): Promise<readonly string[]> {
  const path = await emulatorFolder();
  const firmware = ['-L', join(path, 'usr/share/qemu'), '-L', join(path, 'usr/share/seabios')];
  return [...program(path, machineKinds[architecture].emulator), ...firmware];
}

/** The path of the program that runs single programs of arm64; it is static. */
export async function userEmulator(): Promise<string> {
  return join(await emulatorFolder(), 'usr/bin/qemu-aarch64');
}

/** The command that starts the program of qemu's that serves and logs block devices, without its options. */
export async function storageDaemonCommand(): Promise<readonly string[]> {
  return program(await emulatorFolder(), 'qemu-storage-daemon');
}

/**
 * Debian 13's qemu, fetched once with its libraries and kept in the cache: without hardware help, the 7.2 of Debian 12
 * has the guest's kernel fault in about one boot of twenty and takes three times as long to boot. It is only unpacked,
 * never installed: the loader and the folders are named on the command line.
 */
async function emulatorFolder(): Promise<string> {
  const id = createHash('sha256').update(PACKAGES.join()).digest('hex').slice(0, 12);
  const path = join(cacheFolder('trees'), `${EMULATOR_SUITE}-emulator-${id}`);
  if (!existsSync(path)) {
    await withFileLock(`${path}.lock`, async () => {
      if (!existsSync(path)) await fetchEmulator(path);
    });
  }
  return path;
}

function program(path: string, name: string): readonly string[] {
  const libraries = join(path, LIBRARIES);
  return [
    ...[join(libraries, 'ld-linux-x86-64.so.2'), '--library-path', libraries],
    join(path, 'usr/bin', name),
  ];
}

async function fetchEmulator(path: string): Promise<void> {
  const building = await mkdtemp(join(cacheFolder('trees'), '.building-'));
  try {
    const tree = join(building, 'tree');
    const options = join(building, 'apt.conf');
    await mkdir(tree);
    await writeFile(options, (await aptConnectionOptions()).join('\n') + '\n');
    await runOk(
      [
        ...['mmdebstrap', '--quiet', '--mode=root', '--format=directory', '--variant=extract'],
        ...[`--aptopt=${options}`, `--include=${PACKAGES.join(',')}`],
        ...[EMULATOR_SUITE, tree, await debianArchive()],
      ],
      { timeoutMs: 600_000 },
    );
    await rename(tree, path);
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}
