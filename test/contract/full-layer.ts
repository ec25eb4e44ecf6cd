import type { TarItem } from '../support/tar-builder.js';

/** What a test that runs as root may expect, and others may not. */
export const isRoot = process.geteuid?.() === 0;
/** Without root everything is its user's. */
export const owner = (uid: number): number => (isRoot ? uid : (process.geteuid?.() ?? 0));
/** As {@link owner}. */
export const group = (gid: number): number => (isRoot ? gid : (process.getegid?.() ?? 0));

/** Root reads what nobody may read. */
export const LOCKED = isRoot ? 0 : 0o500;

const DEVICES: readonly TarItem[] = [
  { path: 'null', type: 'character-device', major: 1, minor: 3, mode: 0o666, gid: 5 },
  { path: 'disk', type: 'block-device', major: 259, minor: 300 },
];

/** A file capability, as the kernel keeps it. */
export const CAPABILITY = Buffer.from('0100000200040000000000000000000000000000', 'hex');

/** A layer with one of everything; devices where it can have them. */
export const FULL_LAYER: readonly TarItem[] = [
  { path: './', mode: 0o750, uid: 3, gid: 4, mtime: '12.000000034' },
  { path: 'bin/', mode: 0o1777, mtime: 5 },
  {
    path: 'bin/ping',
    content: 'program',
    mode: 0o4755,
    uid: 10,
    gid: 20,
    mtime: '1350244992.023960108',
    xattrs: { 'security.capability': CAPABILITY, 'user.binary': Buffer.from([0, 255]) },
  },
  { path: 'bin/same', type: 'hardlink', link: 'bin/ping' },
  { path: 'empty', content: '', mode: 0o600, mtime: 77 },
  { path: 'empty-too', type: 'hardlink', link: 'empty' },
  { path: 'link', type: 'symlink', link: '/bin/ping', uid: 1, gid: 2, mtime: '8.5' },
  { path: 'link-too', type: 'hardlink', link: 'link' },
  ...(isRoot ? DEVICES : []),
  { path: 'pipe', type: 'fifo', mode: 0o640 },
  { path: Buffer.from([0x66, 0xff, 0x0a]), content: 'not UTF-8' },
  { path: 'locked/', mode: LOCKED },
  { path: 'locked/file', content: 'inside', mode: LOCKED },
];
