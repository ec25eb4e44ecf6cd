import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { parseReference, type QualifiedReference } from '../../../src/oci/reference.js';
import { loadRegistriesD, parseRegistriesD, placesFor } from '../../../src/trust/registries-d.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { TempDir } from '../../support/temp-dir.js';

/** Debian's default.yaml, in short, and what the manual page shows. */
const USUAL = `# This is a default registries.d configuration file.
#
---
default-docker:
#  lookaside: https://privateregistry.com/sigstore/
  lookaside-staging: file:///var/lib/containers/sigstore  # staging

docker:
    registry.example.com:
        lookaside: https://lookaside.example.com
    "quoted.example:5000/ns":
        'lookaside' : 'file:///mnt/it''s here'
        use-sigstore-attachments: true
    docker.io/contoso:
        sigstore: https://contoso.example/old   # the old name
        sigstore-staging: file:///mnt/staging
    empty.example:
    localhost:5000/a:tag: {}
`.replace(
  '    localhost:5000/a:tag: {}\n',
  '    localhost:5000/a:tag:\n        use-sigstore-attachments: off\n',
);

const identity = (text: string) => ({
  transport: 'docker' as const,
  reference: parseReference(text) as QualifiedReference,
});

each(
  'where the signatures are',
  [
    {
      name: 'registry.example.com/a/b:1',
      lookaside: 'https://lookaside.example.com',
      staging: 'https://lookaside.example.com',
      attachments: false,
    },
    {
      name: 'quoted.example:5000/ns/x:1',
      lookaside: "file:///mnt/it's here",
      staging: "file:///mnt/it's here",
      attachments: true,
    },
    {
      name: 'docker.io/contoso/x:1',
      lookaside: 'https://contoso.example/old',
      staging: 'file:///mnt/staging',
      attachments: false,
    },
    {
      name: 'empty.example/x:1',
      lookaside: 'file:///var/lib/containers/sigstore',
      staging: 'file:///var/lib/containers/sigstore',
      attachments: false,
    },
    {
      name: 'localhost:5000/a:tag',
      lookaside: 'file:///var/lib/containers/sigstore',
      staging: 'file:///var/lib/containers/sigstore',
      attachments: false,
    },
  ],
  ({ name, ...places }) => {
    assert.deepEqual(placesFor(parseRegistriesD(USUAL, 'default.yaml'), identity(name)), places);
  },
);

test('files are read together, and may not speak of the same', async () => {
  using folder = new TempDir();
  const write = (name: string, text: string): void => {
    writeFileSync(join(folder.path, name), text);
  };
  write('a.yaml', 'docker:\n  a.example:\n    lookaside: https://a.example/a\n');
  write('b.yaml', 'docker:\n  b.example:\n    lookaside: https://b.example/b\n');
  write('c.yml', 'this is not read: [');
  const conf = await loadRegistriesD(folder.path);
  assert.deepEqual([...conf.scopes.keys()], ['a.example', 'b.example']);
  assert.equal(conf.files.get('b.example'), join(folder.path, 'b.yaml'));
  write('c.yaml', 'docker:\n  A.example:\n    lookaside: https://evil.example/a\n');
  await assertFails('CONFIG_INVALID', () => loadRegistriesD(folder.path));
  const none = await loadRegistriesD(join(folder.path, 'none'));
  assert.equal(none.scopes.size, 0);
});

each(
  'what is no plain YAML of settings is refused, in one line',
  [
    { name: 'a list', text: 'docker:\n  - a\n' },
    { name: 'a list in flow style', text: 'docker: [a.example]\n' },
    { name: 'an anchor', text: 'docker: &a\n  b.example:\n' },
    { name: 'an alias', text: 'docker:\n  b.example: *a\n' },
    { name: 'a tag', text: 'docker: !!map\n' },
    { name: 'a merge key', text: 'docker:\n  b.example:\n    <<: x\n    lookaside: [1]\n' },
    {
      name: 'a text of several lines',
      text: 'docker:\n  b.example:\n    lookaside: |\n      https://a\n',
    },
    {
      name: 'a text that goes on',
      text: 'docker:\n  b.example:\n    lookaside: https://a\n      b\n',
    },
    { name: 'a tab', text: 'docker:\n\tb.example:\n' },
    { name: 'a key twice', text: 'docker:\n  b.example:\n  "b.example":\n' },
    { name: 'a text and settings', text: 'docker: a\n  b.example:\n' },
    { name: 'less indentation than at first', text: '  docker:\nb:\n' },
    { name: 'uneven indentation', text: 'docker:\n    a.example:\n  b.example:\n' },
    { name: 'no colon', text: 'docker\n' },
    { name: 'two documents', text: 'docker:\n---\ndocker:\n' },
    { name: 'an open quote', text: 'docker:\n  "b.example:\n' },
    { name: 'an escape', text: 'docker:\n  "b\\x41":\n' },
    { name: 'a mapping in a text', text: 'docker:\n  a: b: c\n' },
    { name: 'a control character', text: 'docker:\n  a: b\u0007\n' },
    { name: 'a question mark', text: '? docker\n: a\n' },
    { name: 'depth', text: 'docker:\n a:\n  b:\n   c: d\n' },
  ],
  async ({ text }) => {
    const error = await assertFails('CONFIG_INVALID', () => parseRegistriesD(text, 'x.yaml'));
    assert.match(error.message, /^x\.yaml/);
    assert.ok(!error.message.includes('\n'));
  },
);

each(
  'settings that berth does not know are refused',
  [
    { name: 'a section', text: 'atomic:\n  a.example:\n' },
    { name: 'a setting', text: 'docker:\n  a.example:\n    look-aside: https://a\n' },
    { name: 'ftp', text: 'docker:\n  a.example:\n    lookaside: ftp://a/b\n' },
    {
      name: 'a control character',
      text: 'docker:\n  a.example:\n    lookaside: https://a/\u0007\n',
    },
    { name: 'a path', text: 'docker:\n  a.example:\n    lookaside: /var/lib\n' },
    { name: 'a file of another host', text: 'docker:\n  a.example:\n    lookaside: file://b/c\n' },
    { name: 'a slash in disguise', text: 'docker:\n  a.example:\n    lookaside: file:///b%2fc\n' },
    { name: 'half an escape', text: 'docker:\n  a.example:\n    lookaside: file:///b%zz\n' },
    { name: 'a password', text: 'docker:\n  a.example:\n    lookaside: https://u:p@a/b\n' },
    { name: 'a truth', text: 'docker:\n  a.example:\n    use-sigstore-attachments: maybe\n' },
    { name: 'a text for settings', text: 'docker:\n  a.example: https://a\n' },
    { name: 'settings for a text', text: 'default-docker:\n  lookaside:\n    a: b\n' },
  ],
  async ({ text }) => {
    await assertFails('CONFIG_INVALID', () => parseRegistriesD(text, 'x.yaml'));
  },
);
