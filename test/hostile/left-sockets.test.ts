import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, Server } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';

import { findSocketFiles, removeLeftSockets } from '../../src/containers/left-sockets.js';
import { sideOf, type TransitionSide } from '../../src/containers/transition.js';
import { mknodAt } from '../../src/sys/at.js';
import { AT_FDCWD } from '../../src/sys/libc.js';
import { deploymentRecord } from '../support/deployment-record.js';
import { each } from '../support/each.js';
import { folderHost } from '../support/folder-host.js';
import { runningManager } from '../support/running-manager.js';
import { TempDir } from '../support/temp-dir.js';

// The file of a socket that a container had is removed as root: what else stands in its place, or is reached by it, is not.

const S_IFSOCK = 0o140000;
const S_IFIFO = 0o010000;

/** As a program leaves it that has ended. */
function leaveSocket(path: string, type = S_IFSOCK): void {
  mknodAt({ dirFd: AT_FDCWD, name: path }, { mode: type | 0o600, major: 0, minor: 0 });
}

function leaveFifo(path: string): void {
  leaveSocket(path, S_IFIFO);
}

/** A program that has the FIFO, as its reader does, or as who writes to it for nobody. */
function holdFifo(path: string, flags: number): Disposable {
  leaveFifo(path);
  const both = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const fd = openSync(path, flags | constants.O_NONBLOCK);
  closeSync(both);
  return {
    [Symbol.dispose]: () => {
      closeSync(fd);
    },
  };
}

async function listenAt(path: string): Promise<Server> {
  const server = createServer().listen(path);
  await once(server, 'listening');
  return server;
}

/** A socket unit of which instances are up. */
interface Template {
  readonly text: string;
  readonly up: readonly string[];
}

/** What a deployment `web.NUMBER` has, whose socket unit says so. */
function deploy(root: string, number: number, socket: string | Template): TransitionSide {
  const { text, up } = typeof socket === 'string' ? { text: socket, up: [] } : socket;
  const name = typeof socket === 'string' ? 'web' : 'web@';
  mkdirSync(`${root}/var/lib/berth/${name}.${number}`, { recursive: true });
  writeFileSync(`${root}/var/lib/berth/${name}.${number}/${name}.socket`, `[Socket]\n${text}`);
  const units = [`${name}.service`, `${name}.socket`];
  return sideOf(deploymentRecord({ name, number, units }), [], up);
}

async function remove(
  root: string,
  before: string | Template,
  after?: string | Template,
): Promise<readonly string[]> {
  await using host = folderHost(root, runningManager(root, []));
  const from = deploy(root, 0, before);
  const to = after === undefined ? undefined : deploy(root, 1, after);
  await removeLeftSockets(host, { name: typeof before === 'string' ? 'web' : 'web@', from, to });
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

test('a FIFO that it left goes, and the links to it, also where somebody writes to it still', async () => {
  using dir = new TempDir();
  const root = dir.path;
  mkdirSync(`${root}/srv`);
  using writing = holdFifo(`${root}/srv/log`, constants.O_WRONLY);
  symlinkSync('/srv/log', `${root}/srv/link`);
  const text = 'ListenFIFO=/srv/log\nSymlinks=/srv/link\n';
  await using host = folderHost(root);
  const found = await findSocketFiles(host.paths, { name: 'web', side: deploy(root, 0, text) });
  assert.deepEqual(found, ['/srv/log', '/srv/link']);
  assert.deepEqual(await remove(root, text), []);
  assert.deepEqual(readdirSync(`${root}/srv`), []);
  assert.ok(writing);
});

const UP = ['web@one.socket', 'web@two\\x20b.socket', 'web@one.path'];

test('what instances of a template left goes, and what others have stays', async () => {
  using dir = new TempDir();
  const root = dir.path;
  mkdirSync(`${root}/srv`);
  for (const name of ['one', 'two\\x20b', 'three', 'i']) leaveSocket(`${root}/srv/${name}.sock`);
  leaveFifo(`${root}/srv/web-web@one`);
  const before = { text: 'ListenStream=/srv/%i.sock\nListenFIFO=/srv/%p-%N\n', up: UP };
  await using host = folderHost(root);
  const side = deploy(root, 0, before);
  assert.deepEqual(await findSocketFiles(host.paths, { name: 'web@', side }), [
    '/srv/one.sock',
    '/srv/web-web@one',
    '/srv/two\\x20b.sock',
  ]);
  await remove(root, before, { text: 'ListenStream=/srv/%i.sock\n', up: [] });
  const staying = ['i.sock', 'one.sock', 'three.sock', 'two\\x20b.sock'];
  assert.deepEqual(readdirSync(`${root}/srv`), staying, 'the version after it has them');
  await remove(root, before);
  assert.deepEqual(readdirSync(`${root}/srv`), ['i.sock', 'three.sock']);
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
  readonly put: (root: string) => Promise<Server> | Disposable | undefined;
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
      name: 'H01 a FIFO where a socket listened',
      put: (root) => {
        leaveFifo(`${root}/srv/shop.sock`);
      },
      stays: '/srv/shop.sock',
    },
    {
      name: 'H01 a FIFO that a program reads from',
      put: (root) => holdFifo(`${root}/srv/shop.sock`, constants.O_RDONLY),
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
    const holder = await put(dir.path);
    let connections = 0;
    if (holder instanceof Server) holder.on('connection', () => (connections += 1));
    await remove(dir.path, text);
    assert.ok(lstatSync(`${dir.path}${stays}`), `${stays} is somebody else's`);
    if (holder instanceof Server) holder.close();
    else holder?.[Symbol.dispose]();
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
