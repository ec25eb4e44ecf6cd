import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { BerthInTree } from '../support/berth-in-tree.js';
import { each } from '../support/each.js';
import { writeForerunner, type ForerunnerSketch } from '../support/forerunner.js';

// What another program noted of its containers decides which files berth removes later: it is read as a stranger's.

const INFO = 'var/lib/containers/atomic/old.0/info';
const SKETCH: ForerunnerSketch = { name: 'old', image: 'old' };
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A reader that believes everything: each case has to mislead it, or it proves nothing. */
function naiveImage(root: string): unknown {
  const text = readFileSync(`${root}/var/lib/containers/atomic/old/info`, 'utf8');
  return (JSON.parse(text) as { image: unknown }).image;
}

interface Row {
  readonly name: string;
  readonly info?: Readonly<Record<string, unknown>>;
  readonly damage?: (root: string) => void;
  readonly says: RegExp;
}

function rewrite(change: (text: string) => string): (root: string) => void {
  return (root) => {
    writeFileSync(`${root}/${INFO}`, change(readFileSync(`${root}/${INFO}`, 'utf8')));
  };
}

const rows: readonly Row[] = [
  {
    name: 'a key twice',
    damage: rewrite((text) => text.replace('{', '{"image": "other",')),
    says: /stands twice/,
  },
  {
    name: 'larger than the limit',
    damage: rewrite((text) => text + ' '.repeat(1024 * 1024)),
    says: /larger than 1048576 bytes/,
  },
  { name: 'an image that is a list', info: { image: ['a'] }, says: /expected a string/ },
  { name: 'an image of two lines', info: { image: 'a\nb' }, says: /is no image/ },
  { name: 'values that are a list', info: { values: ['a'] }, says: /expected an object/ },
  { name: 'a value that is an object', info: { values: { A: {} } }, says: /it is no text/ },
  { name: 'a variable with a space', info: { values: { 'A B': '' } }, says: /no variable/ },
  {
    name: 'a checksum that is none',
    info: { 'installed-files-checksum': { '/etc/x': '../../etc/shadow' } },
    says: /checksum of '\/etc\/x' is none/,
  },
  {
    name: 'too many files',
    info: {
      'installed-files-checksum': Object.fromEntries(
        Array.from({ length: 10_001 }, (_, index) => [`/etc/x/${index}`, '0']),
      ),
    },
    says: /more than 10000 files/,
  },
  {
    name: 'files of a package',
    info: { 'rpm-installed': 'atomic-container-old.rpm' },
    says: /RPM package/,
  },
  { name: 'the root of another', info: { remote: '/srv/other' }, says: /'--remote'/ },
  {
    name: 'a link in the place of the file',
    damage: (root) => {
      const elsewhere = `${root}/srv-info`;
      writeFileSync(elsewhere, readFileSync(`${root}/${INFO}`));
      unlinkSync(`${root}/${INFO}`);
      symlinkSync(elsewhere, `${root}/${INFO}`);
    },
    says: /a link leads to it/,
  },
  {
    name: 'a file of somebody else',
    damage: (root) => {
      lchownSync(`${root}/${INFO}`, 1000, 1000);
    },
    says: /by others than root/,
  },
  {
    name: 'a file that everybody may write',
    damage: (root) => {
      chmodSync(`${root}/${INFO}`, 0o666);
    },
    says: /by others than root/,
  },
  {
    name: 'a link that leads to another container',
    damage: (root) => {
      writeForerunner(root, { ...SKETCH, name: 'victim' });
      unlinkSync(`${root}/var/lib/containers/atomic/old`);
      symlinkSync('victim.0', `${root}/var/lib/containers/atomic/old`);
    },
    says: /does not point to a deployment of 'old'/,
  },
  {
    name: 'a link that leads out',
    damage: (root) => {
      mkdirSync(`${root}/srv/old.0`, { recursive: true });
      writeFileSync(`${root}/srv/old.0/info`, readFileSync(`${root}/${INFO}`));
      unlinkSync(`${root}/var/lib/containers/atomic/old`);
      symlinkSync(`${root}/srv/old.0`, `${root}/var/lib/containers/atomic/old`);
    },
    says: /not where atomic keeps containers/,
  },
];

each('berth adopt refuses, and changes nothing', rows, async ({ info, damage, says }) => {
  using tree = new BerthInTree();
  const directory = writeForerunner(tree.path, { ...SKETCH, ...(info && { info }) });
  // The link is absolute, as on a host: in a tree it leads nowhere until it is made relative.
  const link = `${tree.path}/var/lib/containers/atomic/old`;
  unlinkSync(link);
  symlinkSync(directory.slice(directory.lastIndexOf('/') + 1), link);
  damage?.(tree.path);
  if (!says.source.includes('twice')) assert.doesNotThrow(() => naiveImage(tree.path));
  else assert.equal(naiveImage(tree.path), 'old', 'the naive reader takes one of the two');
  const { status, stderr } = await tree.run('adopt', 'old');
  assert.notEqual(status, 0);
  assert.notEqual(status, 70, stderr);
  assert.match(stderr, says);
  assert.equal(existsSync(`${tree.path}/var/lib/berth/old`), false);
  assert.equal(existsSync(`${tree.path}/etc/systemd/system/old.service`), true);
});

each(
  'what info calls its own is not removed with it',
  [
    { name: 'accounts', path: '/etc/passwd' },
    { name: 'a path with dots', path: '/etc/old/../passwd' },
    { name: "berth's own state", path: '/var/lib/berth/x' },
    { name: 'a relative path', path: 'etc/passwd' },
  ],
  async ({ path }) => {
    using tree = new BerthInTree();
    mkdirSync(`${tree.path}/etc/old`, { recursive: true });
    mkdirSync(`${tree.path}/var/lib/berth`, { recursive: true });
    const content = 'root:x:0:0\n';
    writeFileSync(`${tree.path}/${path}`, content);
    const naive = `${tree.path}/etc/own.conf`;
    writeFileSync(naive, content);
    writeForerunner(tree.path, {
      ...SKETCH,
      info: {
        'installed-files-checksum': { [path]: sha256(content), '/etc/own.conf': sha256(content) },
      },
    });
    const { stderr } = await tree.run('adopt', 'old');
    assert.match(stderr, /stays as it is: atomic says it installed it, but it is a guarded place/);
    await tree.runOk('uninstall', 'old');
    assert.equal(existsSync(`${tree.path}/${path}`), true);
    assert.equal(existsSync(naive), false, 'what it may have is removed: the case is one');
  },
);

test('uninstalling an adopted container follows no link out of atomic’s directory', async () => {
  using tree = new BerthInTree();
  const directory = writeForerunner(tree.path, SKETCH);
  await tree.runOk('adopt', 'old');
  mkdirSync(`${tree.path}/srv/precious`, { recursive: true });
  writeFileSync(`${tree.path}/srv/precious/file`, 'x');
  rmSync(`${tree.path}${directory}`, { recursive: true });
  symlinkSync(`${tree.path}/srv/precious`, `${tree.path}${directory}`);
  symlinkSync(`${tree.path}/srv/precious`, `${tree.path}${directory.replace(/0$/, '1')}`);
  await tree.runOk('uninstall', 'old');
  assert.equal(existsSync(`${tree.path}/srv/precious/file`), true);
  assert.throws(() => readFileSync(`${tree.path}${directory}/file`), /ENOENT/);
});
