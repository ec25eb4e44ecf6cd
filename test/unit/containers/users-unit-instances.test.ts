import { assertInstancesMade } from '../../../src/containers/users-unit.js';
import { parseUnit } from '../../../src/systemd/unit-text.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';

const state = '/home/u/.local/share';

each(
  'an instance of a user has what it binds',
  [
    { name: 'bound', directory: 'web/%i', source: `${state}/web/{instance}`, isTaken: false },
    { name: 'below', directory: 'a b/%I', source: `${state}/b/{instance}/c`, isTaken: false },
    { name: 'shared', directory: 'web', source: `${state}/web`, isTaken: true },
    {
      name: 'in the place of the manager',
      directory: 'web/%i',
      source: '/home/u/.local/state/web/{instance}',
      isTaken: true,
    },
    { name: 'not bound', directory: 'web/%i', source: '/srv/web', isTaken: true },
  ],
  async ({ directory, source, isTaken }) => {
    const unit = parseUnit(`[Service]\nStateDirectory=${directory}\n`);
    const check = (): void => {
      assertInstancesMade(unit, { sources: [source], state, managers: '/home/u/.local/state' });
    };
    if (isTaken) check();
    else await assertFails('UNIT_INVALID', check);
  },
);
