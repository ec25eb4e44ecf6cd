import assert from 'node:assert/strict';
import { constants, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { openFileContexts } from '../../../src/sys/file-contexts.js';
import { each } from '../../support/each.js';
import { assertFails } from '../../support/assert-fails.js';
import { runCommand } from '../../support/run-command.js';
import { TempDir } from '../../support/temp-dir.js';

/** As a policy has them: rules, the administrator's own, and paths that count as others. */
const RULES = {
  file_contexts: `/.*\tsystem_u:object_r:default_t:s0
/etc(/.*)?\tsystem_u:object_r:etc_t:s0
/usr/lib/systemd/system(/.*)?\tsystem_u:object_r:systemd_unit_file_t:s0
/usr/libexec(/.*)?\tsystem_u:object_r:bin_t:s0
/var/lib(/.*)?\tsystem_u:object_r:var_lib_t:s0
/var/lib/alias\t-l\tsystem_u:object_r:alias_t:s0
/var/lib/theirs(/.*)?\t<<none>>
`,
  'file_contexts.local': '/var/lib/site(/.*)?\tsystem_u:object_r:site_t:s0\n',
  'file_contexts.subs_dist': '/etc/systemd/system /usr/lib/systemd/system\n',
};

function policyFolder(): TempDir {
  const folder = new TempDir();
  for (const [name, text] of Object.entries(RULES)) writeFileSync(`${folder.path}/${name}`, text);
  return folder;
}

const { S_IFREG, S_IFDIR, S_IFLNK } = constants;

each(
  'openFileContexts() finds what a policy says of a path',
  [
    { name: 'a rule', path: '/etc/thing.conf', type: S_IFREG, want: 'etc_t' },
    { name: 'the last that fits', path: '/var/lib/thing', type: S_IFDIR, want: 'var_lib_t' },
    { name: 'of a kind', path: '/var/lib/alias', type: S_IFLNK, want: 'alias_t' },
    { name: 'of another kind', path: '/var/lib/alias', type: S_IFREG, want: 'var_lib_t' },
    { name: "the administrator's", path: '/var/lib/site/x', type: S_IFREG, want: 'site_t' },
    {
      name: 'a path that counts as another',
      path: '/etc/systemd/system/etcd.service',
      type: S_IFREG,
      want: 'systemd_unit_file_t',
    },
    { name: 'left to others', path: '/var/lib/theirs/x', type: S_IFREG, want: undefined },
  ],
  ({ path, type, want }) => {
    using folder = policyFolder();
    using contexts = openFileContexts(`${folder.path}/file_contexts`);
    const context = want === undefined ? undefined : `system_u:object_r:${want}:s0`;
    assert.equal(contexts.lookUp(path, type | 0o644), context);
  },
);

test('openFileContexts() refuses what is not there', async () => {
  using folder = policyFolder();
  await assertFails('CONFIG_INVALID', () => openFileContexts(`${folder.path}/missing`));
});

test('openFileContexts() keeps what libselinux says of a file of another version from standard error', async () => {
  using folder = policyFolder();
  writeFileSync(`${folder.path}/file_contexts.bin`, 'compiled by something else\u0001');
  const module = new URL('../../../src/sys/file-contexts.js', import.meta.url).pathname;
  const script = `const { openFileContexts } = await import(${JSON.stringify(module)});
    const contexts = openFileContexts(${JSON.stringify(`${folder.path}/file_contexts`)});
    process.stdout.write(contexts.lookUp('/etc/x', 0o100644));`;
  const { stdout, stderr } = await runCommand([
    ...[process.execPath, '--input-type=module', '--eval', script],
  ]);
  assert.deepEqual({ stdout, stderr }, { stdout: 'system_u:object_r:etc_t:s0', stderr: '' });
});
