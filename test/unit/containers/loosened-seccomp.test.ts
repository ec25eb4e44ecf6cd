import assert from 'node:assert/strict';

import { loosenedSeccomp } from '../../../src/containers/loosened-seccomp.js';
import type { SeccompProfile } from '../../../src/oci/runtime-config.js';
import { each } from '../../support/each.js';
import { runtimeConfig } from '../../support/runtime-config.js';

function seccomp(
  defaultAction: string,
  ...syscalls: readonly object[]
): SeccompProfile | undefined {
  return runtimeConfig({ linux: { seccomp: { defaultAction, syscalls } } }).linux.seccomp;
}

function profile(members: object): SeccompProfile | undefined {
  return runtimeConfig({ linux: { seccomp: { defaultAction: 'SCMP_ACT_ERRNO', ...members } } })
    .linux.seccomp;
}

const calls = (action: string, names: readonly string[], args: readonly object[] = []): object => ({
  names,
  action,
  args,
});

/** As the profile that engines have by default. */
const SOCKETS = [
  calls('SCMP_ACT_ERRNO', ['socket'], [{ index: 0, value: 16, op: 'SCMP_CMP_EQ' }]),
  calls('SCMP_ACT_ALLOW', ['socket'], [{ index: 0, value: 16, op: 'SCMP_CMP_NE' }]),
];

