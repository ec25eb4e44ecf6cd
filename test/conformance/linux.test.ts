import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { waitUntil } from '../support/wait-until.js';
import { change, defaultDocument, RuntimeBed } from './runtime-bed.js';

const inShell = (script: string): ReturnType<typeof defaultDocument> =>
  defaultDocument(['sh', '-c', script]);

const KINDS = {
  cgroup: 'cgroup',
  ipc: 'ipc',
  mount: 'mnt',
  network: 'net',
  pid: 'pid',
  uts: 'uts',
} as const;

test('linux_devices: nodes with their numbers, modes and owners', async () => {
  using bed = new RuntimeBed();
  const output = await bed.inside(
    change(inShell('stat -c "%F %t %T %a %u %g" /dev/test /dev/pipe'), {
      linux: {
        devices: [
          { path: '/dev/test', type: 'c', major: 10, minor: 229, fileMode: 0o640, uid: 4, gid: 5 },
          { path: '/dev/pipe', type: 'p', major: 8, minor: 666, fileMode: 0o600 },
        ],
      },
    }),
  );
  assert.equal(output, 'character special file a e5 640 4 5\nfifo 0 0 600 0 0\n');
});

test('linux_masked_paths, linux_readonly_paths: files and folders, relative names refused or inside the root', async () => {
  using bed = new RuntimeBed();
  for (const folder of ['masked', 'readonly/deep'])
    mkdirSync(join(bed.bundle, folder), { recursive: true });
  for (const file of ['masked/secret', 'masked-file', 'readonly/deep/file']) {
    writeFileSync(join(bed.bundle, file), 'secret');
  }
  const output = await bed.inside(
    change(
      inShell(
        'ls /masked; cat /masked-file; echo x >> /readonly/deep/file; touch /readonly/new; echo end',
      ),
      {
        linux: {
          maskedPaths: ['/masked', '/masked-file', '/not/there'],
          readonlyPaths: ['/readonly', '/not/there'],
        },
      },
    ),
  );
  assert.doesNotMatch(output, /secret/);
  assert.equal(output.match(/Read-only file system/g)?.length, 2);
  assert.equal(bed.read('readonly/deep/file'), 'secret');
});

test('linux_ns_nopath: each kind is made anew', () => {
  using bed = new RuntimeBed();
  const all = Object.keys(KINDS).map((type) => ({ type }));
  bed.configure(change(inShell('true'), { linux: { namespaces: all } }));
  bed.must(bed.create());
  const pid = String(bed.state()?.pid ?? 0);
  for (const file of Object.values(KINDS)) {
    const [theirs, ours] = [pid, 'self'].map((process) =>
      readlinkSync(`/proc/${process}/ns/${file}`),
    );
    assert.notEqual(theirs, ours, file);
  }
});

/** What is mounted on the host below a bed's folder. */
function mountsBelow(bed: RuntimeBed): readonly string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return lines.filter((line) => (line.split(' ')[4] ?? '').startsWith(bed.path('')));
}

test('linux_ns_itype: what is not named is the runtime’s, and its mounts go with the container', async () => {
  using bed = new RuntimeBed();
  const script = 'touch /made; touch /ro/x; cat /masked; ls -d /dev/null /proc/self; sleep 1000';
  mkdirSync(join(bed.bundle, 'ro'));
  writeFileSync(join(bed.bundle, 'masked'), 'secret');
  const hook = { path: '/bin/sh', args: ['sh', '-c', 'touch /hooked'] };
  const document = change(inShell(script), {
    hostname: undefined,
    linux: { namespaces: [], maskedPaths: ['/masked'], readonlyPaths: ['/ro'] },
    hooks: { startContainer: [hook] },
  });
  bed.configure(document);
  const created = bed.create();
  bed.must(created);
  const pid = String(bed.state()?.pid ?? 0);
  for (const file of Object.values(KINDS)) {
    const [theirs, ours] = [pid, 'self'].map((process) =>
      readlinkSync(`/proc/${process}/ns/${file}`),
    );
    assert.equal(theirs, ours, file);
  }
  bed.must(bed.call('start', bed.id));
  await waitUntil('the file that its program makes', () => bed.read('made') !== undefined);
  assert.equal(bed.read('hooked'), '', 'the hook of the container ran elsewhere');
  assert.equal(bed.call('exec', bed.id, 'cat', '/masked').stdout, '');
  assert.match(bed.call('exec', bed.id, 'touch', '/ro/x').stderr, /Read-only file system/);
  assert.equal(bed.call('exec', bed.id, 'sh', '-c', 'test -c /dev/null && ls /').status, 0);
  assert.ok(mountsBelow(bed).length > 5, 'its mounts are elsewhere');
  bed.must(bed.call('kill', bed.id, 'KILL'));
  await bed.waitFor('stopped');
  bed.must(bed.call('delete', bed.id));
  assert.deepEqual(mountsBelow(bed), [], 'mounts are left on the host');
  assert.equal(bed.read('masked'), 'secret', 'FILES OF THE ROOT WENT WITH THE CONTAINER');
  // What fails on the way leaves as little: a program that is not there is seen when all mounts are made.
  bed.configure(change(document, { process: { args: ['/not/there'] } }));
  assert.notEqual(bed.create().status, 0);
  assert.deepEqual(mountsBelow(bed), [], 'a creation that failed left mounts');
  assert.equal(bed.read('masked'), 'secret');
  // In a user namespace nobody may mount on the host: said before anything is made.
  const mappings = [{ hostID: 1000, containerID: 0, size: 10 }];
  bed.configure(
    change(document, {
      linux: { namespaces: [{ type: 'user' }], uidMappings: mappings, gidMappings: mappings },
    }),
  );
  assert.match(bed.create().stderr, /no right to mount/);
  assert.ok(!existsSync(bed.path(`state/${bed.id}`)));
});

