import assert from 'node:assert/strict';

import { parseContainerName } from '../../../src/base/container-name.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';

each(
  'parseContainerName() takes',
  [
    'etcd',
    'a',
    '9',
    'net-snmp',
    'open_vm.tools',
    'x.0a',
    'X',
    'a.0.b',
    'lock',
    'store',
    'x'.repeat(200),
  ].map((name) => ({ name })),
  ({ name }) => {
    assert.equal(parseContainerName(name), name);
  },
);

each(
  'parseContainerName() refuses',
  [
    { name: 'N02 an option', text: '--now' },
    { name: 'N02 a short option', text: '-f' },
    { name: 'N03 a leading dot', text: '.-x' },
    { name: 'N04 N05 a deployment', text: 'x.0' },
    { name: 'N04 a deployment of a deployment', text: 'x.0.1' },
    { name: 'N07 an instance', text: 'x@y' },
    { name: 'N08 201 characters', text: 'x'.repeat(201) },
    { name: 'N09 beyond ASCII', text: 'café' },
    { name: 'N09 a blank', text: 'a b' },
    { name: 'N09 a newline at the end', text: 'a\n' },
    { name: 'N09 a NUL', text: 'a\0' },
    { name: 'N09 a backslash', text: 'a\\b' },
    { name: 'N09 a percent sign', text: 'a%n' },
    { name: 'N09 a colon', text: 'a:b' },
    { name: 'a slash', text: 'a/b' },
    { name: 'nothing', text: '' },
    { name: 'dots', text: '..' },
    { name: 'a dot at the end', text: 'a.' },
    { name: 'the drop-ins of all that begin so', text: 'system-' },
    { name: 'the name of a unit', text: 'etcd.service' },
    { name: "berth's own", text: 'berth-recover' },
  ],
  async ({ text }) => {
    await assertFails('NAME_INVALID', () => parseContainerName(text));
  },
);
