import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { assertOk } from '../support/command-asserts.js';
import { type BootedHost, bootHost } from '../support/booted-host.js';
import { debianImageLayers } from '../support/debian-image.js';
import { pushExports } from '../support/exports-image.js';
import { HostUser } from '../support/host-user.js';
import { pushStockProbe } from '../support/probe-image.js';
import { pushImage } from '../support/push-image.js';
import { assertRefusedInWords } from '../support/refused.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import { shortSoak } from '../support/short-soak.js';
import { buildLayer } from '../support/tar-builder.js';

// Images without /exports get berth's own filter of system calls, as an engine would give them one.

let registry: RealRegistry;
let host: BootedHost;

before(async () => {
  registry = await startRegistry();
  host = await bootHost({ suite: 'trixie', prepare: shortSoak });
  await host.network.exposePort(registry.port);
});

after(async () => {
  await host[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

const image = (name: string): string => `${registry.host}/${name}`;

async function pushProbe(name: string, env = 'A=b'): Promise<void> {
  const process = { Entrypoint: ['/probe'], Cmd: ['deaf'], Env: [env] };
  await pushStockProbe(registry.target(name), process);
}

async function berth(...args: readonly string[]): Promise<string> {
  return assertOk(await host.berth(...args)).stdout;
}

/** What each call of `probe calls` comes to under the filter. */
const FILTERED: Readonly<Record<string, string>> = {
  keyctl: 'EPERM',
  add_key: 'EPERM',
  mount: 'EPERM',
  fsopen: 'EPERM',
  unshare: 'EPERM',
  setns: 'EPERM',
  kexec_load: 'EPERM',
  swapon: 'EPERM',
  bpf: 'EPERM',
  perf_event_open: 'EPERM',
  userfaultfd: 'EPERM',
  io_uring_setup: 'EPERM',
  open_by_handle_at: 'EPERM',
  'socket AF_ALG': 'EPERM',
  'socket AF_VSOCK': 'EPERM',
  'socket AF_INET': 'done',
  'socket AF_NETLINK': 'done',
  // What the filter does not know at all is as on a kernel that does not: programs go on with what they did before.
  'personality READ_IMPLIES_EXEC': 'ENOSYS',
  personality: 'done',
  clone3: 'ENOSYS',
  'syscall 1000': 'ENOSYS',
  'clone CLONE_NEWUSER': 'EPERM',
  'clone CLONE_NEWNET': 'EPERM',
  clone: 'done',
  chroot: 'done',
  seccomp: 'done',
};

function callsOf(output: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    output
      .trim()
      .split('\n')
      .map((line) => line.split(': ') as [string, string]),
  );
}

test('a container of no /exports makes ordinary calls, and none that reach for the host', async () => {
  await pushProbe('plain');
  const plan = await berth('install', '--plan', image('plain'));
  assert.match(plan, /\nSystem calls\n {2}those that berth's own filter lets through\n/);
  await berth('install', '--start', image('plain'));
  const inside = await berth('exec', 'plain', '--', '/probe', 'calls');
  assert.deepEqual(callsOf(inside), FILTERED);
});

test('so does what is run once from an image, as its own program', async () => {
  assert.deepEqual(callsOf(await berth('run', image('plain'), '/probe', 'calls')), FILTERED);
});

test('what is run once has the filter that is asked for, and what is installed keeps its own', async () => {
  const run = async (profile: string): Promise<Readonly<Record<string, string>>> =>
    callsOf(await berth('run', '--seccomp', profile, image('plain'), '/probe', 'calls'));
  assert.equal((await run('unconfined'))['keyctl'], 'done');
  assert.deepEqual(await run('default'), FILTERED);
  const file = join(host.root, 'root/once.json');
  const rules = [{ names: ['chroot'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 }];
  writeFileSync(file, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: rules }));
  assert.equal((await run('/root/once.json'))['chroot'], 'ENOSPC');
  const rows: readonly (readonly [string, string, RegExp])[] = [
    ['unconfined', 'plain', /'plain' is installed: its filter is part of it/],
    ['unconfned', image('plain'), /--seccomp: there is no file '.*unconfned'/],
  ];
  for (const [profile, what, says] of rows) {
    const refused = await host.berth('run', '--seccomp', profile, what, '/probe', 'calls');
    assertRefusedInWords(refused, { status: 64, code: 'USAGE', says });
  }
  assert.doesNotMatch(await berth('list'), /run-/);
});

test('etcd runs under the filter', async () => {
  const layers = await debianImageLayers('etcd');
  const bare = buildLayer([{ path: '.wh.exports', content: '' }]).blob;
  await pushImage(registry.target('etcd'), 'latest', {
    layers: [...layers.map((path) => ({ content: { path } })), { content: bare }],
    process: { Cmd: ['/usr/bin/etcd'], Env: ['PATH=/usr/bin:/bin'], WorkingDir: '/var/lib/etcd' },
  });
  await berth('install', '--start', image('etcd'));
  const url = 'http://127.0.0.1:2379/health';
  const retry = ['--retry-connrefused', '--retry', '20', '--retry-delay', '1'];
  const answer = await host.runInNetwork(['curl', '--silent', '--show-error', ...retry, url]);
  assert.match(answer.stdout, /"health":"true"/, answer.stderr);
  await berth('uninstall', 'etcd');
});

test('a container of a user is filtered, too', async () => {
  const user = await HostUser.create(host, 'alice', 1000);
  await user.linger();
  assertOk(await user.berth('install', '--start', image('plain')));
  const { stdout } = assertOk(await user.berth('exec', 'plain', '--', '/probe', 'calls'));
  assert.deepEqual(callsOf(stdout), FILTERED);
});

test('the filter can be left off, and stays off over updates, until it is asked for', async () => {
  await pushProbe('free');
  await berth('install', '--start', '--seccomp', 'unconfined', image('free'));
  const calls = async (): Promise<Readonly<Record<string, string>>> =>
    callsOf(await berth('exec', 'free', '--', '/probe', 'calls'));
  const { keyctl, io_uring_setup: ring } = await calls();
  assert.deepEqual(
    [keyctl, ring],
    ['done', 'EFAULT'],
    'the filter is there, or the probe is wrong',
  );
  const again = await host.berth('install', image('free'));
  assertRefusedInWords(again, { status: 73, code: 'CONTAINER_EXISTS', says: /other values/ });
  await pushProbe('free', 'A=c');
  await berth('update', 'free');
  assert.equal((await calls())['keyctl'], 'done');
  assert.match(
    await berth('update', '--plan', '--seccomp', 'default', 'free'),
    /~ systemCallFilter: "unconfined" → "berth"/,
  );
  await berth('update', '--seccomp', 'default', 'free');
  assert.deepEqual(await calls(), FILTERED);
});

test('a profile of the administrator holds, and is kept when its file is gone', async () => {
  const profile = join(host.root, 'root/profile.json');
  const rules = [
    { names: ['chroot'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 },
    { names: ['keyctl'], action: 'SCMP_ACT_ERRNO', excludes: { caps: ['CAP_CHOWN'] } },
  ];
  writeFileSync(profile, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: rules }));
  await berth('update', '--seccomp', '/root/profile.json', 'free');
  rmSync(profile);
  await pushProbe('free', 'A=d');
  await berth('update', '--allow-new-permissions', 'free');
  const { chroot, keyctl } = callsOf(await berth('exec', 'free', '--', '/probe', 'calls'));
  assert.deepEqual([chroot, keyctl], ['ENOSPC', 'done']);
});

test('an update that gives up the filter is asked about; one that brings it is not', async () => {
  await pushProbe('late');
  await berth('install', image('late'));
  await pushExports(registry.target('late'));
  assertRefusedInWords(await host.berth('update', 'late'), {
    status: 77,
    code: 'CONSENT_MISSING',
    says: /all system calls \(no seccomp profile\)/,
  });
  await pushExports(registry.target('early'));
  const before = await berth('install', '--plan', image('early'));
  assert.match(before, /\n {2}all: its config\.json has no filter\n/);
  await berth('install', image('early'));
  await pushProbe('early');
  const plan = await berth('update', '--plan', 'early');
  assert.match(plan, /\+ linux\.seccomp: /);
  assert.doesNotMatch(plan, /seccomp profile|\(seccomp\)/);
});

test('profiles that are none are refused before anything is fetched', async () => {
  const file = join(host.root, 'root/bad.json');
  const rows: readonly (readonly [string, number, string, RegExp])[] = [
    ['{', 65, 'JSON_INVALID', /the seccomp profile '\/root\/bad\.json'/],
    ['[]', 78, 'CONFIG_INVALID', /is not an object/],
    ['{"defaultAction":"SCMP_ACT_ALLOW"}', 78, 'CONFIG_INVALID', /'syscalls' is missing/],
  ];
  for (const [text, status, code, says] of rows) {
    writeFileSync(file, text);
    const refused = await host.berth('install', '--seccomp', '/root/bad.json', image('none'));
    assertRefusedInWords(refused, { status, code, says });
  }
  const missing = await host.berth('install', '--seccomp', 'unconfned', image('none'));
  assertRefusedInWords(missing, {
    status: 64,
    code: 'USAGE',
    says: /--seccomp: there is no file '.*unconfned'/,
  });
});
