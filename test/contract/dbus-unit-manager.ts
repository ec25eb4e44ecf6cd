/*
 * The contract of the unit manager on a running systemd, and what only a running one can do. Not a test file by name:
 * test/integration/unit-manager.test.ts has the booted hosts run it with `node`.
 */
import assert from 'node:assert/strict';
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { runProgram } from '../../src/base/subprocess.js';
import { connectUnitManager } from '../../src/systemd/connect-unit-manager.js';
import { findLoggedUnits, readJournalTail, syncJournal } from '../../src/systemd/journal-tail.js';
import { readJournalTails } from '../../src/systemd/journal-tails.js';
import type { UnitManager } from '../../src/systemd/unit-manager.js';
import { assertFails } from '../support/assert-fails.js';
import { testUnitManager } from './unit-manager-suite.js';

testUnitManager('UnitManager over D-Bus', () =>
  Promise.resolve({ manager: connectUnitManager({ mode: 'system' }), root: '' }),
);

async function withUnit(
  unit: { readonly name: string; readonly text: string },
  body: (manager: UnitManager, name: string) => Promise<void>,
): Promise<void> {
  await using manager = connectUnitManager({ mode: 'system' });
  writeFileSync(`/etc/systemd/system/${unit.name}`, unit.text);
  await manager.reload();
  await body(manager, unit.name);
}

test('start(), restart() and stop() wait for the end of the job', async () => {
  const unit = { name: 'job-a.service', text: '[Service]\nType=exec\nExecStart=/bin/sleep 1000\n' };
  await withUnit(unit, async (manager, name) => {
    assert.deepEqual(await manager.start(name, {}), { result: 'done' });
    const [running] = await manager.getStates([name]);
    assert.equal(running?.activeState, 'active');
    assert.ok((running.mainPid ?? 0) > 1);
    assert.match(running.invocationId ?? '', /^[0-9a-f]{32}$/);
    assert.ok(running.activeEnterTimestampUs > 0n && running.activeEnterMonotonicUs > 0n);
    assert.deepEqual(await manager.restart(name, {}), { result: 'done' });
    const [again] = await manager.getStates([name]);
    assert.notEqual(again?.mainPid, running.mainPid);
    assert.deepEqual(await manager.stop(name, {}), { result: 'done' });
    assert.equal((await manager.getStates([name]))[0]?.activeState, 'inactive');
  });
});

test('fifty jobs at once each find their own end', async () => {
  const text = '[Service]\nType=oneshot\nExecStart=/bin/sh -c "exit $(( %i % 2 ))"\n'.replace(
    '% 2',
    '%% 2',
  );
  await withUnit({ name: 'job-many@.service', text }, async (manager) => {
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, index) => manager.start(`job-many@${index}.service`, {})),
    );
    outcomes.forEach(({ result }, index) => {
      assert.equal(result, index % 2 === 0 ? 'done' : 'failed', `instance ${index}`);
    });
  });
});

test('start() tells a failure, and the log what the unit said last', async () => {
  const text =
    '[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo first; printf \'cannot \\\\033[31mbind\\\\033[0m\\\\n\'; exit 3"\n';
  await withUnit({ name: 'job-f.service', text }, async (manager, name) => {
    assert.deepEqual(await manager.start(name, {}), { result: 'failed' });
    const [state] = await manager.getStates([name]);
    assert.equal(state?.result, 'exit-code');
    assert.equal(state.execMainStatus, 3);
    const invocationId = state.invocationId;
    const log = await readJournalTail(name, { mode: 'system', lines: 20, invocationId });
    assert.ok(log.includes('sh: cannot \\x1b[31mbind\\x1b[0m'), log.join('\n'));
    assert.ok(log.indexOf('sh: first') < log.indexOf('sh: cannot \\x1b[31mbind\\x1b[0m'));
    assert.ok(
      log.some((line) => line.startsWith('systemd: job-f.service: Failed with result')),
      log.join('\n'),
    );
    await manager.resetFailed(name);
    assert.equal((await manager.getStates([name]))[0]?.activeState, 'inactive');
  });
});

