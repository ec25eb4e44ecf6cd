import assert from 'node:assert/strict';
import { test } from 'node:test';

import { consentTo, isAllowed } from '../../../src/containers/consent.js';
import { sha256Of } from '../../../src/containers/file-state.js';
import { gainedPermissions } from '../../../src/containers/gained-permissions.js';
import { parseDigest } from '../../../src/oci/digest.js';
import { each } from '../../support/each.js';
import { bind, linux, mounts, process, side, type Sketch } from '../../support/permitted-sketch.js';

const SECCOMP = linux({ seccomp: { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [] } });
const rules = (...devices: readonly object[]): Sketch => linux({ resources: { devices } });
const rule = (access: string): object => ({
  allow: true,
  type: 'c',
  major: 10,
  minor: 232,
  access,
});

const MAPPED = {
  namespaces: [{ type: 'pid' }, { type: 'ipc' }, { type: 'mount' }, { type: 'user' }],
  uidMappings: [{ containerID: 0, hostID: 100_000, size: 1000 }],
  gidMappings: [{ containerID: 0, hostID: 100_000, size: 1000 }],
};
const disk = (members: object): object => ({
  type: 'b',
  path: '/dev/sda',
  major: 8,
  minor: 0,
  ...members,
});

each(
  'gainedPermissions() tells',
  [
    { name: 'nothing of two that are the same', before: {}, after: {}, want: [] },
    {
      name: 'capabilities, namespaces and files of the host',
      before: { record: { capabilities: ['CAP_KILL'], hostPaths: ['/usr/local/bin/a'] } },
      after: {
        record: {
          capabilities: ['CAP_CHOWN', 'CAP_KILL'],
          sharedNamespaces: ['network'],
          hostPaths: ['/usr/local/bin/a', '/usr/local/bin/b'],
        },
      },
      want: [
        'capability CAP_CHOWN',
        'namespace of the host: network',
        'file on the host /usr/local/bin/b',
      ],
    },
    {
      name: 'nothing of what is taken away',
      before: {
        record: { capabilities: ['CAP_KILL'], sharedNamespaces: ['pid'], hostPaths: ['/a'] },
        config: { mounts: [bind('/etc', [])], process: { noNewPrivileges: false } },
        unit: 'ExecStartPre=+/bin/x\n',
        tmpfiles: 'd /var/lib/docker 0700\n',
      },
      after: {},
      want: [],
    },
    {
      name: 'devices that others than root may open now',
      before: linux({ devices: [disk({ fileMode: 0o600 })] }),
      after: linux({ devices: [disk({})] }),
      want: ['device /dev/sda (block 8:0, mode 666 of 0:0)'],
    },
    {
      name: 'a device that another user owns now',
      before: linux({ devices: [disk({ fileMode: 0o660 })] }),
      after: linux({ devices: [disk({ fileMode: 0o600, uid: 33 })] }),
      want: ['device /dev/sda (block 8:0, mode 600 of 33:0)'],
    },
    {
      name: 'another path of the host for a device, where that is bound',
      before: linux({ ...MAPPED, devices: [disk({})] }),
      after: linux({ ...MAPPED, devices: [disk({ path: '/srv' })] }),
      want: ['device /srv (block 8:0, mode 666 of 0:0)'],
    },
    {
      name: 'nothing of a device that fewer may open, or elsewhere',
      before: linux({ devices: [disk({ fileMode: 0o660 })] }),
      after: linux({ devices: [disk({ fileMode: 0o600, path: '/dev/sdb' })] }),
      want: [],
    },
    {
      name: 'devices',
      before: {},
      after: linux({
        devices: [{ type: 'c', path: '/dev/kvm', major: 10, minor: 232 }],
        resources: { devices: [rule('rw')] },
      }),
      want: ['device /dev/kvm (char 10:232)', 'device /dev/char/10:232 rw'],
    },
    {
      name: 'more of a device, not less',
      before: rules(rule('r')),
      after: rules(rule('rw')),
      want: ['device /dev/char/10:232 rw'],
    },
    { name: 'less of a device', before: rules(rule('rwm')), after: rules(rule('r')), want: [] },
    {
      name: 'all devices',
      before: rules(rule('rwm')),
      after: rules({ allow: true, type: 'a', access: 'rwm' }),
      want: ['all devices of the host'],
    },
    {
      name: 'nothing where it had all of them',
      before: rules({ allow: true, type: 'a', access: 'rwm' }),
      after: rules(rule('rwm')),
      want: [],
    },
    {
      name: 'a namespace that is joined',
      before: {},
      after: linux({
        namespaces: [
          { type: 'pid' },
          { type: 'ipc' },
          { type: 'mount' },
          { type: 'network', path: '/run/netns/blue' },
        ],
      }),
      want: ['namespace network of /run/netns/blue'],
    },
    {
      name: 'ids of the host',
      before: linux({
        namespaces: [{ type: 'mount' }, { type: 'user' }],
        uidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
      }),
      after: linux({
        namespaces: [{ type: 'mount' }, { type: 'user' }],
        uidMappings: [
          { containerID: 0, hostID: 100_000, size: 1000 },
          { containerID: 1000, hostID: 0, size: 2 },
        ],
      }),
      want: ['user ids 0 to 1 of the host'],
    },
    {
      name: 'capabilities that a user has from the start',
      before: process({ user: { uid: 5, gid: 5 }, capabilities: { bounding: ['CAP_KILL'] } }),
      after: process({
        user: { uid: 5, gid: 5 },
        capabilities: { bounding: ['CAP_KILL'], ambient: ['CAP_KILL'] },
      }),
      want: ['capability CAP_KILL from its start (ambient)'],
    },
    {
      name: 'noNewPrivileges that is off',
      before: {},
      after: { config: { process: { noNewPrivileges: false } } },
      want: ['privileges by set-user-ID programs (noNewPrivileges is off)'],
    },
    {
      name: 'a seccomp profile that is gone',
      before: SECCOMP,
      after: {},
      want: ['all system calls (no seccomp profile)'],
    },
    {
      name: 'nothing of a seccomp profile that came',
      before: {},
      after: SECCOMP,
      want: [],
    },
    {
      name: 'a profile of AppArmor that is gone, and paths that were hidden',
      before: {
        config: {
          process: { noNewPrivileges: true, apparmorProfile: 'web' },
          linux: {
            namespaces: [{ type: 'mount' }],
            maskedPaths: ['/proc/kcore', '/proc/keys'],
            readonlyPaths: ['/proc/sys', '/proc/bus'],
          },
        },
      },
      after: linux({
        namespaces: [{ type: 'mount' }],
        maskedPaths: ['/proc/keys', '/proc/bus'],
        rootfsPropagation: 'rshared',
      }),
      want: [
        'no AppArmor profile in place of web',
        '/proc/kcore, no longer masked',
        '/proc/sys, no longer read-only',
        'mounts that reach the host (rootfsPropagation)',
      ],
    },
    {
      name: 'nothing of limits, arguments and kernel parameters',
      before: {},
      after: {
        config: {
          process: {
            noNewPrivileges: true,
            args: ['/bin/false'],
            rlimits: [{ type: 'RLIMIT_NOFILE', soft: 9, hard: 9 }],
          },
          linux: {
            namespaces: [{ type: 'pid' }, { type: 'ipc' }, { type: 'mount' }],
            sysctl: { 'kernel.msgmax': '1' },
            resources: { memory: { limit: 9_999_999 } },
          },
        },
      },
      want: [],
    },
    {
      name: 'who it is, where that was not root',
      before: { record: { user: 'uid 33, gid 33' } },
      after: { record: { user: 'uid 0, gid 0' } },
      want: ['runs as uid 0, gid 0'],
    },
    {
      name: 'groups that it is in',
      before: { record: { user: 'uid 33, gid 33, groups 4' } },
      after: { record: { user: 'uid 33, gid 4, groups 33 6' } },
      want: ['runs as uid 33, gid 4, groups 33 6'],
    },
    {
      name: 'nothing of one that is root no longer',
      before: { record: { capabilities: ['CAP_SETGID', 'CAP_SETUID'] } },
      after: { record: { user: 'uid 33, gid 33' } },
      want: [],
    },
    {
      name: 'what the unit runs on the host, to the last letter',
      before: { unit: `ExecStartPre=/bin/${'x'.repeat(300)}a\n` },
      after: { unit: `ExecStartPre=/bin/${'x'.repeat(300)}b\nExecStopPost=+/bin/c\n` },
      want: [
        `the unit runs on the host (ExecStartPre=): '/bin/${'x'.repeat(195)}…'`,
        "the unit runs on the host with all privileges (ExecStopPost=): '/bin/c'",
      ],
    },
    {
      name: 'commands of the unit that are root’s now',
      before: { unit: 'User=web\nExecStartPre=/bin/a\n' },
      after: { unit: 'ExecStartPre=/bin/a\n' },
      want: ['the unit runs its commands on the host as root'],
    },
    {
      name: 'tmpfiles lines elsewhere than in its own places',
      before: { tmpfiles: 'd /var/lib/docker   0700 - - -\n' },
      after: {
        config: { mounts: [bind('/srv/state', [])] },
        tmpfiles:
          'd /var/lib/docker 0700\nd  /var/lib/cni 0755\nd /run/web 0755\nd /srv/state 0700\n',
      },
      want: ['mount /srv/state at /x', 'tmpfiles line d /var/lib/cni 0755'],
    },
    {
      name: 'everything where the config.json before cannot be read',
      before: { configText: '{' },
      after: mounts(bind('/srv/a', [])),
      want: [
        'mount of proc proc at /proc ()',
        'mount of sysfs sysfs at /sys (nosuid,noexec,nodev)',
        'mount /srv/a at /x',
        'all system calls (no seccomp profile)',
      ],
    },
    {
      name: 'everything where there was no service before',
      before: { configText: undefined, record: { user: 'nobody: it has no service' } },
      after: {
        config: { process: { noNewPrivileges: false } },
        record: { sharedNamespaces: ['network'] },
      },
      want: [
        'namespace of the host: network',
        'mount of proc proc at /proc ()',
        'mount of sysfs sysfs at /sys (nosuid,noexec,nodev)',
        'all system calls (no seccomp profile)',
        'privileges by set-user-ID programs (noNewPrivileges is off)',
        'runs as uid 0, gid 0',
      ],
    },
  ] satisfies readonly {
    readonly name: string;
    readonly before: Sketch;
    readonly after: Sketch;
    readonly want: readonly string[];
  }[],
  ({ before, after, want }) => {
    assert.deepEqual(gainedPermissions(side(before), side(after)), want);
  },
);

