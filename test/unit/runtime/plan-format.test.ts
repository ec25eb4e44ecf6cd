import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

import { LAUNCHER_STATUSES, LauncherStatus } from '../../../src/runtime/launcher-status.js';
import { INSTRUCTIONS, encodePlan, planChecksum } from '../../../src/runtime/plan-format.js';

test('INSTRUCTIONS is the table of the launcher', () => {
  const table = readFileSync('src/runtime/launcher/ops.def', 'utf8');
  const rows = [...table.matchAll(/^OP\((\d+), ([A-Z_]+), "([a-z]*)"/gm)].map(
    ([, op, name, fields]) => [name, { op: Number(op), fields }],
  );
  assert.ok(rows.length > 30, 'the table was not found');
  assert.deepEqual(Object.fromEntries(rows), INSTRUCTIONS);
});

test('encodePlan() lays a plan out as the comment says', () => {
  const plan = encodePlan([
    ['NAME', 'etcd'],
    ['PERSONALITY', 8],
  ]);
  assert.equal(
    plan.toString('hex'),
    [
      '4245525448504c4e',
      '01000000',
      '38000000',
      plan.subarray(16, 20).toString('hex'),
      '02000000',
      '010000000c000000' + '05000000' + '6574636400000000',
      '1900000004000000' + '08000000',
    ].join(''),
  );
});

test('encodePlan() marks slots with a byte that no text has', () => {
  const plan = encodePlan([['ARGUMENT', 'a<i>b<i>']], '<i>');
  assert.ok(plan.includes(Buffer.from([0x61, 0xff, 0x62, 0xff, 0])));
});

test('planChecksum() sees every change of a byte', () => {
  const plan = encodePlan([['NAME', 'etcd']]);
  const checksum = planChecksum(plan);
  for (const index of plan.keys()) {
    if (index >= 16 && index < 20) continue;
    for (let bit = 0; bit < 8; bit++) {
      const damaged = Buffer.from(plan);
      damaged[index] = (damaged[index] ?? 0) ^ (1 << bit);
      assert.notEqual(planChecksum(damaged), checksum, `bit ${bit} of byte ${index}`);
    }
  }
});

test('the launcher stays small enough to be read: 1,000 lines of code', () => {
  const folder = 'src/runtime/launcher';
  const lines = readdirSync(folder)
    .filter((name) => /\.[ch]$/.test(name))
    .flatMap((name) => readFileSync(`${folder}/${name}`, 'utf8').split('\n'))
    .filter((line) => !/^\s*($|\/\*|\*)/.test(line));
  assert.ok(lines.length <= 1000, `${lines.length} lines`);
});

test('LAUNCHER_STATUSES lists what the launcher ends with', () => {
  const header = readFileSync('src/runtime/launcher/launch.h', 'utf8');
  const inC = [...header.matchAll(/STATUS_[A-Z_]+ = (\d+)/g)].map(([, status]) => Number(status));
  const listed = LAUNCHER_STATUSES.map(({ status }) => status);
  assert.ok(inC.length > 10, 'the statuses were not found');
  assert.deepEqual(listed, inC);
  for (const status of Object.values(LauncherStatus)) assert.ok(listed.includes(status));
});
