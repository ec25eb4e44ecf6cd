import assert from 'node:assert/strict';

import type { LaunchPlanOptions } from '../../src/runtime/launch-plan.js';
import { each } from '../support/each.js';
import { ContainerBed } from '../support/launched-container.js';
import type { ConfigChanges } from '../support/runtime-config.js';

const NAMESPACES = [{ type: 'pid' }, { type: 'ipc' }, { type: 'mount' }];
const with_ = (...types: readonly string[]): ConfigChanges => ({
  linux: { namespaces: [...NAMESPACES, ...types.map((type) => ({ type }))] },
});

interface Row {
  readonly name: string;
  /** Commands of the probe. */
  readonly words: string;
  readonly changes?: ConfigChanges;
  readonly options?: Partial<LaunchPlanOptions>;
  readonly has: readonly (string | RegExp)[];
  readonly lacks?: readonly RegExp[];
}

each<Row>(
  'a container sees',
  [
    {
      name: 'itself as process 1, root without groups of the launcher',
      words: 'ids',
      has: ['uid=0 gid=0 groups=0 pid=1 ppid=0 session=0'],
    },
    {
      name: 'exactly the user and groups that were asked for (C16)',
      words: 'ids',
      changes: { process: { user: { uid: 7, gid: 8, additionalGids: [9, 10] } } },
      has: [/^uid=7 gid=8 groups=8,9,10 /],
    },
    {
      name: 'the user by its name in the image',
      words: 'ids , env',
      changes: { process: { user: { username: 'web' } } },
      options: { passwd: 'web:x:33:34::/srv/web:/x\n', group: 'log:x:40:web\n' },
      has: [/^uid=33 gid=34 groups=34,40 /, 'env HOME=/srv/web'],
    },
    {
      name: 'a read-only root',
      words: 'write /x , cat /proc/self/mounts',
      has: ['write=EROFS', /^\S+ \/ \S+ ro,nodev,/],
    },
    {
      name: 'a volatile root that takes what it writes',
      words: 'write /x , mkdir /etc/y , cat /etc/group',
      options: { volatileRoot: { sizeBytes: 1_000_000 } },
      has: ['write=ok', 'mkdir=ok', 'root:x:0:'],
    },
    {
      name: 'only its own mounts, and no way to the host',
      words: 'cat /proc/self/mounts , list /',
      has: [/ \/proc proc /],
      lacks: [/host-directory/, /\/var\/lib\/berth/],
    },
    {
      name: 'its file systems with their options',
      words: 'cat /proc/self/mounts',
      has: [
        /^proc \/proc proc rw,relatime/,
        /^tmpfs \/dev tmpfs rw,nosuid,size=65536k,mode=755/,
        /^devpts \/dev\/pts devpts rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=666/,
        /^shm \/dev\/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=65536k/,
        /^mqueue \/dev\/mqueue mqueue rw,nosuid,nodev,noexec/,
        /^sysfs \/sys sysfs rw,nosuid,nodev,noexec/,
      ],
    },
    {
      name: 'the default devices and links',
      words: 'stat /dev/null , stat /dev/urandom , link /dev/fd , link /dev/ptmx',
      has: [
        'stat /dev/null=20666 uid=0 gid=0 rdev=1:3',
        'stat /dev/urandom=20666 uid=0 gid=0 rdev=1:9',
        'link /dev/fd=/proc/self/fd',
        'link /dev/ptmx=pts/ptmx',
      ],
    },
    {
      name: 'devices of the config.json',
      words: 'stat /dev/net/tun , stat /dev/fifo',
      changes: {
        linux: {
          namespaces: NAMESPACES,
          devices: [
            {
              type: 'c',
              path: '/dev/net/tun',
              major: 10,
              minor: 200,
              fileMode: 0o600,
              uid: 5,
              gid: 6,
            },
            { type: 'p', path: '/dev/fifo', fileMode: 0o622 },
          ],
        },
      },
      has: ['stat /dev/net/tun=20600 uid=5 gid=6 rdev=10:200', /^stat \/dev\/fifo=10622 /],
    },
    {
      name: 'masked and read-only paths',
      words: 'stat /proc/meminfo , list /sys/firmware , write /proc/sys/kernel/hostname , say end',
      changes: {
        linux: {
          namespaces: NAMESPACES,
          maskedPaths: ['/proc/meminfo', '/sys/firmware', '/proc/not-there'],
          readonlyPaths: ['/proc/sys', '/proc/not-there'],
        },
      },
      has: [/^stat \/proc\/meminfo=20666 .*rdev=1:3/, 'write=EROFS', 'end'],
      lacks: [/^entry \/sys\/firmware/],
    },
    {
      name: 'no capabilities unless asked (C12)',
      words: 'cat /proc/self/status',
      has: [/^CapInh:\t0+$/, /^CapPrm:\t0+$/, /^CapEff:\t0+$/, /^CapBnd:\t0+$/, /^CapAmb:\t0+$/],
    },
    {
      name: 'the five sets as asked',
      words: 'cat /proc/self/status',
      changes: {
        process: {
          capabilities: {
            bounding: ['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_RAW'],
            permitted: ['CAP_CHOWN', 'CAP_KILL'],
            effective: ['CAP_CHOWN', 'CAP_KILL'],
            inheritable: ['CAP_KILL'],
            ambient: ['CAP_KILL'],
          },
          user: { uid: 7, gid: 7 },
        },
      },
      // A user that is not root keeps over exec what is ambient.
      has: [
        /^CapBnd:\t0+2021$/,
        /^CapPrm:\t0+20$/,
        /^CapEff:\t0+20$/,
        /^CapInh:\t0+20$/,
        /^CapAmb:\t0+20$/,
      ],
    },
    {
      name: 'resource limits, umask, working directory, environment',
      words: 'limit 7 , limit 4 , umask , cwd , env',
      changes: {
        process: {
          rlimits: [
            { type: 'RLIMIT_NOFILE', soft: 100, hard: 200 },
            { type: 'RLIMIT_CORE', soft: 0, hard: 2 ** 64 },
          ],
          user: { uid: 0, gid: 0, umask: 0o27 },
          cwd: '/var/lib',
          env: ['A=1', 'B=2', 'A=3'],
        },
      },
      has: [
        'limit 7=100:200',
        'limit 4=0:-1',
        'umask=027',
        'cwd=/var/lib',
        'env A=3',
        'env B=2',
        'env HOME=/root',
      ],
      lacks: [/^env A=1$/, /^env (NOTIFY|LISTEN|WATCHDOG|JOURNAL|PATH=\/usr)/],
    },
    {
      name: 'no descriptor but the three of every program (C02)',
      words: 'fds',
      has: ['fd=0', 'fd=1', 'fd=2'],
      lacks: [/^fd=([3-9]|\d\d)/],
    },
    {
      name: 'its host name and domain',
      words: 'hostname , domainname',
      changes: { ...with_('uts'), hostname: 'box', domainname: 'example' },
      has: ['hostname=box', 'domainname=example'],
    },
    {
      name: 'kernel parameters of its namespaces, and a network of its own',
      words:
        'cat /proc/sys/kernel/msgmax , cat /proc/sys/net/ipv4/ip_forward , cat /proc/net/dev , cat /proc/net/if_inet6',
      changes: {
        linux: {
          namespaces: [...NAMESPACES, { type: 'network' }],
          sysctl: { 'kernel.msgmax': '65530', 'net.ipv4.ip_forward': '1' },
        },
      },
      has: ['65530', '1', /^\s+lo:/],
      lacks: [/eth|veth/],
    },
    {
      name: 'its place in the line for the out-of-memory killer, no new privileges, a personality',
      words: 'cat /proc/self/oom_score_adj , cat /proc/self/status , personality',
      changes: {
        process: { oomScoreAdj: 321, noNewPrivileges: true },
        linux: { namespaces: NAMESPACES, personality: { domain: 'LINUX32' } },
      },
      has: ['321', 'NoNewPrivs:\t1', 'personality=8'],
    },
    {
      name: 'a seccomp filter, loaded before privileges go',
      words: 'mkdir /tmp/a , cat /proc/self/status , socket',
      changes: {
        linux: {
          namespaces: NAMESPACES,
          seccomp: {
            defaultAction: 'SCMP_ACT_ALLOW',
            architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
            syscalls: [
              { names: ['mkdir', 'mkdirat', 'not_a_call'], action: 'SCMP_ACT_ERRNO', errnoRet: 95 },
              {
                names: ['socket'],
                action: 'SCMP_ACT_ERRNO',
                args: [{ index: 0, value: 2, op: 'SCMP_CMP_EQ' }],
              },
            ],
          },
        },
      },
      has: ['mkdir=EOPNOTSUPP', 'Seccomp:\t2', 'socket=EPERM'],
    },
    {
      name: 'a seccomp filter after no_new_privs',
      words: 'mkdir /tmp/a , cat /proc/self/status',
      changes: {
        process: { noNewPrivileges: true },
        linux: {
          namespaces: NAMESPACES,
          seccomp: {
            defaultAction: 'SCMP_ACT_ALLOW',
            syscalls: [{ names: ['mkdir', 'capset', 'setresuid'], action: 'SCMP_ACT_ERRNO' }],
          },
        },
      },
      has: ['mkdir=EPERM', 'NoNewPrivs:\t1', 'Seccomp:\t2'],
    },
    {
      name: 'a tmpfs that is read-only, with a mount of its own inside',
      words: 'write /ro/x , write /ro/rw/x',
      changes: {
        mounts: [
          { destination: '/ro', type: 'tmpfs', options: ['ro', 'mode=755'] },
          { destination: '/ro/rw', type: 'tmpfs' },
        ],
      },
      has: ['write=EROFS', 'write=ok'],
    },
    {
      name: 'the cgroups, never to write to',
      words: 'mkdir /sys/fs/cgroup/x , cat /proc/self/mounts',
      changes: {
        mounts: [
          {
            destination: '/sys/fs/cgroup',
            type: 'cgroup',
            source: 'cgroup',
            options: ['nosuid', 'rw'],
          },
        ],
      },
      has: ['mkdir=EROFS', / \/sys\/fs\/cgroup /],
    },
    {
      name: 'a default /dev where the config.json has none',
      words: 'stat /dev/null , cat /proc/self/mounts',
      changes: { mounts: [] },
      has: [/^stat \/dev\/null=20666/],
    },
    {
      name: 'clocks of its own',
      words: 'cat /proc/self/timens_offsets',
      changes: {
        linux: {
          namespaces: [...NAMESPACES, { type: 'time' }],
          timeOffsets: { boottime: { secs: 86400 } },
        },
      },
      has: [/^boottime +86400 +0$/],
    },
  ],
  async ({ words, changes, options, has, lacks }) => {
    using bed = new ContainerBed();
    const lines = await bed.run(words.split(' '), changes, options);
    for (const wanted of has) {
      const found = lines.some((line) =>
        typeof wanted === 'string' ? line === wanted : wanted.test(line),
      );
      assert.ok(found, `${String(wanted)} is not in\n${lines.join('\n')}`);
    }
    for (const refused of lacks ?? []) {
      assert.ok(
        !lines.some((line) => refused.test(line)),
        `${String(refused)} is in\n${lines.join('\n')}`,
      );
    }
  },
);