each(
  'gainedPermissions() knows whose filter of system calls it is',
  [
    { name: "a later one of berth's", from: 'berth', to: 'berth', edited: false, want: false },
    {
      name: "berth's in place of an edited one",
      from: 'berth',
      to: 'berth',
      edited: true,
      want: true,
    },
    {
      name: "the image's in place of berth's",
      from: 'berth',
      to: 'image',
      edited: false,
      want: true,
    },
    { name: "another one of the image's", from: 'image', to: 'image', edited: false, want: true },
  ] as const,
  ({ from, to, edited, want }) => {
    const allowing = (...names: readonly string[]): Sketch => {
      const syscalls = [{ names, action: 'SCMP_ACT_ALLOW' }];
      return linux({ seccomp: { defaultAction: 'SCMP_ACT_ERRNO', syscalls } });
    };
    const [old, now] = [side(allowing('read')), side(allowing('read', 'write'))];
    const configSha256 = sha256Of(edited ? '' : (old.texts.get('config.json') ?? ''));
    const before = {
      ...old,
      deployment: { ...old.deployment, filter: { kind: from }, configSha256 },
    };
    const after = { ...now, deployment: { ...now.deployment, filter: { kind: to } } };
    assert.deepEqual(
      gainedPermissions(before, after),
      want ? ['system calls write (seccomp)'] : [],
    );
  },
);

