import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { change, defaultDocument, RuntimeBed } from './runtime-bed.js';

const inShell = (script: string): ReturnType<typeof defaultDocument> =>
  defaultDocument(['sh', '-c', script]);

test('default: the devices, links and file systems that every container has', async () => {
  using bed = new RuntimeBed();
  const output = await bed.inside(
    inShell(
      'ls -l /dev; ls -l /dev/pts/ptmx; cat /proc/self/mounts; for f in null zero full random urandom tty; do test -c /dev/$f || echo no $f; done',
    ),
  );
  assert.doesNotMatch(output, /^no /m);
  for (const link of ['fd -> /proc/self/fd', 'stdin -> /proc/self/fd/0', 'ptmx -> pts/ptmx']) {
    assert.ok(output.includes(link), `there is no ${link}`);
  }
  for (const [type, place] of [
    ['proc', '/proc'],
    ['sysfs', '/sys'],
    ['devpts', '/dev/pts'],
    ['tmpfs', '/dev/shm'],
  ]) {
    assert.match(output, new RegExp(`^\\S+ ${place ?? ''} ${type ?? ''} `, 'm'));
  }
});

test('process: arguments, working directory, environment', async () => {
  using bed = new RuntimeBed();
  const output = await bed.inside(
    change(inShell('pwd; echo $testa; echo "$0 $1"'), {
      process: {
        args: ['sh', '-c', 'pwd; echo $testa; echo "$0 $1"', 'zero', 'one'],
        cwd: '/mnt',
        env: ['PATH=/bin', 'testa=valuea'],
      },
    }),
  );
  assert.equal(output, '/mnt\nvaluea\nzero one\n');
});

test('process_user: ids, further groups, umask', async () => {
  using bed = new RuntimeBed();
  const output = await bed.inside(
    change(inShell('id; umask'), {
      process: { user: { uid: 10, gid: 11, additionalGids: [5, 6], umask: 0o27 } },
    }),
  );
  assert.equal(output, 'uid=10 gid=11 groups=5,6,11\n0027\n');
});

test('process_capabilities: the sets that are asked for', async () => {
  using bed = new RuntimeBed();
  // A program that root runs gets all of the bounding set (capabilities(7)).
  const output = await bed.inside(
    change(inShell('grep ^Cap /proc/self/status'), {
      process: {
        capabilities: {
          bounding: ['CAP_KILL', 'CAP_CHOWN'],
          effective: ['CAP_KILL'],
          permitted: ['CAP_KILL'],
        },
      },
    }),
  );
  assert.match(output, /CapInh:\s0+\nCapPrm:\s0+21\nCapEff:\s0+21\nCapBnd:\s0+21\nCapAmb:\s0+\n/);
});

test('process_capabilities_fail, process_rlimits_fail: what Linux does not have', () => {
  using bed = new RuntimeBed();
  const document = inShell('true');
  const bounding = ['CAP_KILL', 'CAP_TEST'];
  bed.configure(change(document, { process: { capabilities: { bounding } } }));
  const refused = bed.create();
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /process\.capabilities\.bounding\[1\]: 'CAP_TEST'/);
  assert.equal(bed.state(), undefined);
  bed.configure(
    change(document, { process: { rlimits: [{ type: 'RLIMIT_TEST', hard: 1, soft: 1 }] } }),
  );
  assert.notEqual(bed.create().status, 0);
  assert.equal(bed.state(), undefined);
});

test('process_capabilities: what this host does not grant is a warning, and the rest is given', () => {
  using bed = new RuntimeBed();
  const sets = { bounding: ['CAP_KILL', 'CAP_BPF'], permitted: ['CAP_KILL', 'CAP_BPF'] };
  bed.configure(change(inShell('true'), { process: { capabilities: sets } }));
  // config.md, "Linux Process": "Runtimes SHOULD NOT fail if the configuration requests capabilities that cannot be granted".
  const without = bed.callThrough(
    ['setpriv', '--bounding-set=-bpf'],
    ...['create', '--bundle', bed.bundle, bed.id],
  );
  bed.must(without);
  assert.match(without.stderr, /capabilities.* cannot be granted/);
});

test('process_rlimits, process_oom_score_adj', async () => {
  using bed = new RuntimeBed();
  const output = await bed.inside(
    change(
      inShell('grep -E "open files|core file" /proc/self/limits; cat /proc/self/oom_score_adj'),
      {
        process: {
          oomScoreAdj: 100,
          rlimits: [
            { type: 'RLIMIT_NOFILE', soft: 512, hard: 1024 },
            { type: 'RLIMIT_CORE', soft: 7, hard: 8 },
          ],
        },
      },
    ),
  );
  assert.match(output, /core file size +7 +8 /);
  assert.match(output, /open files +512 +1024 /);
  assert.match(output, /^100$/m);
});

test('process_rlimits: a limit that Linux does not set is named', () => {
  using bed = new RuntimeBed();
  const most = Number(readFileSync('/proc/sys/fs/nr_open', 'utf8'));
  const rlimits = [
    { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
    { type: 'RLIMIT_NOFILE', soft: 10, hard: most + 1 },
  ];
  bed.configure(change(inShell('true'), { process: { rlimits } }));
  const { status, stderr } = bed.create();
  assert.equal(status, 1);
  assert.match(stderr, /setting the limit 'RLIMIT_NOFILE': Operation not permitted/);
});

test('hostname', async () => {
  using bed = new RuntimeBed();
  const output = await bed.inside(change(inShell('hostname'), { hostname: 'hostname-specific' }));
  assert.equal(output, 'hostname-specific\n');
});

test('root_readonly_true: mount points are made, the root is not to be written to', async () => {
  using bed = new RuntimeBed();
  const output = await bed.inside(
    change(inShell('touch /x; touch /new/place/y && echo made'), {
      root: { path: '.', readonly: true },
      mounts: [
        ...(inShell('')['mounts'] as object[]),
        { destination: '/new/place', type: 'tmpfs', source: 'tmpfs' },
      ],
    }),
  );
  assert.match(output, /Read-only file system/);
  assert.match(output, /^made$/m);
  assert.equal(bed.read('x'), undefined);
});

test('mounts: binds and file systems with their options, and a tmpfs that begins with what the image has', async () => {
  using bed = new RuntimeBed();
  const output = await bed.inside(
    change(inShell('grep -E " /(mnt|tmp|etc) " /proc/self/mounts; ls /etc; touch /mnt/x 2>&1'), {
      mounts: [
        ...(inShell('')['mounts'] as object[]),
        { destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'size=1m'] },
        { destination: '/mnt', type: 'bind', source: bed.path('out'), options: ['bind', 'ro'] },
        { destination: '/etc', type: 'tmpfs', source: 'tmpfs', options: ['tmpcopyup'] },
      ],
    }),
  );
  assert.match(output, /^tmpfs \/tmp tmpfs rw,nosuid,relatime,size=1024k/m);
  assert.match(output, / \/mnt \S+ ro,/);
  assert.match(output, /Read-only file system/);
});

test('a terminal of its own, and none where none is asked for', () => {
  using bed = new RuntimeBed();
  bed.configure(inShell('true'));
  assert.notEqual(bed.create('--console-socket', bed.path('no')).status, 0);
  bed.configure(change(inShell('true'), { process: { terminal: true } }));
  assert.notEqual(bed.create().status, 0, 'nobody would have the terminal');
  assert.notEqual(bed.create('--console-socket', bed.path('no')).status, 0, 'nobody listens there');
  assert.equal(bed.state(), undefined);
});
