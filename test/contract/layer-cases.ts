import type { TarItem } from '../support/tar-builder.js';

/** Layers, lowest first, and what they come to: `PATH KIND`, `PATH -> TARGET`, `PATH = CONTENT`. */
export interface Accepted {
  readonly name: string;
  readonly layers: readonly (readonly TarItem[])[];
  readonly want: readonly string[];
}

/** Layers that are not taken. */
export interface Refused {
  readonly name: string;
  readonly layers: readonly (readonly TarItem[])[];
  readonly code?: 'LAYER_LIMIT_EXCEEDED';
}

const base: readonly TarItem[] = [
  { path: 'd/' },
  { path: 'd/a', content: 'lower a' },
  { path: 'd/b', content: 'lower b' },
  { path: 'f', content: 'lower f' },
];

const usrMerged: readonly TarItem[] = [
  { path: 'usr/lib/' },
  { path: 'usr/lib/old', content: 'old' },
  { path: 'lib', type: 'symlink', link: 'usr/lib' },
];

/** What image-spec v1.1 layer.md asks for, and what the field agrees on where it says nothing. */
export const ACCEPTED_LAYERS: readonly Accepted[] = [
  {
    name: 'a file replaces a file',
    layers: [base, [{ path: 'd/a', content: 'upper' }]],
    want: ['d directory', 'd/a = upper', 'd/b = lower b', 'f = lower f'],
  },
  {
    name: 'a whiteout hides a file below',
    layers: [base, [{ path: 'd/.wh.a' }]],
    want: ['d directory', 'd/b = lower b', 'f = lower f'],
  },
  {
    name: 'names of one link, and of one empty file, in different directories',
    layers: [
      [
        { path: 'd/e/' },
        { path: 'd/empty', content: '' },
        { path: 'd/e/empty', type: 'hardlink', link: 'd/empty' },
        { path: 'd/link', type: 'symlink', link: 'e' },
        { path: 'd/e/link', type: 'hardlink', link: 'd/link' },
      ],
    ],
    want: [
      'd directory',
      'd/e directory',
      'd/e/empty = ',
      'd/e/link -> e',
      'd/empty = ',
      'd/link -> e',
    ],
  },
  {
    name: 'T49 file, link, file: the last wins, and what the link led to stays',
    layers: [
      [
        { path: 'target', content: 'target' },
        { path: 'x', content: 'first' },
        { path: 'x', type: 'symlink', link: 'target' },
        { path: 'x', content: 'last' },
      ],
    ],
    want: ['target = target', 'x = last'],
  },
  {
    name: 'T14 a file over a hard link leaves the other name alone',
    layers: [
      [
        { path: 'a', content: 'original' },
        { path: 'b', type: 'hardlink', link: 'a' },
        { path: 'b', content: 'new' },
      ],
    ],
    want: ['a = original', 'b = new'],
  },
  {
    name: 'T14 the same over a file of the layer below',
    layers: [
      [
        { path: 'a', content: 'original' },
        { path: 'b', type: 'hardlink', link: 'a' },
      ],
      [{ path: 'b', content: 'new' }],
    ],
    want: ['a = original', 'b = new'],
  },
  {
    name: 'T16 a hard link to a symbolic link is that link again',
    layers: [
      [
        { path: 'l', type: 'symlink', link: '/etc/passwd' },
        { path: 'h', type: 'hardlink', link: 'l' },
      ],
    ],
    want: ['h -> /etc/passwd', 'l -> /etc/passwd'],
  },
  {
    name: 'T22 a directory over a link replaces the link',
    layers: [usrMerged, [{ path: 'lib/' }, { path: 'lib/new', content: 'new' }]],
    want: [
      'lib directory',
      'lib/new = new',
      'usr directory',
      'usr/lib directory',
      'usr/lib/old = old',
    ],
  },
  {
    name: 'T22 a path through a link below goes where the link leads (merged /usr)',
    layers: [usrMerged, [{ path: 'lib/new', content: 'new' }]],
    want: [
      'lib -> usr/lib',
      'usr directory',
      'usr/lib directory',
      'usr/lib/new = new',
      'usr/lib/old = old',
    ],
  },
  {
    name: 'T22 the same in one layer',
    layers: [[...usrMerged, { path: 'lib/new', content: 'new' }]],
    want: [
      'lib -> usr/lib',
      'usr directory',
      'usr/lib directory',
      'usr/lib/new = new',
      'usr/lib/old = old',
    ],
  },
  {
    name: 'T22 a path through two links, one of each layer',
    layers: [
      [{ path: 'real/' }, { path: 'b', type: 'symlink', link: '/real' }],
      [
        { path: 'a', type: 'symlink', link: 'b' },
        { path: 'a/x', content: 'x' },
      ],
    ],
    want: ['a -> b', 'b -> /real', 'real directory', 'real/x = x'],
  },
  {
    name: 'T22 a path through a link that leads nowhere makes the place',
    layers: [[{ path: 'l', type: 'symlink', link: 'not/there' }], [{ path: 'l/x', content: 'x' }]],
    want: ['l -> not/there', 'not directory', 'not/there directory', 'not/there/x = x'],
  },
  {
    name: 'T22 a link over a directory replaces it with its content',
    layers: [base, [{ path: 'd', type: 'symlink', link: 'f' }]],
    want: ['d -> f', 'f = lower f'],
  },
  {
    name: 'T22 a file over a directory',
    layers: [base, [{ path: 'd', content: 'file now' }]],
    want: ['d = file now', 'f = lower f'],
  },
  {
    name: 'T22 a directory over a file',
    layers: [base, [{ path: 'f/' }, { path: 'f/x', content: 'x' }]],
    want: ['d directory', 'd/a = lower a', 'd/b = lower b', 'f directory', 'f/x = x'],
  },
  {
    name: 'T22 a directory that replaced a file of its layer hides what is below',
    layers: [base, [{ path: 'd', content: 'x' }, { path: 'd/' }, { path: 'd/new', content: 'n' }]],
    want: ['d directory', 'd/new = n', 'f = lower f'],
  },
  {
    name: 'T54 an opaque directory hides what is below, whatever its place in the archive',
    layers: [
      base,
      [
        { path: 'd/a', content: 'upper a' },
        { path: 'd/.wh..wh..opq' },
        { path: 'd/c', content: 'c' },
      ],
    ],
    want: ['d directory', 'd/a = upper a', 'd/c = c', 'f = lower f'],
  },
  {
    name: 'T54 an opaque root hides everything below',
    layers: [base, [{ path: 'x', content: 'x' }, { path: '.wh..wh..opq' }]],
    want: ['x = x'],
  },
  {
    name: 'T55 a whiteout beside a file of the same name hides only the lower one',
    layers: [base, [{ path: 'f', content: 'upper' }, { path: '.wh.f' }]],
    want: ['d directory', 'd/a = lower a', 'd/b = lower b', 'f = upper'],
  },
  {
    name: 'T56 a whiteout of the folder of a file of the same layer',
    layers: [base, [{ path: 'd/new', content: 'new' }, { path: '.wh.d' }]],
    want: ['d directory', 'd/new = new', 'f = lower f'],
  },
  {
    name: 'T57 the metadata of AUFS is no file of the image',
    layers: [
      [
        { path: '.wh..wh.aufs' },
        { path: '.wh..wh.plnk/' },
        { path: '.wh..wh.plnk/27.1', content: 'inode' },
        { path: '.wh..wh.orph/' },
        { path: 'x', content: 'x' },
      ],
    ],
    want: ['x = x'],
  },
  {
    name: 'T57 a whiteout that is a hard link, as AUFS wrote them',
    layers: [base, [{ path: 'd/.wh.a', type: 'hardlink', link: '.wh..wh.aufs' }]],
    want: ['d directory', 'd/b = lower b', 'f = lower f'],
  },
  {
    name: 'T59 a whiteout of what is not there',
    layers: [base, [{ path: 'd/.wh.never' }, { path: 'no/where/.wh.x' }]],
    want: [
      'd directory',
      'd/a = lower a',
      'd/b = lower b',
      'f = lower f',
      'no directory',
      'no/where directory',
    ],
  },
  {
    name: 'T53 a whiteout through a link below hides where the link leads, inside the image',
    layers: [usrMerged, [{ path: 'lib/.wh.old' }]],
    want: ['lib -> usr/lib', 'usr directory', 'usr/lib directory'],
  },
  {
    name: 'T21 a link with a slash behind its name',
    layers: [[{ path: 'l/', type: 'symlink', link: 'x' }]],
    want: ['l -> x'],
  },
  {
    name: 'T10 a top directory that becomes a link',
    layers: [
      [
        { path: 'rootfs/' },
        { path: 'rootfs/gone', content: 'x' },
        { path: 'rootfs', type: 'symlink', link: '/' },
        { path: 'rootfs/stays', content: 'inside' },
      ],
    ],
    want: ['rootfs -> /', 'stays = inside'],
  },
  {
    name: 'T45 T46 T47 names that mean something elsewhere are names',
    layers: [
      [
        { path: 'C:\\..\\x', content: '1' },
        { path: '\u00e9', content: '2' },
        { path: 'e\u0301', content: '3' },
        { path: 'a\nb', content: '4' },
        { path: '-rf', content: '5' },
        { path: '...', content: '6' },
        { path: '__proto__', content: '7' },
        { path: 'constructor', content: '8' },
        { path: 'README', content: '9' },
        { path: 'readme', content: '10' },
      ],
    ],
    want: [
      'C:\\..\\x = 1',
      '\u00c3\u00a9 = 2',
      'e\u00cc\u0081 = 3',
      'a\nb = 4',
      '-rf = 5',
      '... = 6',
      '__proto__ = 7',
      'constructor = 8',
      'README = 9',
      'readme = 10',
    ],
  },
];

