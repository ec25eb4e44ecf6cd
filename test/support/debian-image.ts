import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { cacheFolder, projectRoot } from './cache-folder.js';
import { aptConnectionOptions, debianArchive } from './debian-archive.js';
import { withFileLock } from './file-lock.js';
import {
  type ImageToPush,
  type PushedDescriptor,
  pushImage,
  type PushTarget,
} from './push-image.js';
import { runOk } from './run-command.js';

/**
 * Images of real software. Each is a folder of test/fixtures/images: `image.json` says what goes in, `rootfs/` is laid
 * over it. What comes from Debian is a package and all it depends on, unpacked but not configured, as small as that
 * gets; the base (libc and a busybox shell) is a layer of its own that images share. Layers are made once, the same
 * bytes each time, and kept in the cache under a hash of everything that went in.
 */
interface ImageFolder {
  /** Debian packages; with what they depend on. */
  readonly packages?: readonly string[];
  /** Paths taken out again. */
  readonly remove?: readonly string[];
  /** Paths that are moved, from → to. */
  readonly moves?: Readonly<Record<string, string>>;
  /** Programs compiled statically, path → C source relative to the image's folder. */
  readonly programs?: Readonly<Record<string, string>>;
  /** Symbolic links, path → target. */
  readonly links?: Readonly<Record<string, string>>;
  readonly folders?: Readonly<
    Record<string, { readonly mode?: string; readonly uid?: number; readonly gid?: number }>
  >;
  /** Whether the base layer is below; it is unless this is false. */
  readonly base?: boolean;
  /** The `config` member of the image config. */
  readonly process?: Readonly<Record<string, unknown>>;
}

/** Images whose folders are in test/fixtures/images. */
export const debianImages = ['etcd', 'flanneld', 'docker', 'nginx', 'redis', 'probe'] as const;

/** One of {@link debianImages}. */
export type DebianImage = (typeof debianImages)[number];

/** The release whose packages images are made of, whatever hosts they run on. */
const IMAGE_SUITE = 'bookworm';

/** Not needed to run anything. */
const NEVER_SHIPPED = [
  ...['doc', 'man', 'info', 'locale', 'lintian', 'perl', 'perl5', 'bash-completion', 'bug'].map(
    (name) => `usr/share/${name}`,
  ),
  'usr/lib/x86_64-linux-gnu/perl',
  'usr/lib/x86_64-linux-gnu/perl-base',
  'usr/lib/x86_64-linux-gnu/gconv',
  'usr/bin/perl',
  'etc/hostname',
  'etc/resolv.conf',
  'etc/apt',
  'etc/dpkg',
  'etc/fstab',
  'var/lib/apt',
  'var/lib/dpkg',
  'var/cache',
  'var/log/apt',
];

const fixtures = join(projectRoot, 'test/fixtures/images');

/** Pushes an image, building it first where the cache has none. `overrides` are laid over its `config` member. */
export async function pushDebianImage(
  target: PushTarget,
  name: DebianImage,
  overrides: {
    readonly tag?: string;
    readonly process?: Readonly<Record<string, unknown>>;
    readonly image?: Partial<ImageToPush>;
  } = {},
): Promise<PushedDescriptor> {
  const folder = await readImageFolder(name);
  const layers = await debianImageLayers(name);
  return pushImage(target, overrides.tag ?? 'latest', {
    layers: layers.map((path) => ({ content: { path } })),
    process: { ...folder.process, ...overrides.process },
    ...overrides.image,
  });
}

/** Paths of an image's layers (gzip), lowest first; made where the cache has none. */
export async function debianImageLayers(name: DebianImage | 'base'): Promise<readonly string[]> {
  const folder = await readImageFolder(name);
  const below = name === 'base' || folder.base === false ? [] : await debianImageLayers('base');
  const id = await recipeHash(name, folder);
  const path = join(cacheFolder('images'), `${name}-${id}.tar.gz`);
  if (!existsSync(path)) {
    await withFileLock(`${path}.lock`, async () => {
      if (!existsSync(path)) await buildLayerFile({ name, folder, path, below });
    });
  }
  return [...below, path];
}

async function readImageFolder(name: string): Promise<ImageFolder> {
  return JSON.parse(await readFile(join(fixtures, name, 'image.json'), 'utf8')) as ImageFolder;
}

