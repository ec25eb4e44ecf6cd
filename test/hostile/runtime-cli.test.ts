import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { change, defaultDocument, RuntimeBed } from '../conformance/runtime-bed.js';
import { projectRoot } from '../support/cache-folder.js';
import { each } from '../support/each.js';
import { hostMounts } from '../support/host-mounts.js';
import { listTree } from '../support/list-tree.js';

const program = [process.execPath, join(projectRoot, 'dist/bin/berth-runtime.cjs')];
const launcher = join(projectRoot, 'dist/launcher/launch');

test('C28 a runtime that is killed at any moment leaves nothing that delete --force does not find', async () => {
  const killed: string[] = [];
  // Later and later, until one is killed when its container runs, and three at least: how long that takes is the machine's.
  const isEnough = (): boolean => killed.length > 2 && killed.at(-1) === 'running';
  for (let waitMs = 30; !isEnough() && waitMs < 20_000; waitMs *= 1.6) {
    using bed = new RuntimeBed();
    const hook = { path: '/bin/sleep', args: ['sleep', '0.05'] };
    bed.configure(change(defaultDocument(['sleep', '1000']), { hooks: { createRuntime: [hook] } }));
    const child = spawn(
      program[0] ?? '',
      [...program.slice(1), '--root', bed.path('state'), 'run', '-b', bed.bundle, bed.id],
      { stdio: 'ignore' },
    );
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await delay(waitMs);
    killed.push(bed.state()?.status ?? 'nothing');
    child.kill('SIGKILL');
    await ended;
    const result = bed.call('delete', '--force', bed.id);
    assert.equal(result.status, 0, result.stderr);
    assert.ok(!existsSync(bed.path(`state/${bed.id}`)), 'the folder of the container is left');
    assert.equal(processesBelow(bed.bundle), '', 'a process of the container is left');
    assert.equal(groupsOf(bed.id), '', 'a control group is left');
    assert.ok(
      !readFileSync('/proc/self/mountinfo', 'utf8').includes(bed.bundle),
      'a mount is left',
    );
  }
  assert.ok(isEnough(), killed.join(' '));
});

/** Processes that have the bundle as their root, or are its launcher. */
function processesBelow(bundle: string): string {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter(
      (pid) =>
        spawnSync('readlink', [`/proc/${pid}/root`], { encoding: 'utf8' }).stdout.trim() === bundle,
    )
    .join(' ');
}

function groupsOf(id: string): string {
  return spawnSync('find', ['/sys/fs/cgroup', '-name', id], { encoding: 'utf8' }).stdout;
}

const forbidden = (...names: readonly string[]): object => ({
  linux: {
    seccomp: {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names, action: 'SCMP_ACT_ERRNO' }],
    },
  },
});

