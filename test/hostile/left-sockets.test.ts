import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';

import { findSocketFiles, removeLeftSockets } from '../../src/containers/left-sockets.js';
import { sideOf } from '../../src/containers/transition.js';
import { mknodAt } from '../../src/sys/at.js';
import { AT_FDCWD } from '../../src/sys/libc.js';
import { deploymentRecord } from '../support/deployment-record.js';
import { each } from '../support/each.js';
import { folderHost } from '../support/folder-host.js';
import { runningManager } from '../support/running-manager.js';
import { TempDir } from '../support/temp-dir.js';

// The file of a socket that a container had is removed as root: what else stands in its place, or is reached by it, is not.

const S_IFSOCK = 0o140000;

/** As a program leaves it that has ended. */
function leaveSocket(path: string): void {
  mknodAt({ dirFd: AT_FDCWD, name: path }, { mode: S_IFSOCK | 0o600, major: 0, minor: 0 });
}

async function listenAt(path: string): Promise<Server> {
  const server = createServer().listen(path);
  await once(server, 'listening');
  return server;
}

/** What a deployment `web.NUMBER` has, whose socket unit says so. */
function deploy(root: string, number: number, text: string): ReturnType<typeof sideOf> {
  mkdirSync(`${root}/var/lib/berth/web.${number}`, { recursive: true });
  writeFileSync(`${root}/var/lib/berth/web.${number}/web.socket`, `[Socket]\n${text}`);
  const units = ['web.service', 'web.socket'];
  return sideOf(deploymentRecord({ name: 'web', number, units }), []);
}

async function remove(root: string, before: string, after?: string): Promise<readonly string[]> {
  await using host = folderHost(root, runningManager(root, []));
  const from = deploy(root, 0, before);
  const to = after === undefined ? undefined : deploy(root, 1, after);
  await removeLeftSockets(host, { name: 'web', from, to });
  return host.events.flatMap((event) => (event.kind === 'warning' ? [event.text] : []));
}

test('the file that its own socket left goes, and the links to it', async () => {
  using dir = new TempDir();
  const root = dir.path;
  mkdirSync(`${root}/srv`);
  mkdirSync(`${root}/run`);
  leaveSocket(`${root}/srv/shop.sock`);
  leaveSocket(`${root}/run/shop.dgram`);
  symlinkSync('/srv/shop.sock', `${root}/srv/link`);
  symlinkSync('/srv/other', `${root}/srv/others`);
  const text =
    'ListenStream=/srv/shop.sock\nListenDatagram=/var/run/shop.dgram\nSymlinks=/srv/link /srv/others\n';
  await using host = folderHost(root);
  assert.deepEqual(
    await findSocketFiles(host.paths, { name: 'web', side: deploy(root, 0, text) }),
    ['/srv/shop.sock', '/run/shop.dgram', '/srv/link'],
  );
  await remove(root, text);
  assert.deepEqual(readdirSync(`${root}/srv`), ['others']);
  assert.deepEqual(readdirSync(`${root}/run`), []);
  await remove(root, text);
});

test('one on a disk that cannot be written to stays with a warning, and the others go', async () => {
  using dir = new TempDir();
  for (const name of ['srv', 'run']) {
    mkdirSync(`${dir.path}/${name}`);
    leaveSocket(`${dir.path}/${name}/shop.sock`);
  }
  execFileSync('mount', ['--bind', '--options', 'ro', `${dir.path}/srv`, `${dir.path}/srv`]);
  try {
    const text = 'ListenStream=/srv/shop.sock\nListenDatagram=/run/shop.sock\n';
    const warnings = await remove(dir.path, text);
    assert.deepEqual(readdirSync(`${dir.path}/srv`), ['shop.sock']);
    assert.deepEqual(readdirSync(`${dir.path}/run`), []);
    assert.match(
      warnings.join('\n'),
      /^'\/srv\/shop\.sock' stays: .*the file system is read-only$/,
    );
  } finally {
    execFileSync('umount', [`${dir.path}/srv`]);
  }
});

test('what the version after it has stays', async () => {
  using dir = new TempDir();
  mkdirSync(`${dir.path}/srv`);
  for (const name of ['one', 'two']) leaveSocket(`${dir.path}/srv/${name}`);
  await remove(
    dir.path,
    'ListenStream=/srv/one\nListenStream=/srv/two\n',
    'ListenSequentialPacket=/srv/two\n',
  );
  assert.deepEqual(readdirSync(`${dir.path}/srv`), ['two']);
});

interface Row {
  readonly name: string;
  /** Puts something to `/srv/shop.sock`. */
  readonly put: (root: string) => unknown;
  readonly text?: string;
  /** What has to be there still. */
  readonly stays: string;
}

each<Row>(
  'what is no socket that was left stays',
  [
    {
      name: 'H01 a file',
      put: (root) => {
        writeFileSync(`${root}/srv/shop.sock`, 'x');
      },
      stays: '/srv/shop.sock',
    },
    {
      name: 'H03 a link to a socket of somebody else',
      put: (root) => {
        leaveSocket(`${root}/srv/others`);
        symlinkSync('others', `${root}/srv/shop.sock`);
      },
      stays: '/srv/shop.sock',
    },
    {
      name: 'H03 what a link on the way leads to',
      put: (root) => {
        mkdirSync(`${root}/etc`, { recursive: true });
        leaveSocket(`${root}/etc/x.sock`);
        symlinkSync('/etc', `${root}/srv/deep`);
      },
      text: 'ListenStream=/srv/deep/x.sock\n',
      stays: '/etc/x.sock',
    },
    {
      name: 'H01 one that a program listens at',
      put: (root) => listenAt(`${root}/srv/shop.sock`),
      stays: '/srv/shop.sock',
    },
    {
      name: 'H01 one that a program listens at under another name',
      put: async (root) => {
        const server = await listenAt(`${root}/srv/first`);
        renameSync(`${root}/srv/first`, `${root}/srv/shop.sock`);
        return server;
      },
      stays: '/srv/shop.sock',
    },
    {
      name: 'H01 a socket where a FIFO was opened',
      put: (root) => {
        leaveSocket(`${root}/srv/shop.sock`);
      },
      text: 'ListenFIFO=/srv/shop.sock\n',
      stays: '/srv/shop.sock',
    },
    {
      name: 'H01 a socket that it only had a link at',
      put: (root) => {
        leaveSocket(`${root}/srv/shop.sock`);
      },
      text: 'ListenStream=/srv/x\nSymlinks=/srv/shop.sock\n',
      stays: '/srv/shop.sock',
    },
  ],
  async ({ put, text = 'ListenStream=/srv/shop.sock\n', stays }) => {
    using dir = new TempDir();
    mkdirSync(`${dir.path}/srv`);
    const server = (await put(dir.path)) as Server | undefined;
    let connections = 0;
    server?.on('connection', () => (connections += 1));
    await remove(dir.path, text);
    assert.ok(lstatSync(`${dir.path}${stays}`), `${stays} is somebody else's`);
    server?.close();
    assert.equal(connections, 0, 'asking whether somebody listens woke a service');
  },
);

test('nothing of a tree is removed', async () => {
  using dir = new TempDir();
  mkdirSync(`${dir.path}/srv`);
  leaveSocket(`${dir.path}/srv/shop.sock`);
  await using host = folderHost(dir.path);
  const from = deploy(dir.path, 0, 'ListenStream=/srv/shop.sock\n');
  await removeLeftSockets(host, { name: 'web', from, to: undefined });
  assert.ok(existsSync(`${dir.path}/srv/shop.sock`));
});
