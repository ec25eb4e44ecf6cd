import assert from 'node:assert/strict';

import type { ErrorCode } from '../../../src/errors/catalogue.js';
import { changesGroups, checkConfined } from '../../../src/runtime/check-confined.js';
import { judgeCaller, type ConfinedCaller } from '../../../src/runtime/confined-caller.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { runtimeConfig, type ConfigChanges } from '../../support/runtime-config.js';

const ALL = '         0          0 4294967295\n';
const PODMAN = '         0       1000          1\n         1     100000      65536\n';

function caller(uid: number, map: string, other: { ownsRun?: boolean; setgroups?: string } = {}) {
  const { ownsRun = false, setgroups = 'allow\n' } = other;
  return judgeCaller({ uid, gid: uid, uidMap: map, gidMap: map, setgroups, ownsRun });
}

each<{
  name: string;
  found: ConfinedCaller | undefined;
  want: Partial<ConfinedCaller> | undefined;
}>(
  'judgeCaller()',
  [
    { name: 'root of the host', found: caller(0, ALL, { ownsRun: true }), want: undefined },
    {
      name: 'an ordinary user',
      found: caller(1000, ALL),
      want: { kind: 'user', hostUid: 1000, isRootless: true, setgroups: true },
    },
    {
      name: 'rootless podman',
      found: caller(0, PODMAN),
      want: { kind: 'namespace', hostUid: 1000, isRootless: true },
    },
    {
      name: 'a system in a user namespace',
      found: caller(0, '0 100000 65536\n', { ownsRun: true }),
      want: { kind: 'namespace', hostUid: 100000, isRootless: false },
    },
    {
      name: 'somebody else in such a namespace',
      found: caller(5, PODMAN),
      want: { kind: 'user', uid: 5, hostUid: 100004, isRootless: true },
    },
    {
      name: 'a namespace that one user has made for himself alone',
      found: caller(0, '0 1000 1\n', { setgroups: 'deny\n' }),
      want: { kind: 'namespace', setgroups: false },
    },
  ],
  ({ found, want }) => {
    if (want === undefined) assert.equal(found, undefined);
    else assert.deepEqual({ ...found, ...want }, found);
  },
);

function known(found: ConfinedCaller | undefined): ConfinedCaller {
  assert.ok(found);
  return found;
}

const user = known(caller(1000, ALL));
const podman = known(caller(0, PODMAN));
const LIMITS = { hard: Array.from({ length: 16 }, () => 4096), oomScoreAdj: 100 };

const own = (id: number) => [{ containerID: 0, hostID: id, size: 1 }];
const namespaced = (linux: object = {}): { linux: object } => ({
  linux: {
    namespaces: [{ type: 'mount' }, { type: 'pid' }, { type: 'user' }],
    uidMappings: own(1000),
    gidMappings: own(1000),
    ...linux,
  },
});
/** The usual mounts have a group for terminals that such a namespace lacks. */
const WITHOUT_MOUNTS = { mounts: [] };

function config(changes: ConfigChanges) {
  const made = runtimeConfig({ ...changes, ...WITHOUT_MOUNTS });
  const mounts = runtimeConfig({ mounts: changes.mounts ?? [] }).mounts.slice(6);
  return { ...made, mounts };
}

const many = [...own(1000), { containerID: 1, hostID: 100000, size: 65536 }];