test('linux_ns_path, linux_ns_path_type: a namespace is joined by its path, one of another kind is refused', async () => {
  using bed = new RuntimeBed();
  const holder = spawn('unshare', ['--net', '--uts', '--ipc', 'sleep', '60'], { stdio: 'ignore' });
  try {
    const own = readlinkSync('/proc/self/ns/net');
    for (let at = ''; at === '' || at === own;)
      at = readlinkSync(`/proc/${holder.pid ?? 0}/ns/net`);
    const at = (file: string): string => `/proc/${holder.pid ?? 0}/ns/${file}`;
    const document = change(inShell('readlink /proc/self/ns/net; readlink /proc/self/ns/ipc'), {
      linux: {
        namespaces: [
          { type: 'pid' },
          { type: 'mount' },
          { type: 'network', path: at('net') },
          { type: 'ipc', path: at('ipc') },
        ],
      },
      hostname: '',
    });
    const output = await bed.inside(document);
    assert.equal(output, `${readlinkSync(at('net'))}\n${readlinkSync(at('ipc'))}\n`);
    bed.configure(
      change(document, {
        linux: {
          namespaces: [{ type: 'pid' }, { type: 'mount' }, { type: 'network', path: at('uts') }],
        },
      }),
    );
    assert.notEqual(bed.create().status, 0, 'a uts namespace was taken for a network');
    assert.equal(bed.state(), undefined);
  } finally {
    holder.kill('SIGKILL');
  }
});

test('linux_seccomp: a call that is forbidden has the error that is asked for', async () => {
  using bed = new RuntimeBed();
  const output = await bed.inside(
    change(inShell('mkdir /made; echo status $?'), {
      linux: {
        seccomp: {
          defaultAction: 'SCMP_ACT_ALLOW',
          syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 95 }],
        },
      },
    }),
  );
  assert.match(output, /not supported$/m);
  assert.match(output, /^status 1$/m);
});

test('linux_seccomp: a filter that does not know how a program is looked for', async () => {
  using bed = new RuntimeBed();
  const names = ['faccessat', 'faccessat2', 'access', 'stat', 'newfstatat', 'statx'];
  const output = await bed.inside(
    change(inShell('echo begun'), {
      linux: {
        seccomp: {
          defaultAction: 'SCMP_ACT_ALLOW',
          syscalls: [{ names, action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
        },
      },
    }),
  );
  assert.equal(output, 'begun\n');
});

test('linux_sysctl: parameters of its namespaces', async () => {
  using bed = new RuntimeBed();
  const output = await bed.inside(
    change(inShell('cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced'), {
      linux: { sysctl: { 'net.ipv4.ip_forward': '1', 'kernel.shm_rmid_forced': '1' } },
    }),
  );
  assert.equal(output, '1\n1\n');
});

test('linux_uid_mappings: owners by the map', async () => {
  using bed = new RuntimeBed();
  const output = await bed.inside(
    change(inShell('cat /proc/self/uid_map /proc/self/gid_map; id; stat -c %u:%g /'), {
      linux: {
        namespaces: ['pid', 'network', 'ipc', 'uts', 'mount', 'user'].map((type) => ({ type })),
        uidMappings: [{ hostID: 1000, containerID: 0, size: 2000 }],
        gidMappings: [{ hostID: 1000, containerID: 0, size: 3000 }],
      },
    }),
  );
  assert.match(output, /^ +0 +1000 +2000\n +0 +1000 +3000\nuid=0 gid=0/);
  // The root keeps the owners that it has on the host, which are outside the map here.
  assert.match(output, /^65534:65534$/m);
});

test('linux_rootfs_propagation: shared, slave, private, unbindable', async () => {
  for (const [mode, wanted] of Object.entries({
    shared: /shared:/,
    private: / - /,
    unbindable: /unbindable/,
  })) {
    using bed = new RuntimeBed();
    const output = await bed.inside(
      change(inShell('grep " / / \\|bundle / " /proc/self/mountinfo'), {
        linux: { rootfsPropagation: mode },
      }),
    );
    assert.match(output, wanted, mode);
  }
});
