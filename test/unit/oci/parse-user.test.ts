import assert from 'node:assert/strict';

import { parseImageUser } from '../../../src/oci/parse-user.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';

const id = (number: number) => ({ kind: 'id', id: number });
const named = (text: string) => ({ kind: 'name', name: text });

each(
  'parseImageUser() takes',
  [
    { name: 'nothing as root', text: '', user: id(0), group: undefined },
    { name: 'a number', text: '1000', user: id(1000), group: undefined },
    { name: 'two numbers', text: '1000:50', user: id(1000), group: id(50) },
    { name: 'a number with zeros in front', text: '0070', user: id(70), group: undefined },
    { name: 'the largest number', text: '2147483647', user: id(2147483647), group: undefined },
    { name: 'a name', text: 'etcd', user: named('etcd'), group: undefined },
    { name: 'a name and a group', text: 'etcd:wheel', user: named('etcd'), group: named('wheel') },
    { name: 'a machine account', text: 'host$', user: named('host$'), group: undefined },
  ],
  ({ text, user, group }) => {
    assert.deepEqual(parseImageUser(text), { user, group });
  },
);

each(
  'parseImageUser() refuses M27',
  [
    { name: '2^32', text: '4294967296' },
    { name: '2^31', text: '2147483648:0' },
    { name: 'a group of 2^31', text: '0:2147483648' },
    { name: '-1', text: '-1' },
    { name: 'a space in front', text: ' 0' },
    { name: 'a space behind', text: '0 ' },
    { name: 'hexadecimal', text: '0x0' },
    { name: 'an empty group', text: '1000:' },
    { name: 'an empty user', text: ':0' },
    { name: 'a third part', text: '1:2:3' },
    { name: 'a fraction', text: '1.5' },
    { name: 'an exponent', text: '1e3' },
    { name: 'digits of another script', text: '١' },
    { name: 'a newline', text: 'root\nx' },
    { name: 'a path', text: '../root' },
    { name: 'a number of 400 digits', text: '9'.repeat(400) },
  ],
  async ({ text }) => {
    await assertFails('IMAGE_CONFIG_INVALID', () => parseImageUser(text));
  },
);
