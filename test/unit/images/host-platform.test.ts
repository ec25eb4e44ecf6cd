import assert from 'node:assert/strict';
import { test } from 'node:test';

import { findVariant, readHostPlatform } from '../../../src/images/host-platform.js';
import { each } from '../../support/each.js';

const v2 = 'fpu cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3';
const v3 = `${v2} avx avx2 bmi1 bmi2 f16c fma abm movbe xsave`;
const v4 = `${v3} avx512f avx512bw avx512cd avx512dq avx512vl`;

each(
  'findVariant() reads from /proc/cpuinfo',
  [
    { name: 'the baseline', architecture: 'amd64', text: 'flags\t\t: fpu sse2\n', want: undefined },
    { name: 'v2', architecture: 'amd64', text: `model\t: x\nflags\t\t: ${v2}\n`, want: 'v2' },
    { name: 'v3', architecture: 'amd64', text: `flags\t\t: ${v3}\n`, want: 'v3' },
    { name: 'v4', architecture: 'amd64', text: `flags\t\t: ${v4}\n`, want: 'v4' },
    {
      name: 'v3 that lacks v2',
      architecture: 'amd64',
      text: 'flags\t\t: avx avx2 bmi1 bmi2 f16c fma abm movbe xsave\n',
      want: undefined,
    },
    { name: 'an ARM of version 7', architecture: 'arm', text: 'CPU architecture: 7\n', want: 'v7' },
    {
      name: 'an ARM of version 5TE',
      architecture: 'arm',
      text: 'CPU architecture: 5TE\n',
      want: 'v5',
    },
    {
      name: 'nothing for others',
      architecture: 'riscv64',
      text: 'isa : rv64gc\n',
      want: undefined,
    },
    { name: 'nothing from nothing', architecture: 'amd64', text: '', want: undefined },
  ],
  ({ architecture, text, want }) => {
    assert.equal(findVariant(architecture, text), want);
  },
);

test('readHostPlatform() uses the words of image-spec', () => {
  const { os, architecture } = readHostPlatform();
  assert.equal(os, 'linux');
  assert.doesNotMatch(architecture, /^(x64|ia32|ppc64)$/);
});
