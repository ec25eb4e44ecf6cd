import assert from 'node:assert/strict';

import { gainedPermissions } from '../../../src/containers/gained-permissions.js';
import { each } from '../../support/each.js';
import { bind, mounts, side, type Sketch } from '../../support/permitted-sketch.js';

const OWNERS = {
  uidMappings: [{ containerID: 1000, hostID: 0, size: 1 }],
  gidMappings: [{ containerID: 1000, hostID: 0, size: 1 }],
};
const sysfs = (destination: string): object => ({
  destination,
  type: 'sysfs',
  source: 'sysfs',
  options: ['ro'],
});
each<{ name: string; before: Sketch; after: Sketch; want: readonly string[] }>(
  'of mounts, gainedPermissions() tells',
  [
    {
      name: 'another folder of the host',
      before: mounts(bind('/srv/a', [])),
      after: mounts(bind('/srv/a', []), bind('/srv/b', ['ro'], '/y')),
      want: ['mount /srv/b at /y, read-only'],
    },
    {
      name: 'a folder below one that it had: a link in there may lead anywhere',
      before: mounts(bind('/srv/a', [])),
      after: mounts(bind('/srv/a/b', [])),
      want: ['mount /srv/a/b at /x'],
    },
    {
      name: 'a mount that may be written now',
      before: mounts(bind('/srv/a', ['ro'])),
      after: mounts(bind('/srv/a', ['rw'])),
      want: ['mount /srv/a at /x'],
    },
    {
      name: 'nothing of one that may not any more, or stands elsewhere',
      before: mounts(bind('/srv/a', ['rw'])),
      after: mounts(bind('/srv/a/', ['ro'], '/y')),
      want: [],
    },
    {
      name: 'a mount whose words were made to look like another',
      before: mounts(bind('/etc at /x', [], '/y')),
      after: mounts(bind('/etc', [], '/x at /y')),
      want: ['mount /etc at /x at /y'],
    },
    {
      name: 'owners that are mapped otherwise',
      before: mounts(bind('/srv/a', [])),
      after: mounts({
        ...bind('/srv/a', []),
        uidMappings: [{ containerID: 1000, hostID: 0, size: 1 }],
        gidMappings: [{ containerID: 1000, hostID: 0, size: 1 }],
      }),
      want: ['mount /srv/a at /x'],
    },
    {
      name: 'owners that the namespace of the container maps',
      before: mounts(bind('/srv/a', [])),
      after: mounts(bind('/srv/a', ['idmap'])),
      want: ['mount /srv/a at /x (idmap)'],
    },
    {
      name: 'nothing of a word that maps of its own do not need',
      before: mounts({ ...bind('/srv/a', []), ...OWNERS }),
      after: mounts({ ...bind('/srv/a', ['idmap']), ...OWNERS }),
      want: [],
    },
    {
      name: 'a remount that makes a mount writable',
      before: mounts(bind('/srv/a', ['ro'])),
      after: mounts(bind('/srv/a', ['ro']), { destination: '/x', options: ['remount', 'rw'] }),
      want: ['mount at /x changed (remount,rw)'],
    },
    {
      name: 'mounts that reach the host',
      before: mounts(bind('/srv/a', [])),
      after: mounts(bind('/srv/a', ['rshared'])),
      want: ['mounts below /srv/a reach the host'],
    },
    {
      name: 'file systems of the kernel',
      before: {},
      after: mounts(
        { destination: '/dbg', type: 'debugfs', source: 'debugfs' },
        { destination: '/t', type: 'tmpfs', source: 'tmpfs' },
      ),
      want: ['mount of debugfs debugfs at /dbg ()'],
    },
    {
      name: 'another sysfs: what is masked is so at its place alone',
      before: mounts(sysfs('/sys')),
      after: mounts(sysfs('/sys/'), sysfs('/sys2')),
      want: ['mount of sysfs sysfs at /sys2 (ro)'],
    },
    {
      name: 'nothing of one that it had there',
      before: mounts(sysfs('/sys2')),
      after: mounts(sysfs('/sys'), sysfs('/sys2/')),
      want: [],
    },
  ],
  ({ before, after, want }) => {
    assert.deepEqual(gainedPermissions(side(before), side(after)), want);
  },
);
