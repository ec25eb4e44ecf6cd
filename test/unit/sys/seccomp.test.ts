import assert from 'node:assert/strict';
import { test } from 'node:test';

import { exportSeccompFilter, type SeccompFilterRules } from '../../../src/sys/seccomp.js';
import { assertFails } from '../../support/assert-fails.js';
import { runFilter } from '../../support/run-filter.js';

const X86_64 = 0xc000_003e;
const X86 = 0x4000_0003;
const AARCH64 = 0xc000_00b7;
const ARM = 0x4000_0028;
const X32_BIT = 0x4000_0000;

const KILL = 0;
const EPERM = 0x0005_0001;
const ALLOW = 0x7fff_0000;

const PROFILE: SeccompFilterRules = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: undefined,
  native: 'SCMP_ARCH_X86_64',
  architectures: [],
  syscalls: [
    allow(['read', 'write', 'openat', 'stat64', 'mmap2', 'clone', 'execve', 'futex_time64']),
    allow(['personality'], { index: 0, op: 'SCMP_CMP_EQ', value: 8 }),
    allow(['socket'], { index: 0, op: 'SCMP_CMP_NE', value: 40 }),
    allow(['ioctl'], { index: 1, op: 'SCMP_CMP_MASKED_EQ', value: 0xff00, valueTwo: 0x5400 }),
    // One of two values.
    allow(
      ['prctl'],
      { index: 0, op: 'SCMP_CMP_EQ', value: 15 },
      { index: 0, op: 'SCMP_CMP_EQ', value: 16 },
    ),
  ],
};

for (const { title, native, other, architectures } of [
  {
    title: 'x86',
    native: ['SCMP_ARCH_X86_64', X86_64],
    other: ['SCMP_ARCH_X86', X86],
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
  },
  {
    title: 'ARM',
    native: ['SCMP_ARCH_AARCH64', AARCH64],
    other: ['SCMP_ARCH_ARM', ARM],
    architectures: ['SCMP_ARCH_ARM'],
  },
] as const) {
  test(`a filter for two architectures of ${title} answers as each one's own`, () => {
    const { filter } = exportSeccompFilter({ ...PROFILE, native: native[0], architectures });
    const results = new Set<number>();
    for (const [name, architecture] of [native, other]) {
      const own = exportSeccompFilter({ ...PROFILE, native: name }).filter;
      assert.ok(own.length < filter.length);
      for (const call of someCalls(architecture)) {
        const result = runFilter(filter, call);
        assert.equal(result, runFilter(own, call), JSON.stringify(call, showBig));
        results.add(result);
      }
    }
    assert.deepEqual([...results].sort(), [EPERM, ALLOW].sort());
    for (const call of someCalls(0x1234)) assert.equal(runFilter(filter, call), KILL);
  });
}

test('calls of x32 have the architecture of x86-64, and are told by their numbers', () => {
  const architectures = ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'];
  const with32 = exportSeccompFilter({ ...PROFILE, architectures }).filter;
  const without = exportSeccompFilter({ ...PROFILE, architectures: ['SCMP_ARCH_X86'] }).filter;
  const answers = (call: Parameters<typeof runFilter>[1]): readonly number[] =>
    [with32, without].map((filter) => runFilter(filter, call));
  const [read, write] = [0, 1];
  assert.deepEqual(answers({ architecture: X86_64, number: read }), [ALLOW, ALLOW]);
  assert.deepEqual(answers({ architecture: X86_64, number: X32_BIT + write }), [ALLOW, KILL]);
  assert.deepEqual(answers({ architecture: X86_64, number: X32_BIT + 999 }), [EPERM, KILL]);
  assert.deepEqual(answers({ architecture: X86, number: 3 }), [ALLOW, ALLOW]);
});

test('architectures that no machine has together are refused, and unknown ones', async () => {
  const refused = async (name: string, message: RegExp): Promise<void> => {
    const profile = { ...PROFILE, architectures: [name] };
    const error = await assertFails('RUNTIME_CONFIG_INVALID', () => exportSeccompFilter(profile));
    assert.match(error.message, message);
  };
  await refused('SCMP_ARCH_S390X', /cannot add architecture 'SCMP_ARCH_S390X'/);
  await refused('SCMP_ARCH_PDP11', /'SCMP_ARCH_PDP11' is not an architecture that libseccomp/);
});

test('calls that no architecture has are named, each once', () => {
  const { unknownCalls } = exportSeccompFilter({
    ...PROFILE,
    architectures: ['SCMP_ARCH_X86'],
    syscalls: [...PROFILE.syscalls, allow(['no_such_call', 'getpid', 'no_such_call'])],
  });
  assert.deepEqual(unknownCalls, ['no_such_call']);
});

function allow(
  names: readonly string[],
  ...conditions: readonly { index: number; op: string; value: number; valueTwo?: number }[]
): SeccompFilterRules['syscalls'][number] {
  const args = conditions.map((condition) => ({ valueTwo: 0, ...condition }));
  return { names, action: 'SCMP_ACT_ALLOW', errnoRet: undefined, args };
}

function* someCalls(architecture: number): Generator<Parameters<typeof runFilter>[1]> {
  const values = [0n, 8n, 15n, 16n, 17n, 40n, 0x5401n, 0xffff_ffffn, 0x1_0000_0008n];
  for (let number = 0; number < 480; number += 1)
    for (const value of values) yield { architecture, number, args: [value, value] };
}

function showBig(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
