import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import type { DeviceRule } from '../../../../src/oci/runtime-config.js';
import { assembleDeviceProgram } from '../../../../src/runtime/cgroups/device-program.js';
import { effectiveDeviceRules } from '../../../../src/runtime/cgroups/device-rules.js';
import { each } from '../../../support/each.js';
import { runtimeResources } from '../../../support/runtime-resources.js';

interface Access {
  readonly type: 'b' | 'c';
  readonly major: number;
  readonly minor: number;
  readonly access: string;
}

/** Runs a program as the kernel would: the few instructions that are in use, and no others. */
function run(program: Buffer, { type, major, minor, access }: Access): boolean {
  const bits = Array.from(access).reduce(
    (all, letter) => all | { m: 1, r: 2, w: 4 }[letter as 'm'],
    0,
  );
  const context = [((bits << 16) | (type === 'b' ? 1 : 2)) >>> 0, major, minor];
  const registers = new Array<number>(11).fill(0);
  for (let at = 0, steps = 0; steps < 100_000; steps++) {
    const code = program.readUInt8(at * 8);
    const to = program.readUInt8(at * 8 + 1) & 15;
    const from = program.readUInt8(at * 8 + 1) >> 4;
    const offset = program.readInt16LE(at * 8 + 2);
    const value = program.readInt32LE(at * 8 + 4);
    const left = registers[to] ?? 0;
    at++;
    if (code === 0x95) return registers[0] === 1;
    if (code === 0x61) registers[to] = context[offset / 4] ?? -1;
    else if (code === 0x54) registers[to] = (left & value) >>> 0;
    else if (code === 0x74) registers[to] = left >>> value;
    else if (code === 0xb4) registers[to] = value >>> 0;
    else if (code === 0xbc) registers[to] = registers[from] ?? 0;
    else if (code === 0x56) at += left === value >>> 0 ? 0 : offset;
    else throw new Error(`instruction ${code.toString(16)} is unknown`);
  }
  throw new Error('the program does not end');
}

/** What the specification says: the rules in order, each letter by itself, and nothing without a rule. */
function decide(rules: readonly DeviceRule[], asked: Access): boolean {
  return Array.from(asked.access).every((letter) => {
    const last = rules.findLast(
      (rule) =>
        rule.access.includes(letter) &&
        (rule.type === 'a' ||
          (rule.type === asked.type &&
            (rule.major ?? asked.major) === asked.major &&
            (rule.minor ?? asked.minor) === asked.minor)),
    );
    return last?.allow === true;
  });
}

const letters = fc.subarray(['r', 'w', 'm'], { minLength: 1 }).map((all) => all.join(''));
const number = fc.constantFrom(0, 1, 5, 0xffff_ffff);
const rule: fc.Arbitrary<DeviceRule> = fc.record({
  allow: fc.boolean(),
  type: fc.constantFrom('a', 'b', 'c'),
  major: fc.option(number, { nil: undefined }),
  minor: fc.option(number, { nil: undefined }),
  access: letters,
});
const asked: fc.Arbitrary<Access> = fc.record({
  type: fc.constantFrom('b', 'c'),
  major: number,
  minor: number,
  access: letters,
});

test('assembleDeviceProgram() decides as the specification does, whatever the rules', () => {
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 8 }), asked, (rules, access) => {
      assert.equal(run(assembleDeviceProgram(rules), access), decide(rules, access));
    }),
    { numRuns: 2000 },
  );
});

const ALL_BUT_ONE = [
  { allow: true, type: 'a', access: 'rwm' },
  { allow: false, type: 'b', major: 8, minor: 0, access: 'w' },
];

each<{ name: string; rules: readonly object[]; asked: Access; allowed: boolean }>(
  'the device rules of a container:',
  [
    {
      name: 'C15 none at all deny other devices',
      rules: [],
      asked: { type: 'b', major: 8, minor: 0, access: 'r' },
      allowed: false,
    },
    {
      name: 'none at all allow /dev/null',
      rules: [],
      asked: { type: 'c', major: 1, minor: 3, access: 'rw' },
      allowed: true,
    },
    {
      name: 'C15 a list of what is allowed denies the rest',
      rules: [{ allow: true, type: 'c', major: 10, minor: 200, access: 'rwm' }],
      asked: { type: 'c', major: 10, minor: 201, access: 'r' },
      allowed: false,
    },
    {
      name: 'all but one: the one is denied',
      rules: ALL_BUT_ONE,
      asked: { type: 'b', major: 8, minor: 0, access: 'rw' },
      allowed: false,
    },
    {
      name: 'all but one: the others are allowed',
      rules: ALL_BUT_ONE,
      asked: { type: 'b', major: 8, minor: 1, access: 'rw' },
      allowed: true,
    },
    {
      name: 'two rules together allow what none does alone',
      rules: [
        { allow: true, type: 'c', major: 10, minor: 200, access: 'r' },
        { allow: true, type: 'c', major: 10, minor: 200, access: 'w' },
      ],
      asked: { type: 'c', major: 10, minor: 200, access: 'rw' },
      allowed: true,
    },
  ],
  ({ rules, asked: access, allowed }) => {
    const all = effectiveDeviceRules(runtimeResources({ devices: rules }).devices);
    assert.equal(run(assembleDeviceProgram(all), access), allowed);
  },
);