/** Layers on which unpackers differ, or that lead nowhere. */
export const REFUSED_LAYERS: readonly Refused[] = [
  {
    name: 'T17 a hard link before its target',
    layers: [
      [
        { path: 'b', type: 'hardlink', link: 'a' },
        { path: 'a', content: 'x' },
      ],
    ],
  },
  { name: 'T17 a hard link to nothing', layers: [[{ path: 'b', type: 'hardlink', link: 'a' }]] },
  {
    name: 'T19 a hard link to what its own layer takes away',
    layers: [base, [{ path: 'x', type: 'hardlink', link: 'f' }, { path: '.wh.f' }]],
  },
  {
    name: 'T19 a hard link to what a lower layer took away',
    layers: [base, [{ path: '.wh.f' }], [{ path: 'x', type: 'hardlink', link: 'f' }]],
  },
  {
    name: 'a hard link to a directory',
    layers: [base, [{ path: 'x', type: 'hardlink', link: 'd' }]],
  },
  {
    name: 'a hard link to a directory of its own layer',
    layers: [[{ path: 'd/' }, { path: 'x', type: 'hardlink', link: 'd' }]],
  },
  {
    name: 'a path below a file',
    layers: [
      [
        { path: 'f', content: '' },
        { path: 'f/x', content: '' },
      ],
    ],
  },
  { name: 'a path below a file of a lower layer', layers: [base, [{ path: 'f/x', content: '' }]] },
  {
    name: 'links that go in circles',
    layers: [
      [
        { path: 'a', type: 'symlink', link: 'b' },
        { path: 'b', type: 'symlink', link: 'a' },
        { path: 'a/x', content: '' },
      ],
    ],
  },
  {
    name: 'links that go in circles across layers',
    layers: [
      [
        { path: 'a', type: 'symlink', link: 'b' },
        { path: 'b', type: 'symlink', link: 'a' },
      ],
      [{ path: 'a/x', content: '' }],
    ],
  },
  {
    name: 'T07 T66 a chain of links that gets deeper than any path is long',
    code: 'LAYER_LIMIT_EXCEEDED',
    layers: [
      [
        { path: `${'a/'.repeat(200)}x`, content: '' },
        { path: 's', type: 'symlink', link: 'a/'.repeat(200) },
        { path: `s/${'a/'.repeat(100)}x`, content: '' },
      ],
    ],
  },
  {
    name: 'T07 T66 the same across layers',
    code: 'LAYER_LIMIT_EXCEEDED',
    layers: [
      [
        { path: `${'a/'.repeat(200)}x`, content: '' },
        { path: 's', type: 'symlink', link: 'a/'.repeat(200) },
      ],
      [{ path: `s/${'a/'.repeat(100)}x`, content: '' }],
    ],
  },
];