test('gainedPermissions() leaves out what the administrator named', () => {
  const after = side({
    record: { hostPaths: ['/etc/cron.d/web', '/etc/web'] },
    tmpfiles: 'd /etc/cron.d/x 0755\n',
  });
  assert.deepEqual(gainedPermissions(side({}), after, ['/etc/cron.d']), [
    'file on the host /etc/web',
  ]);
});

test('gainedPermissions() shows nothing that a terminal acts on', () => {
  const after = side(mounts(bind('/srv/\u001b[2J', [])));
  assert.deepEqual(gainedPermissions(side({}), after), ['mount /srv/\\x1b[2J at /x']);
});

test('isAllowed() takes a consent for exactly what was shown', () => {
  const [one, other] = ['a', 'b'].map((hex) => parseDigest(`sha256:${hex.repeat(64)}`));
  assert.ok(one !== undefined && other !== undefined);
  const update = { name: 'web', to: { digest: one }, asks: ['x', 'y'] };
  const consent = consentTo([update, { name: 'db', to: { digest: other }, asks: [] }]);
  for (const [given, wanted, is] of [
    [undefined, update, false],
    [undefined, { ...update, asks: [] }, true],
    ['all', update, true],
    [consent, update, true],
    [consent, { ...update, asks: ['y'] }, true],
    [consent, { ...update, asks: ['x', 'y', 'z'] }, false],
    [consent, { ...update, to: { digest: other } }, false],
    [consent, { ...update, name: 'api' }, false],
    [consent, { name: 'db', to: { digest: other }, asks: ['x'] }, false],
  ] as const)
    assert.equal(isAllowed(given, wanted), is, JSON.stringify(wanted));
});