each(
  'loosenedSeccomp() tells',
  [
    {
      name: 'calls that are let through',
      before: seccomp('SCMP_ACT_ERRNO', calls('SCMP_ACT_ALLOW', ['read', 'write'])),
      after: seccomp(
        'SCMP_ACT_ERRNO',
        calls('SCMP_ACT_ALLOW', ['mount', 'bpf', 'read']),
        calls('SCMP_ACT_LOG', ['write'], [{ index: 0, value: 1, op: 'SCMP_CMP_EQ' }]),
      ),
      want: ['system calls bpf, mount (seccomp)'],
    },
    {
      name: 'a call that was let through under a condition',
      before: seccomp(
        'SCMP_ACT_ERRNO',
        calls('SCMP_ACT_ALLOW', ['clone'], [{ index: 0, value: 1, op: 'SCMP_CMP_EQ' }]),
      ),
      after: seccomp('SCMP_ACT_ERRNO', calls('SCMP_ACT_ALLOW', ['clone'])),
      want: ['system calls clone (seccomp)'],
    },
    {
      name: 'a call that was let through by a name that only looks like the condition',
      before: seccomp(
        'SCMP_ACT_ERRNO',
        calls('SCMP_ACT_ALLOW', ['clone (argument 0 SCMP_CMP_EQ 1 0)']),
      ),
      after: seccomp(
        'SCMP_ACT_ERRNO',
        calls('SCMP_ACT_ALLOW', ['clone'], [{ index: 0, value: 1, op: 'SCMP_CMP_EQ' }]),
      ),
      want: ['system calls clone (argument 0 SCMP_CMP_EQ 1 0) (seccomp)'],
    },
    {
      name: 'nothing of a call of which the rules differ among themselves, as before',
      before: seccomp('SCMP_ACT_ERRNO', ...SOCKETS, calls('SCMP_ACT_ALLOW', ['read'])),
      after: seccomp('SCMP_ACT_ERRNO', calls('SCMP_ACT_ALLOW', ['read']), ...SOCKETS),
      want: [],
    },
    {
      name: 'such a call where the rules stand in another order',
      before: seccomp('SCMP_ACT_ERRNO', ...SOCKETS),
      after: seccomp('SCMP_ACT_ERRNO', ...SOCKETS.toReversed()),
      want: ['system calls socket (argument 0 SCMP_CMP_NE 16 0) (seccomp)'],
    },
    {
      name: 'such a call where the default is another',
      before: seccomp('SCMP_ACT_ALLOW', ...SOCKETS),
      after: seccomp('SCMP_ACT_ERRNO', ...SOCKETS),
      want: ['system calls socket (argument 0 SCMP_CMP_NE 16 0) (seccomp)'],
    },
    {
      name: 'calls that are no longer stopped',
      before: seccomp('SCMP_ACT_ALLOW', calls('SCMP_ACT_ERRNO', ['mount', 'bpf'])),
      after: seccomp('SCMP_ACT_ALLOW', calls('SCMP_ACT_KILL', ['mount'])),
      want: ['system calls bpf (seccomp)'],
    },
    {
      name: 'a profile that lets through by default',
      before: seccomp('SCMP_ACT_ERRNO', calls('SCMP_ACT_ALLOW', ['read'])),
      after: seccomp('SCMP_ACT_ALLOW', calls('SCMP_ACT_ERRNO', ['bpf'])),
      want: ['all system calls but some (seccomp)'],
    },
    {
      name: 'nothing of a call that some rule stopped and another let through',
      before: seccomp(
        'SCMP_ACT_ALLOW',
        calls('SCMP_ACT_ERRNO', ['mount']),
        calls('SCMP_ACT_ALLOW', ['mount']),
      ),
      after: seccomp('SCMP_ACT_ALLOW', calls('SCMP_ACT_ERRNO', ['mount'])),
      want: [],
    },
    {
      name: 'a call that was stopped, and is let through by name where the default no longer does',
      before: seccomp('SCMP_ACT_ALLOW', calls('SCMP_ACT_ERRNO', ['mount'])),
      after: seccomp('SCMP_ACT_ERRNO', calls('SCMP_ACT_ALLOW', ['mount', 'read'])),
      want: ['system calls mount (seccomp)'],
    },
    {
      name: 'a call that nobody is asked about any more',
      before: profile({ listenerPath: '/run/l', syscalls: [calls('SCMP_ACT_NOTIFY', ['mount'])] }),
      after: profile({ syscalls: [calls('SCMP_ACT_ALLOW', ['mount'])] }),
      want: ['system calls mount (seccomp)'],
    },
    {
      name: 'a call that was stopped, and is asked about',
      before: profile({}),
      after: profile({ listenerPath: '/run/l', syscalls: [calls('SCMP_ACT_NOTIFY', ['mount'])] }),
      want: [
        'system calls mount (seccomp)',
        'system calls for which a program on the host answers at /run/l (seccomp)',
      ],
    },
    {
      name: 'another program that is asked, and nothing of the calls',
      before: profile({ listenerPath: '/run/l', syscalls: [calls('SCMP_ACT_NOTIFY', ['mount'])] }),
      after: profile({ listenerPath: '/run/m', syscalls: [calls('SCMP_ACT_NOTIFY', ['mount'])] }),
      want: ['system calls for which a program on the host answers at /run/m (seccomp)'],
    },
    {
      name: 'a program that is asked where there was no profile',
      before: undefined,
      after: profile({ listenerPath: '/run/l' }),
      want: ['system calls for which a program on the host answers at /run/l (seccomp)'],
    },
    {
      name: 'nothing of a call that is asked about and was let through',
      before: profile({ listenerPath: '/run/l', syscalls: [calls('SCMP_ACT_LOG', ['mount'])] }),
      after: profile({ listenerPath: '/run/l', syscalls: [calls('SCMP_ACT_NOTIFY', ['mount'])] }),
      want: [],
    },
    {
      name: 'a flag that gives up a mitigation, and no other',
      before: profile({ flags: ['SECCOMP_FILTER_FLAG_LOG'] }),
      after: profile({ flags: ['SECCOMP_FILTER_FLAG_SPEC_ALLOW', 'SECCOMP_FILTER_FLAG_TSYNC'] }),
      want: ['speculation of the processor that seccomp held back (SPEC_ALLOW)'],
    },
    {
      name: 'nothing of a flag that it had, of errors, and of a flag without a profile before',
      before: profile({
        flags: ['SECCOMP_FILTER_FLAG_SPEC_ALLOW'],
        syscalls: [{ ...calls('SCMP_ACT_ERRNO', ['bpf']), errnoRet: 1 }],
      }),
      after: profile({
        defaultErrnoRet: 38,
        flags: ['SECCOMP_FILTER_FLAG_SPEC_ALLOW'],
        syscalls: [{ ...calls('SCMP_ACT_ERRNO', ['bpf']), errnoRet: 38 }],
      }),
      want: [],
    },
    {
      name: 'architectures',
      before: seccomp('SCMP_ACT_ERRNO'),
      after: runtimeConfig({
        linux: { seccomp: { defaultAction: 'SCMP_ACT_ERRNO', architectures: ['SCMP_ARCH_X32'] } },
      }).linux.seccomp,
      want: ['system calls of SCMP_ARCH_X32 (seccomp)'],
    },
  ],
  ({ before, after, want }) => {
    assert.deepEqual(loosenedSeccomp(before, after), want);
  },
);
