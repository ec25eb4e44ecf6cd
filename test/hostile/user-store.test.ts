import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  closeSync,
  lchownSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { listXattrs } from '../../src/sys/xattrs.js';
import { PlainUser } from '../support/as-user.js';
import { each } from '../support/each.js';
import { buildLayer, type TarItem } from '../support/tar-builder.js';
import { TempDir } from '../support/temp-dir.js';
import { writeLayout } from '../support/write-layout.js';

/** cap_net_raw=ep, as setcap(8) writes it. */
const CAPABILITY = Buffer.from('0100000200200000000000000000000000000000', 'hex');

const ENTRIES: readonly TarItem[] = [
  { path: 'bin/' },
  { path: 'bin/su', content: 'set-user-ID', mode: 0o4755 },
  { path: 'bin/wall', content: 'set-group-ID', mode: 0o2755, gid: 5 },
  {
    path: 'bin/ping',
    content: 'capable',
    mode: 0o755,
    xattrs: { 'security.capability': CAPABILITY },
  },
  { path: 'shadow', content: 'secret', mode: 0, uid: 0, gid: 42 },
  { path: 'mail', content: 'foreign', mode: 0o640, uid: 33, gid: 8 },
  { path: 'null', type: 'character-device', major: 1, minor: 3 },
  { path: 'disk', type: 'block-device', major: 8, minor: 0 },
  { path: 'pipe', type: 'fifo', mode: 0o600 },
  { path: 'locked/', mode: 0o500 },
  { path: 'locked/in/', mode: 0 },
  { path: 'locked/in/file', content: 'deep' },
];

const images = new TempDir(tmpdir());
chmodSync(images.path, 0o755);
const image = writeLayout(images.path, {
  layers: [ENTRIES],
  process: { Cmd: ['/bin/su'] },
});
const user = new PlainUser();
after(() => {
  user[Symbol.dispose]();
  images[Symbol.dispose]();
});

test('T27 a store of a user has nothing set-id, nothing capable and no device, and is sound', async () => {
  const pulled = await user.berth(['--user', 'pull', image]);
  assert.equal(pulled.status, 0, pulled.stderr);
  const files = filesBelow(user.store);
  for (const file of files) {
    const { mode, uid, isFile } = statOf(file);
    assert.equal(
      mode & 0o6000,
      0,
      `${file} has set-id bits: a program of the image runs as the user`,
    );
    assert.equal(uid, user.uid, `${file} is not the user's`);
    assert.ok(isFile, `${file} is a device of the image`);
    assert.ok(!attributesOf(file).includes('security.capability'), `${file} has capabilities`);
  }
  assert.ok(
    files.some((file) => file.includes('/objects/')),
    'there are no objects at all',
  );
  const checked = await user.berth(['--user', 'fsck']);
  assert.equal(checked.status, 0, `${checked.stdout}${checked.stderr}`);
});

test('T27 what a naive extraction by the user leaves is set-user-ID', async () => {
  const archive = join(user.home, 'layer.tar');
  writeFileSync(archive, buildLayer([...ENTRIES.slice(0, 2)]).tar);
  chownSync(archive, user.uid, user.uid);
  const script = `mkdir ${user.home}/naive && tar -xpf ${archive} -C ${user.home}/naive`;
  const extracted = await user.run(['sh', '-euc', script]);
  assert.equal(extracted.status, 0, extracted.stderr);
  assert.equal(statSync(join(user.home, 'naive/bin/su')).mode & 0o6000, 0o4000);
});

each(
  'H02 places of a user that others could change are refused',
  [
    {
      name: 'a group',
      spoil: (share: string) => {
        chmodSync(join(share, 'berth'), 0o770);
      },
    },
    {
      name: 'everybody',
      spoil: (share: string) => {
        chmodSync(share, 0o777);
      },
    },
    {
      name: 'a foreign group',
      spoil: (share: string) => {
        chownSync(share, user.uid, 100);
        chmodSync(share, 0o770);
      },
    },
    {
      name: "another user's folder",
      spoil: (share: string) => {
        chownSync(join(share, 'berth'), 33, 33);
      },
    },
    {
      name: "a link into another user's folder",
      spoil: (share: string) => {
        mkdirSync(join(share, 'foreign'), { mode: 0o755 });
        chownSync(join(share, 'foreign'), 33, 33);
        mkdirSync(join(share, 'foreign/berth'), { mode: 0o755 });
        chownSync(join(share, 'foreign/berth'), user.uid, user.uid);
        link(join(share, 'foreign/berth'), join(share, 'linked'));
      },
      place: 'linked',
    },
    {
      name: 'a link of another user',
      spoil: (share: string) => {
        link(join(share, 'berth'), join(share, 'linked'), 33);
      },
      place: 'linked',
    },
    {
      name: 'links in circles',
      spoil: (share: string) => {
        link('linked', join(share, 'linked'));
      },
      place: 'linked',
    },
  ],
  async ({ spoil, place = 'berth' }) => {
    using folder = new TempDir(tmpdir());
    chmodSync(folder.path, 0o755);
    const share = join(folder.path, 'share');
    for (const path of [share, join(share, 'berth')]) {
      mkdirSync(path, { mode: 0o700 });
      chownSync(path, user.uid, user.uid);
    }
    const env = { BERTH_STATE_DIR: join(share, place) };
    const good = await user.berth(['--user', 'images', 'list'], {
      BERTH_STATE_DIR: join(share, 'berth'),
    });
    assert.equal(good.status, 0, good.stderr);
    spoil(share);
    const refused = await user.berth(['--user', 'pull', image, '--json'], env);
    assert.notEqual(refused.status, 0, 'images were pulled to where others can change them');
    assert.match(refused.stderr, /"HOST_PATH_REFUSED"/);
  },
);

test("H02 another user's home is refused, whatever HOME says", async () => {
  using closed = new TempDir(tmpdir());
  using open = new TempDir(tmpdir());
  chmodSync(open.path, 0o755);
  chownSync(open.path, 33, 33);
  for (const { path: HOME } of [closed, open]) {
    const refused = await user.berth(['--user', 'images', 'list', '--json'], { HOME });
    assert.notEqual(refused.status, 0);
    assert.match(refused.stderr, /"HOST_PATH_REFUSED"/);
  }
});

test('a link of the user to a folder of the user is followed', async () => {
  using folder = new TempDir(tmpdir());
  chmodSync(folder.path, 0o755);
  mkdirSync(join(folder.path, 'disk'), { mode: 0o700 });
  chownSync(join(folder.path, 'disk'), user.uid, user.uid);
  link('disk', join(folder.path, 'share'));
  const env = { BERTH_STATE_DIR: join(folder.path, 'share/berth') };
  const pulled = await user.berth(['--user', 'pull', image], env);
  assert.equal(pulled.status, 0, pulled.stderr);
  assert.ok(filesBelow(join(folder.path, 'disk/berth/.store')).length > 0);
});

function link(target: string, path: string, owner = user.uid): void {
  symlinkSync(target, path);
  lchownSync(path, owner, owner);
}

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
}

function statOf(file: string): {
  readonly mode: number;
  readonly uid: number;
  readonly isFile: boolean;
} {
  const found = statSync(file);
  return { mode: found.mode, uid: found.uid, isFile: found.isFile() };
}

function attributesOf(file: string): readonly string[] {
  const fd = openSync(file, 'r');
  try {
    return listXattrs(fd).map(({ name }) => name);
  } finally {
    closeSync(fd);
  }
}