each<{ name: string; change: object; message: RegExp }>(
  'C25 C26 a document that cannot be is refused before anything is made',
  [
    { name: 'no program', change: { process: { args: undefined } }, message: /process\.args/ },
    {
      name: 'an unknown capability',
      change: { process: { capabilities: { ambient: ['CAP_KILL', 'CAP_X'] } } },
      message: /process\.capabilities\.ambient\[1\]: 'CAP_X'/,
    },
    {
      name: 'an unknown system call that is to be forbidden',
      change: forbidden('mkdir', 'no_such_call'),
      message: /linux\.seccomp\.syscalls\[0\]\.names\[1\]: 'no_such_call'/,
    },
    {
      name: 'a namespace by the path of another kind',
      change: {
        hostname: '',
        linux: { namespaces: [{ type: 'mount' }, { type: 'network', path: '/proc/self/ns/ipc' }] },
      },
      message: /linux\.namespaces\[1\].*ipc namespace/,
    },
    {
      name: 'a mount without a place',
      change: { mounts: [{ type: 'tmpfs' }] },
      message: /mounts\[0\]\.destination/,
    },
    {
      name: 'a user that is no number',
      change: { process: { user: { uid: '0', gid: 0 } } },
      message: /process\.user\.uid/,
    },
    {
      name: 'a negative user',
      change: { process: { user: { uid: 0, gid: -1 } } },
      message: /process\.user\.gid/,
    },
    { name: 'no arguments', change: { process: { args: [] } }, message: /process\.args/ },
    {
      name: 'a user of 2^32',
      change: { process: { user: { uid: 2 ** 32, gid: 0 } } },
      message: /process\.user\.uid/,
    },
    { name: 'a type that is wrong', change: { hostname: 7 }, message: /'hostname' is not a text/ },
    {
      name: 'an unknown limit',
      change: { process: { rlimits: [{ type: 'RLIMIT_X', hard: 1, soft: 1 }] } },
      message: /RLIMIT_X/,
    },
    {
      name: 'an unknown namespace',
      change: { linux: { namespaces: [{ type: 'mount' }, { type: 'x' }] } },
      message: /'x'/,
    },
    {
      name: 'too many mounts',
      change: {
        mounts: Array.from({ length: 10_000 }, () => ({ destination: '/x', type: 'tmpfs' })),
      },
      message: /mounts/,
    },
    {
      name: 'hooks that are no list',
      change: { hooks: { prestart: {} } },
      message: /hooks\.prestart/,
    },
    {
      name: 'a hook with a relative path',
      change: { hooks: { poststop: [{ path: 'x' }] } },
      message: /absolute/,
    },
    {
      name: 'a root that is not there',
      change: { root: { path: '/not/there' } },
      message: /does not exist/,
    },
    {
      name: 'a way out of the control groups',
      change: { linux: { cgroupsPath: '/../x', namespaces: [{ type: 'mount' }] } },
      message: /cgroup/,
    },
  ],
  (row) => {
    using bed = new RuntimeBed();
    bed.configure(change(defaultDocument(['true']), row.change as Record<string, unknown>));
    const files = listTree(bed.bundle);
    const result = bed.create();
    assert.equal(result.status, 1);
    assert.match(result.stderr, row.message);
    assert.equal(result.stderr.trim().split('\n').length, 1, 'an error is one line');
    assertNothingLeft(bed);
    assert.deepEqual(listTree(bed.bundle), files, 'something was made in the root');
  },
);

/** A creation that was refused or failed has left no folder, group, process (and so no namespace) or mount. */
function assertNothingLeft(bed: RuntimeBed): void {
  assert.ok(!existsSync(bed.path(`state/${bed.id}`)), 'a folder is left');
  assert.equal(groupsOf(bed.id), '', 'a control group is left');
  assert.equal(processesBelow(bed.bundle), '', 'a process is left');
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  assert.ok(!mounts.includes(bed.path('')), 'a mount is left');
}

each<{ name: string; image: (bed: RuntimeBed) => object; message: RegExp }>(
  'C26 what is seen only as it is made leaves nothing either:',
  [
    {
      name: 'a mount through links in a circle',
      image: (bed) => {
        symlinkSync('b', join(bed.bundle, 'a'));
        symlinkSync('a', join(bed.bundle, 'b'));
        return { mounts: [{ destination: '/a/x', type: 'tmpfs', source: 'tmpfs' }] };
      },
      message: /'\/a\/x': (Too many levels of symbolic links|Symbolic link loop)/, // glibc's words, musl's
    },
    {
      name: 'a file system that there is not',
      image: () => ({ mounts: [{ destination: '/mnt', type: 'nofs', source: 'x' }] }),
      message: /nofs/,
    },
    {
      name: 'a source that there is not',
      image: (bed) => ({
        mounts: [{ destination: '/mnt', source: bed.path('absent'), options: ['bind'] }],
      }),
      message: /absent/,
    },
    {
      name: 'a directory that there is not',
      image: () => ({ process: { cwd: '/bin/sh/x' } }),
      message: /'\/bin\/sh\/x': Not a directory/,
    },
    {
      name: 'the root in itself, over and over, and a program that there is not',
      image: (bed) => ({
        mounts: ['/mnt', '/mnt/mnt', '/mnt/mnt/mnt'].map((destination) => ({
          ...{ destination, source: bed.bundle, options: ['rbind'] },
        })),
        process: { args: ['/not/there'] },
      }),
      message: /not\/there/,
    },
  ],
  ({ image, message }) => {
    using bed = new RuntimeBed();
    bed.configure(change(defaultDocument(['true']), image(bed) as Record<string, unknown>));
    const result = bed.create();
    assert.equal(result.status, 1);
    assert.match(result.stderr, message);
    assertNothingLeft(bed);
  },
);

