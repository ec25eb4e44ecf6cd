import assert from 'node:assert/strict';
import { chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import type { LaunchPlanOptions } from '../../src/runtime/launch-plan.js';
import { LauncherStatus } from '../../src/runtime/launcher-status.js';
import { each } from '../support/each.js';
import { ContainerBed } from '../support/launched-container.js';
import { runOk } from '../support/run-command.js';
import type { ConfigChanges } from '../support/runtime-config.js';

const NAMESPACES = [{ type: 'pid' }, { type: 'ipc' }, { type: 'mount' }];
const ALONE: Partial<LaunchPlanOptions> = { standalone: true };
const filter = (...syscalls: readonly object[]): ConfigChanges => ({
  linux: {
    namespaces: NAMESPACES,
    seccomp: { defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_X86_64'], syscalls },
  },
});

interface Row {
  readonly name: string;
  /** Commands of the probe. */
  readonly words: string;
  readonly changes: ConfigChanges;
  readonly has: readonly (string | RegExp)[];
}

each<Row>(
  'a container without a unit has',
  [
    {
      name: 'a scheduler that its children do not inherit',
      words: 'sched',
      changes: {
        process: {
          scheduler: { policy: 'SCHED_BATCH', nice: 5, flags: ['SCHED_FLAG_RESET_ON_FORK'] },
        },
      },
      has: [/^policy=40000003 nice=5 /],
    },
    {
      name: 'the scheduler of those that have time',
      words: 'sched',
      changes: { process: { scheduler: { policy: 'SCHED_IDLE' } } },
      has: [/^policy=5 /],
    },
    {
      name: 'an I/O priority',
      words: 'sched',
      changes: { process: { ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 3 } } },
      has: [/ io=4003 /],
    },
    {
      name: 'a memory policy',
      words: 'sched',
      changes: {
        linux: {
          namespaces: NAMESPACES,
          memoryPolicy: { mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] },
        },
      },
      has: [/ memory=8002$/],
    },
    {
      name: 'recursive options on file systems',
      words: 'write /data/x , cat /proc/self/mounts',
      changes: {
        mounts: [
          {
            destination: '/data',
            type: 'tmpfs',
            source: 'tmpfs',
            options: ['rro', 'rnosuid', 'rnoexec', 'rnodev', 'rnoatime'],
          },
        ],
      },
      has: ['write=EROFS', /^tmpfs \/data tmpfs ro,nosuid,nodev,noexec,noatime/],
    },
    {
      name: 'options that every file system takes',
      words: 'cat /proc/self/mounts',
      changes: {
        mounts: [
          {
            destination: '/data',
            type: 'tmpfs',
            source: 'tmpfs',
            options: ['sync', 'dirsync', 'lazytime', 'iversion', 'async', 'defaults', 'loud'],
          },
        ],
      },
      has: [/^tmpfs \/data tmpfs rw,sync,dirsync,lazytime,relatime/],
    },
    {
      name: 'a mount that was changed after it was made',
      words: 'write /data/x , cat /proc/self/mounts',
      changes: {
        mounts: [
          { destination: '/data', type: 'tmpfs', source: 'tmpfs' },
          { destination: '/data', type: 'none', options: ['remount', 'ro', 'nosuid'] },
        ],
      },
      has: ['write=EROFS', /^tmpfs \/data tmpfs ro,nosuid,relatime/],
    },
    {
      name: 'a root that shares its mounts',
      words: 'cat /proc/self/mountinfo',
      changes: { linux: { namespaces: NAMESPACES, rootfsPropagation: 'shared' } },
      has: [/^\S+ \S+ \S+ \S+ \/ \S+ shared:\d+ /],
    },
    {
      name: 'a root that cannot be bound',
      words: 'cat /proc/self/mountinfo',
      changes: { linux: { namespaces: NAMESPACES, rootfsPropagation: 'unbindable' } },
      has: [/^\S+ \S+ \S+ \S+ \/ \S+ unbindable /],
    },
    {
      name: 'the processes of the host, and users of its own',
      words: 'ids , cat /proc/self/uid_map',
      changes: {
        linux: {
          namespaces: [{ type: 'mount' }, { type: 'ipc' }, { type: 'user' }],
          uidMappings: [{ containerID: 0, hostID: 100_000, size: 1000 }],
          gidMappings: [{ containerID: 0, hostID: 100_000, size: 1000 }],
        },
      },
      has: [/^uid=0 gid=0 .* pid=\d{2,} /, /^ +0 +100000 +1000$/],
    },
    {
      name: 'a domain by a kernel parameter',
      words: 'domainname',
      changes: {
        linux: {
          namespaces: [...NAMESPACES, { type: 'uts' }],
          sysctl: { 'kernel.domainname': 'inside' },
        },
      },
      has: ['domainname=inside'],
    },
    {
      name: 'a filter that gives an error of choice',
      words: 'socket',
      changes: filter({ names: ['socket'], action: 'SCMP_ACT_ERRNO', errnoRet: 98 }),
      has: ['socket=EADDRINUSE'],
    },
    {
      name: 'a filter that looks at arguments: this one does not fit',
      words: 'socket',
      changes: filter({
        names: ['socket'],
        action: 'SCMP_ACT_ERRNO',
        args: [{ index: 0, value: 17, op: 'SCMP_CMP_EQ' }],
      }),
      has: ['socket=ok'],
    },
    {
      name: 'a filter that looks at arguments: this one fits',
      words: 'socket',
      changes: filter({
        names: ['socket'],
        action: 'SCMP_ACT_ERRNO',
        args: [
          { index: 0, value: 0xff, valueTwo: 2, op: 'SCMP_CMP_MASKED_EQ' },
          { index: 1, value: 2, op: 'SCMP_CMP_LT' },
        ],
      }),
      has: ['socket=EPERM'],
    },
    {
      name: 'a filter that only notes',
      words: 'socket',
      changes: filter({ names: ['socket'], action: 'SCMP_ACT_LOG' }),
      has: ['socket=ok'],
    },
    {
      name: 'a filter for a tracer, where there is none',
      words: 'socket',
      changes: filter({ names: ['socket'], action: 'SCMP_ACT_TRACE', errnoRet: 1 }),
      has: ['socket=ENOSYS'],
    },
    {
      name: 'a filter with flags',
      words: 'socket',
      changes: {
        linux: {
          namespaces: NAMESPACES,
          seccomp: {
            defaultAction: 'SCMP_ACT_ALLOW',
            flags: [
              'SECCOMP_FILTER_FLAG_LOG',
              'SECCOMP_FILTER_FLAG_SPEC_ALLOW',
              'SECCOMP_FILTER_FLAG_TSYNC',
              'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
            ],
            syscalls: [{ names: ['socket'], action: 'SCMP_ACT_ERRNO' }],
          },
        },
      },
      has: ['socket=EPERM'],
    },
  ],
  async ({ words, changes, has }) => {
    using bed = new ContainerBed();
    const lines = await bed.run(words.split(' '), changes, ALONE);
    for (const wanted of has) {
      const found = lines.some((line) =>
        typeof wanted === 'string' ? line === wanted : wanted.test(line),
      );
      assert.ok(found, `${String(wanted)} is not in\n${lines.join('\n')}`);
    }
  },
);

