import assert from 'node:assert/strict';

import { resolveImageUser } from '../../../src/runtime/image-user.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';

const files = {
  passwd: [
    'root:x:0:0:root:/root:/bin/sh',
    '1000:x:0:0:a name of digits:/:/bin/sh',
    'web:x:33:34::/srv/web:/x',
    'broken:x:abc:0::/:/x',
    'huge:x:4294967296:0::/:/x',
    'short:x',
  ].join('\n'),
  group: ['root:x:0:', '7:x:0:', 'adm:x:4:web,other', 'log:x:40:web', 'bad:x:-1:web'].join('\n'),
};

each<{ name: string; user: string; want: [number, number, readonly number[]] }>(
  'resolveImageUser() takes',
  [
    { name: 'nothing as root', user: '', want: [0, 0, []] },
    { name: 'a number that is nobody', user: '77', want: [77, 0, []] },
    { name: 'a number with its account', user: '33', want: [33, 34, [4, 40]] },
    { name: 'a name', user: 'web', want: [33, 34, [4, 40]] },
    { name: 'a name and a group by name', user: 'web:log', want: [33, 40, []] },
    { name: 'numbers of both', user: '5:6', want: [5, 6, []] },
    // CVE-2016-3697: an image whose passwd has an account "1000" with uid 0.
    { name: 'C11 digits as a number, never as a name', user: '1000', want: [1000, 0, []] },
    { name: 'C11 digits as a number of a group too', user: '1000:7', want: [1000, 7, []] },
    { name: 'the largest id there is', user: '4294967294', want: [4294967294, 0, []] },
  ],
  ({ user, want }) => {
    const { uid, gid, groups } = resolveImageUser(user, files);
    assert.deepEqual([uid, gid, groups], want);
  },
);

each<{ name: string; user: string }>(
  'M27 resolveImageUser() refuses',
  [
    { name: 'a number of 33 bits', user: '4294967296' },
    { name: 'the number that means no change', user: '4294967295' },
    { name: 'a negative number', user: '-1' },
    { name: 'a space before', user: ' 0' },
    { name: 'a sign before', user: '+0' },
    { name: 'hexadecimal', user: '0x0' },
    { name: 'an empty group', user: '1000:' },
    { name: 'a group of 33 bits', user: '1:4294967296' },
    { name: 'a number with more digits than fit', user: '00000000000000000000000001' },
    { name: 'a name that is not there', user: 'nobody' },
    { name: 'a group that is not there', user: 'web:nobody' },
    { name: 'an account with a damaged number', user: 'broken' },
    { name: 'an account with a number that does not fit', user: 'huge' },
    { name: 'an account cut short', user: 'short' },
  ],
  async ({ user }) => {
    await assertFails('RUNTIME_CONFIG_INVALID', () => resolveImageUser(user, files));
  },
);