test('the log has what a unit said first, also where journald takes it in before the words of systemd', async () => {
  const text = '[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo first; exit 3"\n';
  await withUnit({ name: 'job-e.service', text }, async (manager, name) => {
    for (const run of ['first', 'second']) {
      // Several streams and sockets are full when it goes on: it does not take them in the order of time.
      await signalJournald('STOP');
      try {
        assert.deepEqual(await manager.start(name, {}), { result: 'failed' });
      } finally {
        await signalJournald('CONT');
      }
      const [state] = await manager.getStates([name]);
      const invocationId = state?.invocationId;
      const log = await readJournalTail(name, { mode: 'system', lines: 20, invocationId });
      assert.ok(log.includes('sh: first'), `${run} run: ${log.join('\n')}`);
      await manager.resetFailed(name);
    }
  });
});

async function signalJournald(signal: string): Promise<void> {
  await runProgram(['systemctl', 'kill', `--signal=${signal}`, 'systemd-journald.service']);
}

test('findLoggedUnits() has the units whose log is not empty', async () => {
  const text = '[Service]\nType=oneshot\nExecStart=/bin/echo %n\n';
  await withUnit({ name: 'job-l@.service', text }, async (manager) => {
    await manager.start('job-l@old.service', {});
    // Of this one systemd speaks alone.
    await assert.rejects(manager.start('job-nothing.service', {}));
    await withUnit({ name: 'job-q.service', text: '[Service]\nExecStart=/none\n' }, () =>
      manager.start('job-q.service', {}).then(() => undefined),
    );
    for (let at = 0; at < 30; at++) await manager.start(`job-l@${at}.service`, {});
    await syncJournal();
    const logged = await findLoggedUnits(new AbortController().signal);
    const options = { mode: 'system', lines: 10, isSynced: true } as const;
    for (const [unit, isLogged] of [
      ['job-l@old.service', true],
      ['job-q.service', true],
      ['job-l@29.service', true],
      ['job-l@30.service', false],
      ['job-nothing.service', false],
    ] as const) {
      const log = await readJournalTail(unit, options);
      assert.deepEqual([log.length > 0, logged?.has(unit)], [isLogged, isLogged], unit);
    }
  });
});

test('readJournalTails() has of each unit what its own log ends with, however much others write', async () => {
  const text = (lines: number): string =>
    `[Service]\nType=oneshot\nExecStart=/bin/sh -c 'for i in $(seq ${lines}); do echo line $i of %n; done'\n`;
  await withUnit({ name: 'job-t@.service', text: text(3) }, async (manager) => {
    const units = Array.from({ length: 24 }, (_, at) => `job-t@${at}.service`);
    for (const unit of units) await manager.start(unit, {});
    await withUnit({ name: 'job-talks.service', text: text(900) }, async () => {
      await manager.start('job-talks.service', {});
    });
    // What anybody may write does not make a line one of that unit.
    await runProgram(['logger', '--journald'], { input: 'UNIT=job-t@3.service\nMESSAGE=forged\n' });
    await syncJournal();
    const asked = ['job-never.service', ...units, 'job-talks.service'];
    const tails = await readJournalTails(asked, { mode: 'system', lines: 10, atOnce: 2 });
    for (const unit of asked) {
      const alone = await readJournalTail(unit, { mode: 'system', lines: 10, isSynced: true });
      assert.deepEqual(tails.get(unit) ?? [], alone, unit);
      assert.equal(alone.length > 0, unit !== 'job-never.service', unit);
    }
    assert.match(tails.get('job-talks.service')?.join('\n') ?? '', /line 900 of job-talks/);
    assert.match(tails.get(units[3] ?? '')?.join('\n') ?? '', /line 3 of job-t@3/);
  });
});

test('start() maps a dependency that fails and a condition that does not hold (F31)', async () => {
  writeFileSync(
    '/etc/systemd/system/job-bad.service',
    '[Service]\nType=oneshot\nExecStart=/bin/false\n',
  );
  const text =
    '[Unit]\nRequires=job-bad.service\nAfter=job-bad.service\n[Service]\nExecStart=/bin/sleep 9\n';
  await withUnit({ name: 'job-d.service', text }, async (manager, name) => {
    assert.deepEqual(await manager.start(name, {}), { result: 'dependency' });
  });
  const conditional = '[Unit]\nConditionPathExists=/none\n[Service]\nExecStart=/bin/sleep 9\n';
  await withUnit({ name: 'job-c.service', text: conditional }, async (manager, name) => {
    assert.deepEqual(await manager.start(name, {}), { result: 'done' });
    // systemd counts this as done: only the state tells.
    assert.equal((await manager.getStates([name]))[0]?.activeState, 'inactive');
  });
});

