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

const calls = (action: string, names: readonly string[], args: readonly object[] = []): object => ({
  names,
  action,
  args,
});

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