test('C26 without a process there is nothing to create, and members that nobody knows are no reason to refuse', () => {
  using bed = new RuntimeBed();
  const { process: program, ...without } = defaultDocument(['true']);
  bed.configure(without);
  const refused = bed.create();
  assert.deepEqual([refused.status, program === undefined], [1, false]);
  assert.match(refused.stderr, /'process/);
  assertNothingLeft(bed);
  bed.configure(
    change(defaultDocument(['true']), {
      unknown: { a: [1] },
      linux: { unknown: 1 },
      process: { unknown: 'x' },
    }),
  );
  bed.must(bed.create());
});

each<{ name: string }>(
  'C26 an id that is a way somewhere else is refused',
  [{ name: '../x' }, { name: '..' }, { name: 'a/b' }, { name: 'x'.repeat(300) }, { name: 'a\nb' }],
  ({ name }) => {
    using bed = new RuntimeBed();
    bed.configure(defaultDocument(['true']));
    for (const command of ['create', 'state', 'delete', 'kill']) {
      assert.equal(bed.call(command, name).status, 1, command);
    }
  },
);

test('C01 C02 C10 exec shows the container neither the launcher nor a descriptor of the host', () => {
  using bed = new RuntimeBed();
  bed.configure(defaultDocument(['sleep', '1000']));
  bed.must(bed.create());
  bed.must(bed.call('start', bed.id));
  const before = statSync(launcher).mtimeMs;
  // The control: a program that joins without care has the host's folder open.
  const folder = openSync(projectRoot, 'r');
  const pid = String(bed.state()?.pid ?? 0);
  const naive = spawnSync('nsenter', ['-t', pid, '-m', '-p', '-r', 'ls', '-l', '/proc/self/fd'], {
    stdio: ['ignore', 'pipe', 'ignore', folder],
    encoding: 'utf8',
  });
  assert.ok(naive.stdout.includes(' 3 -> '), 'the control shows nothing');
  const listed = bed.call('exec', bed.id, 'sh', '-c', 'ls -l /proc/$$/fd; readlink /proc/$$/exe');
  assert.doesNotMatch(listed.stdout, / [3-9] -> /);
  assert.match(listed.stdout, /\/bin\/busybox/);
  // A program that is "#!/proc/self/exe" runs whatever started it, which then could be written to.
  writeFileSync(join(bed.bundle, 'evil'), '#!/proc/self/exe\n', { mode: 0o755 });
  bed.call('exec', bed.id, '/evil');
  bed.call('exec', bed.id, 'sh', '-c', 'for p in /proc/[0-9]*/exe; do echo x 2>&1 > $p; done');
  assert.equal(statSync(launcher).mtimeMs, before, 'the launcher was written to');
  for (const cwd of ['/proc/self/fd/3', '/proc/self/fd/5', '/proc/self/fd/7', '/proc/self/fd/9']) {
    const result = bed.call('exec', '--cwd', cwd, bed.id, 'ls', '-a', '.');
    assert.ok(!result.stdout.includes('package.json'), `${cwd} is a way to the host`);
    assert.notEqual(result.status, 0);
  }
});

each<{ name: string; path: string; target: string; runs: boolean }>(
  'C03 C05 C08 a link of the image leads nowhere in the place of',
  [
    { name: '/dev', path: 'dev', target: '/mnt', runs: true },
    { name: '/proc', path: 'proc', target: '/mnt', runs: true },
    { name: '/dev/console', path: 'dev/console', target: '/etc/passwd', runs: true },
  ],
  ({ path, target, runs }) => {
    using bed = new RuntimeBed();
    rmSync(join(bed.bundle, path), { recursive: true, force: true });
    mkdirSync(join(bed.bundle, 'mnt/shm'), { recursive: true });
    symlinkSync(target, join(bed.bundle, path));
    const mounts = hostMounts(bed.bundle);
    const passwd = statSync('/etc/passwd').mtimeMs;
    bed.configure(
      change(defaultDocument(['true']), { linux: { maskedPaths: ['/proc/kcore', '/dev/null'] } }),
    );
    const created = bed.create();
    const started = bed.call('start', bed.id);
    assert.deepEqual(hostMounts(bed.bundle), mounts, 'something was mounted on the host');
    assert.equal(statSync('/etc/passwd').mtimeMs, passwd);
    assert.ok(statSync('/dev/null').isCharacterDevice());
    assert.deepEqual([created.status, started.status], runs ? [0, 0] : [1, 1], created.stderr);
  },
);

each<{ name: string; process: (line: string) => object }>(
  'C26 P01 a text of the image with line ends in it tells the runtime nothing:',
  [
    { name: 'a directory', process: (line) => ({ cwd: `/x\n${line}\n` }) },
    { name: 'a program', process: (line) => ({ args: [`x\n${line}\n`] }) },
  ],
  async ({ process: make }) => {
    const host = spawn('sleep', ['60'], { stdio: 'ignore' });
    try {
      using bed = new RuntimeBed();
      const naive = /^pid (\d+)$/m;
      const text = `pid ${host.pid ?? 0}`;
      bed.configure(change(defaultDocument(['true']), { process: make(text) }));
      const result = bed.create();
      assert.equal(result.status, 1);
      assert.equal(result.stderr.trim().split('\n').length, 1, result.stderr);
      await delay(50);
      assert.equal(host.signalCode, null, 'AN IMAGE HAD A PROCESS OF THE HOST KILLED');
      // The control: whoever looks for such lines in the text itself finds the process of the host.
      assert.equal(
        naive.exec(JSON.stringify(make(text)).replaceAll('\\n', '\n'))?.[1],
        String(host.pid),
      );
    } finally {
      host.kill('SIGKILL');
    }
  },
);

test('a container that runs is running, whatever a start that was killed left', () => {
  using bed = new RuntimeBed();
  bed.configure(defaultDocument(['sleep', '1000']));
  bed.must(bed.create());
  assert.equal(bed.state()?.status, 'created');
  bed.must(bed.call('start', bed.id));
  // It ended after the byte was written, and before the pipe was taken away.
  spawnSync('mkfifo', [bed.path(`state/${bed.id}/start`)]);
  assert.equal(bed.state()?.status, 'running');
  assert.match(bed.call('start', bed.id).stderr, /running state/);
  assert.notEqual(bed.call('delete', bed.id).status, 0, 'a running container was deleted');
  assert.equal(bed.state()?.status, 'running');
});

test('a hook that fails is told by its own path, and the container is destroyed once', () => {
  using bed = new RuntimeBed();
  const count = bed.path('count');
  const poststop = { path: '/bin/sh', args: ['sh', '-c', `echo x >>${count}`] };
  bed.configure(
    change(defaultDocument(['sleep', '1000']), {
      hooks: { startContainer: [{ path: '/bin/false' }], poststop: [poststop] },
    }),
  );
  const result = bed.call('run', '-b', bed.bundle, bed.id);
  assert.match(result.stderr, /startContainer hook '\/bin\/false': exit status 1/);
  assert.equal(readFileSync(count, 'utf8'), 'x\n');
});

test('exec of a process whose number another has by now goes nowhere', () => {
  using bed = new RuntimeBed();
  bed.configure(defaultDocument(['sleep', '1000']));
  bed.must(bed.create());
  bed.must(bed.call('start', bed.id));
  const path = bed.path(`state/${bed.id}/state.json`);
  const record = JSON.parse(readFileSync(path, 'utf8')) as { pid: number };
  const own = record.pid;
  writeFileSync(path, JSON.stringify({ ...record, pid: process.pid }));
  assert.equal(bed.state()?.status, 'stopped');
  assert.notEqual(
    bed.call('exec', bed.id, 'true').status,
    0,
    'a program ran in a process of the host',
  );
  assert.notEqual(bed.call('kill', bed.id, 'KILL').status, 0);
  writeFileSync(path, JSON.stringify({ ...record, pid: own }));
});