each<{
  name: string;
  changes: ConfigChanges;
  by?: ConfinedCaller;
  code?: ErrorCode;
  says: RegExp | undefined;
}>(
  'checkConfined()',
  [
    { name: 'a namespace of one id', changes: namespaced(), says: undefined },
    {
      name: 'no user namespace',
      changes: { linux: { namespaces: [{ type: 'mount' }] } },
      says: /no user namespace/,
    },
    {
      name: 'no user namespace, where there is one already',
      changes: { linux: { namespaces: [{ type: 'mount' }] } },
      by: podman,
      says: undefined,
    },
    {
      name: 'no mount namespace',
      changes: { linux: { namespaces: [{ type: 'pid' }] } },
      by: podman,
      says: /without a mount namespace/,
    },
    {
      name: 'a user that is not mapped',
      changes: { ...namespaced(), process: { user: { uid: 5, gid: 0 } } },
      says: /process\.user\.uid: .* no 5/,
    },
    {
      name: 'a user that is mapped',
      changes: {
        ...namespaced({ uidMappings: many, gidMappings: many }),
        process: { user: { uid: 5, gid: 5, additionalGids: [7] } },
      },
      says: undefined,
    },
    {
      name: 'further groups in a namespace of one',
      changes: { ...namespaced(), process: { user: { uid: 0, gid: 0, additionalGids: [0] } } },
      says: /additionalGids: .* lets nobody change groups/,
    },
    {
      name: 'ids that the namespace around does not have',
      changes: namespaced({ uidMappings: own(70000), gidMappings: own(1) }),
      by: podman,
      says: /uidMappings\[0\]\.hostID: 70000/,
    },
    {
      name: 'a user that the namespace around does not have',
      changes: {
        linux: { namespaces: [{ type: 'mount' }] },
        process: { user: { uid: 70000, gid: 0 } },
      },
      by: podman,
      says: /process\.user\.uid/,
    },
    {
      name: 'a group for terminals that is not mapped',
      changes: {
        ...namespaced(),
        mounts: [{ destination: '/dev/pts', type: 'devpts', options: ['gid=5'] }],
      },
      says: /mounts\[0\]\.options: gid=5/,
    },
    {
      name: 'a file system that only root can mount',
      changes: {
        ...namespaced(),
        mounts: [{ destination: '/data', type: 'ext4', source: '/dev/vda' }],
      },
      says: /mounts\[0\]: only root can mount .*ext4/,
    },
    {
      name: 'a bind mount with a type of its own name',
      changes: {
        ...namespaced(),
        mounts: [{ destination: '/data', type: 'none', source: '/srv', options: ['rbind'] }],
      },
      says: undefined,
    },
    {
      name: 'other owners',
      changes: {
        ...namespaced(),
        mounts: [{ destination: '/data', source: '/srv', options: ['bind', 'idmap'] }],
      },
      says: /mounts\[0\]: only root can map/,
    },
    {
      name: 'a device that the host does not have',
      changes: namespaced({ devices: [{ type: 'c', path: '/dev/none-such', major: 1, minor: 3 }] }),
      says: /linux\.devices: the host has no '\/dev\/none-such'/,
    },
    {
      name: 'a limit that only root can raise',
      changes: {
        ...namespaced(),
        process: { rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1, hard: 8192 }] },
      },
      says: /RLIMIT_NOFILE is 4096 here/,
    },
    {
      name: 'a limit that is lower',
      changes: {
        ...namespaced(),
        process: { rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1, hard: 100 }], oomScoreAdj: 100 },
      },
      says: undefined,
    },
    {
      name: 'a better place before the out-of-memory killer',
      changes: { ...namespaced(), process: { oomScoreAdj: 0 } },
      says: /oomScoreAdj: it is 100 here/,
    },
  ],
  async ({ changes, by, says }) => {
    const check = (): void => {
      checkConfined(config(changes), by ?? user, LIMITS);
    };
    if (says === undefined) check();
    else assert.match((await assertFails('RUNTIME_UNSUPPORTED', check)).message, says);
  },
);

each<{ name: string; by: ConfinedCaller; mappings: object[]; want: boolean }>(
  'changesGroups()',
  [
    { name: "a user's own group alone", by: user, mappings: own(1000), want: false },
    { name: 'groups that were given to him', by: user, mappings: many, want: true },
    { name: 'in a namespace that allows it', by: podman, mappings: own(0), want: true },
    {
      name: 'in a namespace that forbids it',
      by: { ...podman, setgroups: false },
      mappings: own(0),
      want: false,
    },
  ],
  ({ by, mappings, want }) => {
    const made = config(namespaced({ uidMappings: mappings, gidMappings: mappings }));
    assert.equal(changesGroups(made, by), want);
  },
);