/** A hash of all that decides a layer's bytes, but for the versions of packages. */
async function recipeHash(name: string, folder: ImageFolder): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([IMAGE_SUITE, NEVER_SHIPPED, folder]));
  const sources = Object.values(folder.programs ?? {}).map((source) =>
    join(fixtures, name, source),
  );
  for (const path of [...(await filesBelow(join(fixtures, name, 'rootfs'))), ...sources]) {
    hash.update(`\0${path.slice(fixtures.length)}\0`).update(await readFile(path));
  }
  return hash.digest('hex').slice(0, 12);
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  if (!existsSync(folder)) return [];
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

interface LayerJob {
  readonly name: string;
  readonly folder: ImageFolder;
  readonly path: string;
  readonly below: readonly string[];
}

async function buildLayerFile(job: LayerJob): Promise<void> {
  const building = await mkdtemp(join(cacheFolder('images'), '.building-'));
  try {
    const root = join(building, 'root');
    await unpackPackages(job.folder.packages ?? [], { building, root });
    for (const path of [...NEVER_SHIPPED, ...(job.folder.remove ?? [])]) {
      await rm(join(root, path), { recursive: true, force: true });
    }
    await takeAwayWhatIsBelow(root, job.below);
    await layOver(root, job);
    const layer = join(building, 'layer.tar.gz');
    // The same bytes each time: order, times and owners' names are fixed, and gzip writes neither name nor time.
    await runOk([
      'sh',
      '-euc',
      'tar --create --directory "$1" --format=posix --sort=name --numeric-owner --mtime=@1700000000 --pax-option=delete=atime,delete=ctime,exthdr.name=%d/PaxHeaders/%f --xattrs . | gzip -n -1 >"$2"',
      'sh',
      root,
      layer,
    ]);
    await rename(layer, job.path);
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

async function unpackPackages(
  packages: readonly string[],
  place: { readonly building: string; readonly root: string },
): Promise<void> {
  await mkdir(place.root);
  if (packages.length === 0) return;
  await writeFile(
    join(place.building, 'apt.conf'),
    (await aptConnectionOptions()).join('\n') + '\n',
  );
  await runOk(
    [
      'mmdebstrap',
      '--quiet',
      '--mode=root',
      '--format=directory',
      '--variant=extract',
      `--aptopt=${join(place.building, 'apt.conf')}`,
      `--include=${packages.join(',')}`,
      IMAGE_SUITE,
      place.root,
      await debianArchive(),
    ],
    { timeoutMs: 600_000 },
  );
}

/** Removes from a tree what lower layers have at the same path, and the folders that are empty then. */
async function takeAwayWhatIsBelow(root: string, below: readonly string[]): Promise<void> {
  for (const layer of below) {
    const names = (await runOk(['tar', '--list', '--file', layer])).split('\n');
    // Deepest first, so that folders are looked at when they are empty.
    for (const name of names.filter((line) => line !== '' && line !== './').reverse()) {
      const path = join(root, name);
      if (name.endsWith('/'))
        await rmdir(path).catch(() => undefined); // it has more of our own
      else await rm(path, { force: true });
    }
  }
}

async function layOver(root: string, { name, folder }: LayerJob): Promise<void> {
  for (const [from, to] of Object.entries(folder.moves ?? {})) {
    await mkdir(dirname(join(root, to)), { recursive: true });
    await rename(join(root, from), join(root, to));
  }
  const overlay = join(fixtures, name, 'rootfs');
  if (existsSync(overlay)) await runOk(['cp', '-r', `${overlay}/.`, root]);
  for (const path of await filesBelow(overlay)) {
    const target = join(root, path.slice(overlay.length));
    await chown(target, 0, 0);
    await chmod(target, /\/s?bin\//.test(path) ? 0o755 : 0o644);
  }
  for (const [path, source] of Object.entries(folder.programs ?? {})) {
    const program = join(root, path);
    await mkdir(dirname(program), { recursive: true });
    const flags = ['-std=gnu11', '-Os', '-Wall', '-Wextra', '-Werror', '-static', '-s'];
    await runOk(['gcc', ...flags, '-o', program, join(fixtures, name, source)]);
  }
  for (const [path, target] of Object.entries(folder.links ?? {})) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await rm(join(root, path), { force: true });
    await symlink(target, join(root, path));
  }
  for (const [path, { mode, uid, gid }] of Object.entries(folder.folders ?? {})) {
    await mkdir(join(root, path), { recursive: true });
    await chown(join(root, path), uid ?? 0, gid ?? 0);
    await chmod(join(root, path), parseInt(mode ?? '0755', 8));
  }
}