test('getSummaries() tells what runs, failed and is masked from what is just inactive', async () => {
  const units = '/etc/systemd/system';
  const wanted = `${units}/multi-user.target.wants/job-empty.service`;
  writeFileSync(`${units}/job-up.service`, '[Service]\nType=exec\nExecStart=/bin/sleep 1000\n');
  writeFileSync(`${units}/job-down.service`, '[Service]\nType=oneshot\nExecStart=/bin/false\n');
  // What a power cut leaves of a file that was not synced: systemd takes it as masked.
  writeFileSync(`${units}/job-empty.service`, '');
  symlinkSync('../job-empty.service', wanted);
  const text = '[Timer]\nOnActiveSec=1h\nUnit=job-up.service\n';
  await withUnit({ name: 'job-y.timer', text }, async (manager) => {
    await manager.start('job-up.service', {});
    await manager.start('job-down.service', {});
    await manager.start('job-y.timer', {});
    const asked = ['job-up', 'job-down', 'job-empty', 'job-none'].map((name) => `${name}.service`);
    const many = Array.from({ length: 100 }, (_, index) => `job-none-${index}.service`);
    for (const more of [[], many]) {
      const found = await manager.getSummaries(() => [...asked, 'job-y.timer', ...more]);
      assert.deepEqual(
        found.slice(0, 5).map((state) => [state.unit, state.activeState, state.unitFileState]),
        [
          ['job-up.service', 'active', 'static'],
          ['job-down.service', 'failed', 'static'],
          ['job-empty.service', 'inactive', 'masked'],
          ['job-none.service', 'inactive', ''],
          ['job-y.timer', 'active', 'static'],
        ],
      );
    }
    await manager.stop('job-y.timer', {});
    await manager.stop('job-up.service', {});
    await manager.resetFailed('job-down.service');
    rmSync(wanted);
    rmSync(`${units}/job-empty.service`);
  });
});

test("start() maps systemd's own time-out (F31)", async () => {
  const text = '[Service]\nType=notify\nTimeoutStartSec=300ms\nExecStart=/bin/sleep 1000\n';
  await withUnit({ name: 'job-t.service', text }, async (manager, name) => {
    const { result } = await manager.start(name, {});
    assert.ok(result === 'failed' || result === 'timeout', result);
    assert.equal((await manager.getStates([name]))[0]?.result, 'timeout');
  });
});

test('start() gives up after its own time-out, or when it is told to (F36)', async () => {
  const text = '[Service]\nType=notify\nExecStart=/bin/sleep 1000\n';
  await withUnit({ name: 'job-s.service', text }, async (manager, name) => {
    await assertFails('SYSTEMD_TIMEOUT', () => manager.start(name, { timeoutMs: 200 }));
    const signal = AbortSignal.timeout(200);
    await assertFails('CANCELLED', () => manager.start(name, { signal }));
    // A job that is replaced while somebody waits for it.
    const waiting = manager.start(name, {});
    assert.deepEqual(await manager.stop(name, {}), { result: 'done' });
    assert.deepEqual(await waiting, { result: 'canceled' });
  });
});

test('start() refuses a unit that is masked, not there, or cannot be loaded', async () => {
  const text = '[Service]\nUser=0day bad\nType=oneshot\n';
  await withUnit({ name: 'job-b.service', text }, async (manager, name) => {
    await assertFails('SYSTEMD_CALL_FAILED', () => manager.start(name, {}));
    await assertFails('SYSTEMD_CALL_FAILED', () => manager.start('job-none.service', {}));
  });
});

test('a bus that goes away ends what waits, with one clear error', async () => {
  const text = '[Service]\nType=notify\nExecStart=/bin/sleep 1000\n';
  await withUnit({ name: 'job-l.service', text }, async (manager, name) => {
    const waiting = assertFails('SYSTEMD_UNAVAILABLE', () => manager.start(name, {}));
    // systemd's own socket still takes orders: the bus daemon is killed while the job runs.
    await runProgram(['systemctl', 'kill', '--signal=KILL', 'dbus.service']);
    await waiting;
    await assertFails('SYSTEMD_UNAVAILABLE', () => manager.reload());
  });
});