each<{ name: string; action: string }>(
  'a filter ends the program',
  ['SCMP_ACT_KILL', 'SCMP_ACT_KILL_THREAD', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_TRAP'].map(
    (action) => ({ name: action, action }),
  ),
  async ({ action }) => {
    using bed = new ContainerBed();
    bed.compile(['socket', ',', 'say', 'alive'], filter({ names: ['socket'], action }), ALONE);
    const { signal, stdout } = await bed.launch();
    assert.equal(signal, 'SIGSYS');
    assert.doesNotMatch(stdout, /alive/);
  },
);

test('a bind mount shows other owners than its source has, and only as far as it is said', async () => {
  using bed = new ContainerBed();
  const source = bed.hostDirectory('data');
  writeFileSync(join(source, 'file'), 'x');
  chownSync(join(source, 'file'), 7, 8);
  const map = (containerID: number, hostID: number): object => ({ containerID, hostID, size: 1 });
  const mount = {
    destination: '/data',
    source,
    uidMappings: [map(7, 1007)],
    gidMappings: [map(8, 1008)],
  };
  const words = ['stat', '/data/file'];
  for (const option of ['idmap', 'ridmap']) {
    const lines = await bed.run(
      words,
      { mounts: [{ ...mount, options: ['rbind', option] }] },
      ALONE,
    );
    assert.match(lines.join('\n'), /^stat \/data\/file=100644 uid=1007 gid=1008 /m);
  }
  const lines = await bed.run(words, { mounts: [{ ...mount, options: ['bind'] }] }, ALONE);
  assert.match(lines.join('\n'), /uid=1007 gid=1008/, 'mappings without an option are not applied');
});

test('a root that is a slave takes mounts from the host', async () => {
  using bed = new ContainerBed();
  await runOk(['mount', '--bind', bed.rootfs, bed.rootfs]);
  try {
    await runOk(['mount', '--make-shared', bed.rootfs]);
    const lines = await bed.run(
      ['cat', '/proc/self/mountinfo'],
      { linux: { namespaces: NAMESPACES, rootfsPropagation: 'slave' } },
      ALONE,
    );
    assert.match(lines.join('\n'), /^\S+ \S+ \S+ \S+ \/ \S+ master:\d+ /m);
  } finally {
    await runOk(['umount', bed.rootfs]);
  }
});

each<{ name: string; changes: ConfigChanges; status: number }>(
  'C17 a label that this host cannot give stops the start',
  [
    {
      name: 'of SELinux',
      changes: { process: { selinuxLabel: 'system_u:system_r:nowhere_t:s0' } },
      status: LauncherStatus.label,
    },
    {
      name: 'of AppArmor',
      changes: { process: { apparmorProfile: 'berth-test-nowhere' } },
      status: LauncherStatus.label,
    },
    {
      name: 'of mounts',
      changes: { linux: { namespaces: NAMESPACES, mountLabel: 'system_u:object_r:nowhere_t:s0' } },
      status: 246,
    },
  ],
  async ({ changes, status }) => {
    using bed = new ContainerBed();
    bed.compile(['say', 'runs'], changes, ALONE);
    const result = await bed.launch();
    assert.equal(result.status, status, result.stderr);
    assert.doesNotMatch(result.stdout, /runs/, 'it runs without its label');
  },
);
