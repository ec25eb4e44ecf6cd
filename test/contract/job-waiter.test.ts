import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';

import { Bus, DBusCallError } from '../../src/systemd/bus.js';
import { asString } from '../../src/systemd/bus-values.js';
import { JobWaiter } from '../../src/systemd/job-waiter.js';
import { MANAGER } from '../../src/systemd/manager-address.js';
import { JOB_RESULTS, type JobOptions, type JobOutcome } from '../../src/systemd/unit-manager.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { FakeSystemd, type FakeMethod } from '../support/fake-systemd.js';
import { TempDir } from '../support/temp-dir.js';

// What a systemd may do that a healthy one seldom does; the healthy one is in dbus-unit-manager.ts.

const JOB = '/org/freedesktop/systemd1/job/7';

async function startOn(startUnit: FakeMethod, options: JobOptions = {}): Promise<JobOutcome> {
  await using fake = await FakeSystemd.start({ StartUnit: startUnit });
  await using bus = await Bus.connect(fake.socket);
  await using jobs = await JobWaiter.start(bus, undefined);
  return await jobs.run('StartUnit x.service', options, async () => {
    const reply = await bus.call({
      ...MANAGER,
      member: 'StartUnit',
      signature: 'ss',
      body: ['x.service', 'replace'],
    });
    return asString(reply[0]);
  });
}

each(
  'F31 a job may end',
  JOB_RESULTS.map((name) => ({ name })),
  async ({ name }) => {
    const outcome = await startOn((fake, call) => {
      fake.reply(call, { signature: 'o', body: [JOB] });
      fake.endJob(JOB, name);
    });
    assert.deepEqual(outcome, { result: name });
  },
);

test('a job that ends before its name is known is not waited for', async () => {
  const outcome = await startOn(
    (fake, call) => {
      fake.endJob(JOB, 'done');
      fake.reply(call, { signature: 'o', body: [JOB] });
    },
    { timeoutMs: 30_000 },
  );
  assert.deepEqual(outcome, { result: 'done' });
});

test('the ends of other jobs are not taken for the own one, however many there are', async () => {
  const outcome = await startOn(
    (fake, call) => {
      for (let other = 100; other < 1_300; other += 1) {
        fake.endJob(`/org/freedesktop/systemd1/job/${other}`, 'failed');
      }
      fake.reply(call, { signature: 'o', body: [JOB] });
      fake.endJob(JOB, 'done');
    },
    { timeoutMs: 30_000 },
  );
  assert.deepEqual(outcome, { result: 'done' });
});

test('what another user of the bus says of a job is not believed', async () => {
  const outcome = await startOn(
    (fake, call) => {
      void fake.endJobAsStranger(call, JOB, 'failed').then(() => {
        fake.reply(call, { signature: 'o', body: [JOB] });
        setTimeout(() => {
          fake.endJob(JOB, 'done');
        }, 50);
      });
    },
    { timeoutMs: 30_000 },
  );
  assert.deepEqual(outcome, { result: 'done' });
});

test('a systemd that executes itself again tells of jobs by another connection', async () => {
  const outcome = await startOn(
    (fake, call) => {
      fake.reply(call, { signature: 'o', body: [JOB] });
      setTimeout(() => {
        void fake.reexecute().then(() => {
          fake.endJob(JOB, 'done');
        });
      }, 50);
    },
    { timeoutMs: 30_000 },
  );
  assert.deepEqual(outcome, { result: 'done' });
});

test('F36 a job that never ends is given up after the time-out', async () => {
  await assertFails('SYSTEMD_TIMEOUT', () =>
    startOn(
      (fake, call) => {
        fake.reply(call, { signature: 'o', body: [JOB] });
      },
      { timeoutMs: 100 },
    ),
  );
});

test('a bus that goes away before the reply, or after it, ends the wait', async () => {
  await assertFails('SYSTEMD_UNAVAILABLE', () =>
    startOn((fake) => {
      void fake.killBus();
    }),
  );
  await assertFails('SYSTEMD_UNAVAILABLE', () =>
    startOn((fake, call) => {
      fake.reply(call, { signature: 'o', body: [JOB] });
      setTimeout(() => void fake.killBus(), 50);
    }),
  );
});

test('answers outside of the interface are told as such', async () => {
  await assertFails('SYSTEMD_PROTOCOL', () =>
    startOn((fake, call) => {
      fake.reply(call, { signature: 'u', body: [7] });
    }),
  );
  await assertFails('SYSTEMD_PROTOCOL', () =>
    startOn((fake, call) => {
      fake.reply(call, { signature: 'o', body: [JOB] });
      fake.endJob(JOB, 'exploded');
    }),
  );
});

test('F28 a call that systemd refuses keeps its name, and cannot write on the terminal', async () => {
  const error = await assertFails('SYSTEMD_CALL_FAILED', () =>
    startOn((fake, call) => {
      fake.fail(call, {
        name: 'org.freedesktop.DBus.Error.LimitsExceeded',
        text: 'Reload() request rejected\u001b[2J',
      });
    }),
  );
  assert.ok(error instanceof DBusCallError);
  assert.equal(error.errorName, 'org.freedesktop.DBus.Error.LimitsExceeded');
  assert.doesNotMatch(error.message, /\u001b/);
});

test('a bus that does not answer is given up, and one that is not there is told', async () => {
  await using fake = await FakeSystemd.start({});
  await using bus = await Bus.connect(fake.socket);
  await assertFails('SYSTEMD_TIMEOUT', () =>
    bus.call(
      {
        destination: 'org.freedesktop.systemd1',
        path: '/org/freedesktop/systemd1',
        interface: 'org.freedesktop.systemd1.Manager',
        member: 'Reload',
      },
      { timeoutMs: 100 },
    ),
  );
  await assertFails('SYSTEMD_UNAVAILABLE', () => Bus.connect(`${fake.socket}-none`));
});

test('what waits when the connection is closed fails at once', async () => {
  await using fake = await FakeSystemd.start({});
  const bus = await Bus.connect(fake.socket);
  const call = bus.call({ ...MANAGER, member: 'Reload' });
  const other = bus.waitFor(new Promise(() => undefined), { what: 'nothing' });
  await bus[Symbol.asyncDispose]();
  await assertFails('SYSTEMD_UNAVAILABLE', () => call);
  await assertFails('SYSTEMD_UNAVAILABLE', () => other);
});

test('a bus that lets nobody in is told as such, however its answer comes', async () => {
  using directory = new TempDir();
  const socket = `${directory.path}/bus`;
  const server = createServer((connection) => {
    connection.on('error', () => undefined);
    connection.write('REJECTED ');
    setTimeout(() => connection.write('ANONYMOUS\r\n'), 20);
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  try {
    const error = await assertFails('SYSTEMD_UNAVAILABLE', () => Bus.connect(socket));
    assert.match(error.message, /bus: it does not let us in: REJECTED ANONYMOUS$/);
  } finally {
    server.close();
  }
});
