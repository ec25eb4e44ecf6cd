import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { cacheFolder } from './cache-folder.js';
import { aptConnectionOptions, debianArchive } from './debian-archive.js';
import { withFileLock } from './file-lock.js';
import { enableForeignPrograms } from './foreign-programs.js';
import type { MachineArchitecture } from './machine-kind.js';
import { runOk } from './run-command.js';
import type { Suite } from './suites.js';

/**
 * Host trees: small Debian installations, made once by mmdebstrap and kept in the cache under a name that contains a
 * hash of how they were made. A tree is complete or absent: it is built beside and renamed. Trees are never booted
 * themselves; a test host is a copy.
 *
 * Packages are checked against Debian's archive keys as apt always does. The keys of bookworm's debian-archive-keyring
 * (2023.3+deb12u2) have signed every suite used here up to forky, so no newer keyring is fetched; if Debian rolls its
 * keys, mmdebstrap stops with apt's own message and the machine's debian-archive-keyring has to be upgraded.
 */
export interface TreeRecipe {
  /** Short name; part of the folder's name. */
  readonly name: string;
  readonly suite: Suite;
  /** Of another architecture than this machine's, whose programs are emulated. */
  readonly architecture?: MachineArchitecture;
  /** Packages beside the essential ones. */
  readonly packages: readonly string[];
  /** Shell commands run with the tree as `$1` after the packages are in; they are part of the hash. */
  readonly customize?: readonly string[];
  /** Files written into the tree first, by absolute path. */
  readonly files?: Readonly<Record<string, string>>;
}

/** What Node of the machine needs when it is bind-mounted into a tree, beside libc. */
const NODE_LIBRARIES = ['libstdc++6', 'libgcc-s1', 'libatomic1'];

/** What gives users a service manager with a bus. */
const USER_MANAGER = ['libpam-systemd', 'dbus-user-session'];

/** Units that cannot work, or only make noise, where systemd-nspawn is the machine. */
const MASKED_UNITS = [
  'console-getty.service',
  'dev-hugepages.mount',
  'dev-mqueue.mount',
  'getty.target',
  'sys-fs-fuse-connections.mount',
  'sys-kernel-config.mount',
  'sys-kernel-debug.mount',
  'sys-kernel-tracing.mount',
  'systemd-modules-load.service',
  'systemd-tmpfiles-clean.timer',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
];

/** What carries the bus: the reference daemon, which Debian has by default, and the broker, which Fedora, RHEL and Arch have. */
export const BUSES: Readonly<Record<Suite, 'dbus' | 'dbus-broker'>> = {
  ...{ bookworm: 'dbus', trixie: 'dbus', forky: 'dbus-broker' },
};

/** The recipe of a booted host: systemd, its bus, a persistent journal, and what Node and berth need. */
export function bootedHostRecipe(suite: Suite): TreeRecipe {
  return {
    name: 'host',
    suite,
    packages: [
      'systemd',
      'systemd-sysv',
      BUSES[suite],
      'iproute2',
      'mount',
      'libseccomp2',
      'ca-certificates',
      ...NODE_LIBRARIES,
      // One suite is enough for users' own service managers.
      ...(suite === 'trixie' ? USER_MANAGER : []),
    ],
    files: {
      '/etc/fstab': '',
      // Persistent, so that a reboot keeps what came before; small, because the tree lives in memory.
      '/etc/systemd/journald.conf.d/50-test.conf':
        '[Journal]\nStorage=persistent\nSystemMaxUse=64M\nSystemMaxFileSize=8M\nRateLimitIntervalSec=0\n',
    },
    customize: [
      'mkdir -p "$1/var/log/journal" "$1/opt/berth"',
      `for unit in ${MASKED_UNITS.join(' ')}; do ln -sf /dev/null "$1/etc/systemd/system/$unit"; done`,
      ...MADE_ONCE,
    ],
  };
}

/** The recipe of a tree with libostree and its command, to be entered and not booted. */
export function ostreeTreeRecipe(suite: Suite): TreeRecipe {
  return {
    name: 'ostree',
    suite,
    packages: ['libostree-1-1', 'ostree', 'gpg', 'gpg-agent', 'attr', ...NODE_LIBRARIES],
    customize: ['mkdir -p "$1/opt/berth" && touch "$1/usr/bin/node"', ...MADE_ONCE],
  };
}

/** Last steps of each tree: what systemd would otherwise do at the first boot of each copy. */
const MADE_ONCE: readonly string[] = [
  'ln -sf /etc/machine-id "$1/var/lib/dbus/machine-id" 2>/dev/null || true',
  'rm -rf "$1/var/lib/apt/lists" "$1/var/cache/apt" "$1/var/log/apt" "$1/var/log/dpkg.log" "$1/var/log/alternatives.log" "$1/etc/resolv.conf" "$1/etc/hostname"',
  'touch "$1/etc/.updated" "$1/var/.updated"',
];

/** Where the finished tree of a recipe is; it is built if it is not there. Builds of one recipe wait for each other. */
export async function hostTree(recipe: TreeRecipe): Promise<string> {
  const id = createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 12);
  const trees = cacheFolder('trees');
  const { suite, name, architecture } = recipe;
  const path = join(trees, [suite, name, architecture ?? [], id].flat().join('-'));
  if (existsSync(path)) return path;
  return withFileLock(`${path}.lock`, async () => {
    if (!existsSync(path)) await buildTree(recipe, { trees, path });
    return path;
  });
}

async function buildTree(
  recipe: TreeRecipe,
  place: { readonly trees: string; readonly path: string },
): Promise<void> {
  const building = await mkdtemp(join(place.trees, '.building-'));
  try {
    await mkdir(join(building, 'files'));
    for (const [path, content] of Object.entries(recipe.files ?? {})) {
      await mkdir(join(building, 'files', path, '..'), { recursive: true });
      await writeFile(join(building, 'files', path), content);
    }
    await writeFile(join(building, 'apt.conf'), (await aptConnectionOptions()).join('\n') + '\n');
    const tree = join(building, 'tree');
    if (recipe.architecture !== undefined) await enableForeignPrograms();
    await runOk(
      [
        'mmdebstrap',
        '--quiet',
        '--mode=root',
        '--format=directory',
        '--variant=essential',
        ...(recipe.architecture === undefined
          ? []
          : [`--architectures=${recipe.architecture}`, '--skip=check/qemu']),
        `--aptopt=${join(building, 'apt.conf')}`,
        ...['man', 'doc', 'locale', 'info'].map(
          (folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`,
        ),
        `--include=${recipe.packages.join(',')}`,
        `--customize-hook=cp -r --preserve=mode ${join(building, 'files')}/. "$1"`,
        ...(recipe.customize ?? []).map((command) => `--customize-hook=${command}`),
        recipe.suite,
        tree,
        await debianArchive(),
      ],
      { timeoutMs: 600_000 },
    );
    await rename(tree, place.path);
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}
