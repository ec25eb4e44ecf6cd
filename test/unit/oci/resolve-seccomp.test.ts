import assert from 'node:assert/strict';
import { test } from 'node:test';

import { resolveSeccomp, type SeccompSituation } from '../../../src/oci/resolve-seccomp.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';

const PLAIN: SeccompSituation = {
  architecture: 'amd64',
  capabilities: ['CAP_CHOWN'],
  kernel: '6.1.0-18-amd64',
  knows: (name) => name !== 'unheard_of',
};

function resolve(
  profile: unknown,
  situation: Partial<SeccompSituation> = {},
): ReturnType<typeof resolveSeccomp> {
  const bytes = Buffer.from(typeof profile === 'string' ? profile : JSON.stringify(profile));
  return resolveSeccomp({ bytes, what: "the seccomp profile 'x'" }, { ...PLAIN, ...situation });
}

const rule = (members: object): object => ({
  defaultAction: 'SCMP_ACT_ERRNO',
  syscalls: [{ names: ['sync'], action: 'SCMP_ACT_ALLOW', ...members }],
});

each(
  'resolveSeccomp() takes a rule where all that it asks for is there, and nothing that it shuts out',
  [
    { name: 'a rule for all', members: {}, holds: true },
    {
      name: 'a capability that is held',
      members: { includes: { caps: ['CAP_CHOWN'] } },
      holds: true,
    },
    { name: 'one that is not', members: { includes: { caps: ['CAP_KILL'] } }, holds: false },
    {
      name: 'two, of which one is not held',
      members: { includes: { caps: ['CAP_CHOWN', 'CAP_KILL'] } },
      holds: false,
    },
    {
      name: 'one of two that shut it out',
      members: { excludes: { caps: ['CAP_CHOWN', 'CAP_KILL'] } },
      holds: false,
    },
    { name: 'none that shuts it out', members: { excludes: { caps: ['CAP_KILL'] } }, holds: true },
    { name: 'its architecture', members: { includes: { arches: ['arm', 'amd64'] } }, holds: true },
    { name: 'another one', members: { includes: { arches: ['arm64'] } }, holds: false },
    { name: 'all but another one', members: { excludes: { arches: ['s390x'] } }, holds: true },
    { name: 'an older kernel', members: { includes: { minKernel: '4.8' } }, holds: true },
    { name: 'the same kernel', members: { includes: { minKernel: '6.1' } }, holds: true },
    { name: 'a newer kernel', members: { includes: { minKernel: '6.10' } }, holds: false },
    { name: 'members of nothing', members: { includes: {}, excludes: null }, holds: true },
  ],
  ({ members, holds }) => {
    assert.deepEqual(resolve(rule(members))['syscalls'], [
      ...(holds ? [{ names: ['sync'], action: 'SCMP_ACT_ALLOW' }] : []),
    ]);
  },
);

test('resolveSeccomp() gives what the runtime specification has, and no more', () => {
  const profile = {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrno: 'ENOSYS',
    archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }],
    flags: ['SECCOMP_FILTER_FLAG_LOG'],
    syscalls: [
      {
        name: 'sync',
        names: ['read', 'unheard_of'],
        comment: 'x',
        action: 'SCMP_ACT_ALLOW',
        args: [],
      },
      { names: ['unheard_of'], action: 'SCMP_ACT_ALLOW' },
      {
        names: ['socket'],
        action: 'SCMP_ACT_ERRNO',
        errno: 'EINVAL',
        args: [{ index: 0, value: 16, valueTwo: 0, op: 'SCMP_CMP_EQ' }],
      },
    ],
  };
  assert.deepEqual(resolve(profile), {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 38,
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
    flags: ['SECCOMP_FILTER_FLAG_LOG'],
    syscalls: [
      { names: ['sync', 'read'], action: 'SCMP_ACT_ALLOW' },
      {
        names: ['socket'],
        action: 'SCMP_ACT_ERRNO',
        errnoRet: 22,
        args: [{ index: 0, value: 16, valueTwo: 0, op: 'SCMP_CMP_EQ' }],
      },
    ],
  });
  const other = { ...PLAIN, architecture: 'riscv64' };
  assert.deepEqual(resolve(profile, other)['architectures'], ['SCMP_ARCH_RISCV64']);
});

test('resolveSeccomp() keeps what it cannot forbid: the compiler says that it would be allowed', () => {
  const syscalls = [{ names: ['unheard_of'], action: 'SCMP_ACT_ERRNO' }];
  assert.deepEqual(resolve({ defaultAction: 'SCMP_ACT_ALLOW', syscalls })['syscalls'], syscalls);
});

each(
  'resolveSeccomp() refuses what is no profile, by the member',
  [
    { name: 'a list', profile: [], says: /^the seccomp profile 'x' is not an object$/ },
    { name: 'no default', profile: { syscalls: [] }, says: /'defaultAction' is missing/ },
    {
      name: 'no rules',
      profile: { defaultAction: 'SCMP_ACT_ALLOW' },
      says: /'syscalls' is missing/,
    },
    {
      name: 'rules that are text',
      profile: { defaultAction: 'x', syscalls: 'y' },
      says: /is not a list/,
    },
    {
      name: 'a rule of no action',
      profile: rule({ action: null }),
      says: /'syscalls\[0\]\.action' is missing/,
    },
    {
      name: 'names that are numbers',
      profile: rule({ names: [1] }),
      says: /'syscalls\[0\]\.names\[0\]' is not text/,
    },
    {
      name: 'a fraction',
      profile: rule({ errnoRet: 1.5 }),
      says: /errnoRet' is not a whole number/,
    },
    {
      name: 'an error of no name',
      profile: rule({ errno: 'EWHAT' }),
      says: /errno' is not the name of an error/,
    },
    {
      name: 'an argument of no operator',
      profile: rule({ args: [{ index: 0, value: 1 }] }),
      says: /args\[0\]\.op' is missing/,
    },
    {
      name: 'a kernel of no version',
      profile: rule({ includes: { minKernel: 'new' } }),
      says: /minKernel' is not the version/,
    },
    {
      name: 'both lists of architectures',
      profile: { ...rule({}), archMap: [], architectures: [] },
      says: /'architectures' stands beside 'archMap'/,
    },
    {
      name: 'too many rules',
      profile: { defaultAction: 'x', syscalls: Array(10_001).fill({}) },
      says: /more than 10000 items/,
    },
    {
      name: 'a prototype',
      profile: '{"__proto__":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}}',
      says: /'defaultAction' is missing/,
    },
  ],
  async ({ profile, says }) => {
    const error = await assertFails('CONFIG_INVALID', () => resolve(profile));
    assert.match(error.message, says);
  },
);
