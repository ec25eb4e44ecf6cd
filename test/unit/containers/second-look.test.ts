import assert from 'node:assert/strict';

import { lookAgain, lookFirst } from '../../../src/containers/second-look.js';
import type { UnitState } from '../../../src/systemd/unit-manager.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { folderHost } from '../../support/folder-host.js';
import { runningManager } from '../../support/running-manager.js';
import { TempDir } from '../../support/temp-dir.js';

interface Row {
  readonly name: string;
  /** What systemd says right after the start. */
  readonly first?: Partial<UnitState>;
  /** And a moment later. */
  readonly now: Partial<UnitState>;
  readonly want: 'up' | 'ended' | RegExp;
  /** Whether it is worth a wait. */
  readonly waits: boolean;
}

/** What a state is unless a row says otherwise. */
const ACTIVE = { activeState: 'active', subState: 'running', serviceType: 'simple', restarts: 2 };

each<Row>(
  'lookAgain() tells of a service that',
  [
    { name: 'stays up', now: {}, want: 'up', waits: true },
    {
      name: 'fails at once',
      now: { activeState: 'failed', result: 'exit-code', execMainCode: 1, execMainStatus: 3 },
      want: /^web\.service: it failed \(result 'exit-code', its program ended with status 3\)$/,
      waits: true,
    },
    {
      name: 'failed before it was looked at',
      first: { activeState: 'failed', result: 'exit-code' },
      now: { activeState: 'failed', result: 'exit-code' },
      want: /it failed/,
      waits: true,
    },
    {
      name: 'waits to be restarted',
      now: { activeState: 'activating', subState: 'auto-restart', result: 'exit-code' },
      want: /it did not stay up/,
      waits: true,
    },
    {
      name: 'was restarted since',
      now: { restarts: 3 },
      want: /systemd had to restart it/,
      waits: true,
    },
    {
      name: 'ended well',
      first: { serviceType: 'exec' },
      now: { activeState: 'inactive', subState: 'dead' },
      want: 'ended',
      waits: true,
    },
    {
      name: 'said itself that it is ready',
      first: { serviceType: 'notify' },
      now: { activeState: 'failed' },
      want: 'up',
      waits: false,
    },
    {
      name: 'did its work within its start',
      first: { serviceType: 'oneshot', activeState: 'inactive' },
      now: {},
      want: 'ended',
      waits: false,
    },
  ],
  async ({ first = {}, now, want, waits }) => {
    using dir = new TempDir();
    const manager = runningManager(dir.path, ['web.service']);
    const told = [first, now];
    await using host = folderHost(dir.path, {
      ...manager,
      getStates: async (units) =>
        (await manager.getStates(units)).map((state) => ({ ...state, ...ACTIVE, ...told.shift() })),
    });
    const fresh = await lookFirst(host, 'web.service');
    assert.ok(fresh !== undefined);
    if (typeof want === 'string') assert.equal(await lookAgain(host, fresh), want);
    else
      assert.match(
        (await assertFails('UNIT_JOB_FAILED', () => lookAgain(host, fresh))).message,
        want,
      );
    assert.equal(told.length === 0, waits, 'asked a second time');
  },
);
