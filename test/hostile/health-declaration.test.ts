import assert from 'node:assert/strict';
import { test } from 'node:test';

import { decideHealth } from '../../src/containers/decide-health.js';
import { checkUntilWell } from '../../src/containers/check-until-well.js';
import { DEFAULT_HEALTH_CHECK, type HealthCheck } from '../../src/containers/health-check.js';
import type { ImageConfig, ImageHealthcheck } from '../../src/oci/image-config.js';
import { parseExportsManifest } from '../../src/templates/exports-manifest.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';

// What an image says of its check decides how long an update waits and what runs in the container: all of it is bounded.

each(
  'M37 a health member is refused that',
  [
    { name: 'is no object', health: ['/check'] },
    { name: 'has a command that is a line', health: { command: '/check --all' } },
    { name: 'runs nothing', health: { command: [] } },
    { name: 'runs a program without a name', health: { command: [''] } },
    { name: 'has a NUL in a word', health: { command: ['/check', 'a\u0000b'] } },
    { name: 'has too many words', health: { command: Array.from({ length: 65 }, () => 'x') } },
    { name: 'has too long a command', health: { command: ['/check', 'x'.repeat(17_000)] } },
    { name: 'never ends', health: { timeout: 1e9 } },
    { name: 'soaks for ever', health: { soak: 86_401 } },
    { name: 'has a negative time', health: { interval: -1 } },
    { name: 'has a time that is no number', health: { interval: '2s' } },
    { name: 'tries without end', health: { retries: 1_000_000 } },
    { name: 'tries one and a half times', health: { retries: 1.5 } },
    { name: 'has a member that nobody knows', health: { comand: ['/check'] } },
  ],
  async ({ health }) => {
    await assertFails('EXPORTS_INVALID', () => parseExportsManifest(JSON.stringify({ health })));
  },
);

function image(
  healthcheck: Partial<ImageHealthcheck> | undefined,
  labels: Readonly<Record<string, string>> = {},
): ImageConfig {
  const check =
    healthcheck === undefined
      ? undefined
      : { test: [], intervalNs: 0, timeoutNs: 0, startPeriodNs: 0, retries: 0, ...healthcheck };
  return { labels, process: { healthcheck: check } } as unknown as ImageConfig;
}

const base = { declared: undefined, hasExports: false, soakMs: undefined };

test('decideHealth() takes the manifest before the label before what a stock image says', () => {
  const declared = parseExportsManifest('{"health":{"command":["/m"],"soak":1.5}}').health;
  const stock = { test: ['CMD-SHELL', 'a b'], intervalNs: 5e9, retries: 2 };
  const label = { 'io.berth.health': '{"command":["/l"]}' };
  const command = (from: Partial<Parameters<typeof decideHealth>[0]>): unknown =>
    decideHealth({ ...base, image: image(stock, label), ...from }).command;
  assert.deepEqual(command({ declared }), ['/m']);
  assert.deepEqual(command({}), ['/l']);
  assert.deepEqual(command({ image: image(stock) }), ['/bin/sh', '-c', 'a b']);
  assert.deepEqual(command({ image: image(stock), hasExports: true }), undefined);
  assert.equal(decideHealth({ ...base, declared, image: image(undefined) }).soakMs, 1_500);
  const soaked = decideHealth({ ...base, image: image(stock), soakMs: 200 });
  assert.deepEqual(
    [soaked.soakMs, soaked.intervalMs, soaked.timeoutMs, soaked.retries],
    [200, 5_000, 30_000, 2],
  );
});

each(
  'M37 a Healthcheck of a stock image that',
  [
    { name: 'is NONE', check: { test: ['NONE'] } },
    { name: 'is empty', check: { test: [] } },
    { name: 'runs nothing', check: { test: ['CMD'] } },
    { name: 'is of a kind that nobody knows', check: { test: ['EVAL', 'x'] } },
  ],
  ({ check }) => {
    assert.deepEqual(decideHealth({ ...base, image: image(check) }), DEFAULT_HEALTH_CHECK);
  },
);

test('M37 times and counts of a stock image without measure are cut', () => {
  const wild = {
    test: ['CMD', '/c'],
    intervalNs: 1e30,
    timeoutNs: 1,
    startPeriodNs: 1e25,
    retries: 1e15,
  };
  const health = decideHealth({ ...base, image: image(wild) });
  assert.deepEqual(
    [health.intervalMs, health.timeoutMs, health.startPeriodMs, health.retries],
    [86_400_000, 100, 86_400_000, 100],
  );
});

test('a label that is no JSON is refused', async () => {
  await assertFails('JSON_INVALID', () =>
    decideHealth({ ...base, image: image(undefined, { 'io.berth.health': '{' }) }),
  );
});

/** Runs the checks on a clock of the test; `passes` says which do, by the time at which they begin. */
async function check(
  changes: Partial<HealthCheck>,
  passes: (atMs: number) => boolean,
): Promise<{ readonly problem: string | undefined; readonly atMs: number }> {
  let now = 0;
  const problem = await checkUntilWell(
    { ...DEFAULT_HEALTH_CHECK, command: ['/c'], intervalMs: 10_000, soakMs: 5_000, ...changes },
    {
      run: () =>
        Promise.resolve(passes(now) ? { passed: true } : { passed: false, problem: `at ${now}` }),
      elapsedMs: () => now,
      sleep: (ms) => {
        now += ms;
        return Promise.resolve();
      },
    },
  );
  return { problem, atMs: now };
}

test('checkUntilWell() waits for the soak time, and counts failures once an interval', async () => {
  assert.deepEqual(await check({}, () => true), { problem: undefined, atMs: 5_000 });
  assert.deepEqual(await check({}, (at) => at >= 12_000), { problem: undefined, atMs: 12_000 });
  assert.deepEqual(await check({ retries: 3 }, () => false), { problem: 'at 30000', atMs: 30_000 });
  const late = await check({ retries: 1, startPeriodMs: 60_000 }, () => false);
  assert.equal(late.atMs, 60_000);
  const fell = await check({ retries: 2, soakMs: 60_000 }, (at) => at < 15_000);
  assert.deepEqual(fell, { problem: 'at 30000', atMs: 30_000 });
});
