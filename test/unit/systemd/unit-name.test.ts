import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

import fc from 'fast-check';

import { parseContainerName } from '../../../src/base/container-name.js';
import {
  escapeUnitPath,
  escapeUnitText,
  instanceOf,
  instanceUnitName,
  parseUnitName,
  templateOf,
  instanceName,
  unescapeUnitText,
  unitNameOf,
} from '../../../src/systemd/unit-name.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';

each(
  'parseUnitName() takes',
  [
    'etcd.service',
    'a@.service',
    'a@b.service',
    'dev-sda1.device',
    '-.mount',
    'x\\x2dy.mount',
    'a@b@c.service',
  ].map((name) => ({ name })),
  ({ name }) => {
    assert.equal(parseUnitName(name), name);
  },
);

each(
  'parseUnitName() refuses',
  [
    '',
    '.service',
    'a',
    'a.foo',
    'a b.service',
    '@x.service',
    'a/b.service',
    'a%n.service',
    `${'x'.repeat(250)}.service`,
    'é.service',
    'a.service\n',
  ].map((name) => ({ name: JSON.stringify(name), text: name })),
  async ({ text }) => {
    await assertFails('NAME_INVALID', () => parseUnitName(text));
  },
);

test('templates and instances', () => {
  const template = parseUnitName('web@.service');
  const instance = instanceUnitName(template, 'a/b c');
  assert.equal(instance, 'web@a-b\\x20c.service');
  assert.equal(templateOf(instance), template);
  assert.equal(instanceOf(instance), 'a-b\\x20c');
  assert.equal(instanceOf(template), '');
  assert.equal(instanceOf(unitNameOf(parseContainerName('web'))), undefined);
  assert.throws(() => instanceUnitName(template, ''));
  assert.throws(() => instanceUnitName(unitNameOf(parseContainerName('web')), 'x'));
});

test('escapeUnitText() and unescapeUnitText() are inverse, and are those of systemd-escape', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const escaped = escapeUnitText(text);
      assert.match(escaped, /^[A-Za-z0-9:_.\\-]*$/);
      assert.equal(unescapeUnitText(escaped), text);
    }),
  );
  for (const text of ['a b', '.hidden', 'a/b', 'x-y', 'é', 'a\\b', ':_.']) {
    const theirs = execFileSync('systemd-escape', ['--', text], { encoding: 'utf8' }).trimEnd();
    assert.equal(escapeUnitText(text), theirs);
  }
  for (const path of ['/', '/var/lib/berth', '//a//b/', '/a.b/-c', '/.x']) {
    const theirs = execFileSync('systemd-escape', ['--path', '--', path], { encoding: 'utf8' });
    assert.equal(escapeUnitPath(path), theirs.trimEnd());
  }
});

test('unescapeUnitText() refuses what was never escaped, escapeUnitPath() what is not normalised', async () => {
  await assertFails('NAME_INVALID', () => unescapeUnitText('a\\b'));
  await assertFails('NAME_INVALID', () => escapeUnitPath('/a/../b'));
});

each(
  'instanceName() of',
  [
    { name: 'no instance', unit: 'my-web.service', want: 'my-web' },
    { name: 'a plain one', unit: 'web@x.service', want: 'web@x' },
    { name: 'one with a slash', unit: 'web@a-b.service', want: 'web@a/b' },
    { name: 'one with a hyphen', unit: 'web@eu\\x2d1.service', want: 'web@eu-1' },
    { name: 'what was never escaped', unit: 'web@a\\b.service', want: 'web@a\\b' },
    { name: 'what would be another one', unit: 'web@\\x61.service', want: 'web@\\x61' },
  ],
  ({ unit, want }) => {
    assert.equal(instanceName(unit), want);
  },
);
