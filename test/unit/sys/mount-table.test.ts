import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseMountTable, readMountTable } from '../../../src/sys/mount-table.js';

test('a line of mountinfo is read with and without optional fields, and with what is escaped', () => {
  const lines = [
    '21 28 0:20 / /proc rw,nosuid shared:5 - proc proc rw',
    '40 28 8:1 /a\\040b//deleted /mnt/x\\011y\\012z\\134 ro master:1 propagate_from:2 - ext4 /dev/sda1 rw,errors=remount-ro',
    '41 28 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct',
    'nothing of the kind',
    '',
  ];
  assert.deepEqual(parseMountTable(lines.join('\n')), [
    { root: '/', place: '/proc', type: 'proc', options: 'rw' },
    {
      root: '/a b//deleted',
      place: '/mnt/x\ty\nz\\',
      type: 'ext4',
      options: 'rw,errors=remount-ro',
    },
    { root: '/', place: '/sys/fs/cgroup/cpu', type: 'cgroup', options: 'rw,cpu,cpuacct' },
  ]);
});

test('the mounts of this process have its root and /proc', () => {
  const places = readMountTable().map(({ place }) => place);
  assert.ok(places.includes('/'));
  assert.ok(places.includes('/proc'));
});
