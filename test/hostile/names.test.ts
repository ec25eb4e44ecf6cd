import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync } from 'node:fs';
import { test } from 'node:test';

import { isTemplateName, parseContainerName } from '../../src/base/container-name.js';
import { findContainer, listContainerNames } from '../../src/containers/container-directory.js';
import { parseReference } from '../../src/oci/reference.js';
import { escapeUnitText, instanceUnitName, parseUnitName } from '../../src/systemd/unit-name.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { pathsInFolder } from '../support/host-tree-paths.js';
import { runOk } from '../support/run-command.js';
import { TempDir } from '../support/temp-dir.js';

/** What a name goes through where nobody thought of it: it becomes a path, a unit and an argument. */
function naiveUnit(name: string): string {
  return `/etc/systemd/system/${name}.service`;
}

each(
  'a name is refused',
  [
    { name: 'N02 an option', text: '-f' },
    { name: 'N02 a long option', text: '--now' },
    { name: 'N03 a leading dot', text: '.x' },
    { name: 'N04 a deployment', text: 'x.0' },
    { name: 'N04 another deployment', text: 'x.1' },
    { name: 'N04 a deployment of a deployment', text: 'x.0.1' },
    { name: 'N05 a deployment of foo', text: 'foo.0' },
    { name: 'N04 a deployment of a template', text: 'x.0@' },
    { name: 'N07 an instance', text: 'x@y' },
    { name: 'N07 two of them', text: 'x@@' },
    { name: 'N07 no name before it', text: '@' },
    { name: 'N07 an instance of an instance', text: 'x@y@' },
    { name: 'N08 201 characters', text: 'x'.repeat(201) },
    { name: 'N09 no ASCII', text: 'größe' },
    { name: 'N09 a blank', text: 'a b' },
    { name: 'N09 a line break', text: 'a\nb' },
    { name: 'N09 a NUL', text: 'a\0b' },
    { name: 'N09 a backslash', text: 'a\\x20b' },
    { name: 'N09 a specifier', text: 'a%n' },
    { name: 'N09 a colon', text: 'a:b' },
    { name: 'N09 a path', text: '../etc/x' },
    { name: 'N10 an instance of a vendor unit', text: 'getty@tty1' },
    { name: 'N13 a place of berth', text: '.store' },
    { name: 'N13 a unit of berth', text: 'berth-recover' },
    { name: 'N13 a unit name', text: 'x.service' },
    { name: 'N13 a template’s unit name', text: 'x@.service' },
  ],
  async ({ text }) => {
    await assertFails('NAME_INVALID', () => parseContainerName(text));
    assert.ok(naiveUnit(text).includes(text), 'the positive control takes it as it is');
  },
);

test('N08 200 characters are taken, and NAME@ is a template', () => {
  assert.equal(parseContainerName('x'.repeat(200)).length, 200);
  assert.ok(isTemplateName(parseContainerName('web@')));
  assert.ok(!isTemplateName(parseContainerName('web')));
});

test('N12 what stands where a NAME link would is never followed and never taken for a container', async () => {
  using dir = new TempDir();
  const paths = pathsInFolder(dir.path);
  const state = `${dir.path}/var/lib/berth`;
  mkdirSync(`${state}/folder`, { recursive: true });
  symlinkSync('gone.0', `${state}/gone`);
  symlinkSync('../../../etc', `${state}/outside`);
  symlinkSync('other.0', `${state}/mine`);
  for (const name of ['folder', 'gone', 'outside', 'mine'])
    await assertFails('CONTAINER_STATE_INVALID', () => findContainer(paths, name));
  assert.ok(!(await listContainerNames(paths)).includes('folder'));
});

each(
  'a reference is refused',
  [
    { name: 'N14 upper case', text: 'registry.example/Etcd' },
    { name: 'N14 a tag of 300 characters', text: `etcd:${'t'.repeat(300)}` },
    { name: 'N14 a short digest', text: 'etcd@sha256:abc' },
    { name: 'N14 nothing before the tag', text: ':latest' },
  ],
  async ({ text }) => {
    await assertFails('REFERENCE_INVALID', () => parseReference(text));
  },
);

test('N14 a tag and a digest: the digest is kept beside it', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const parsed = parseReference(`registry.example/a/b:1@${digest}`);
  assert.equal(parsed.tag, '1');
  assert.equal(parsed.digest, digest);
});

test('N07 instances are escaped as systemd-escape(1) escapes them', async () => {
  const template = parseUnitName('web@.service');
  for (const text of ['one', 'a b', 'a/b', '.hidden', 'größe', 'a-b', 'a\\b', '%i', 'x.0', '@']) {
    const expected = (await runOk(['systemd-escape', '--template=web@.service', text])).trim();
    assert.equal(instanceUnitName(template, text), expected, text);
    assert.equal(escapeUnitText(text), (await runOk(['systemd-escape', '--', text])).trim());
  }
});
