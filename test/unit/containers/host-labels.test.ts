import assert from 'node:assert/strict';
import { linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import type { HostLabels } from '../../../src/containers/host-labels.js';
import { labelTree } from '../../../src/containers/label-tree.js';
import { openHostLabels } from '../../../src/containers/open-host-labels.js';
import { placeFiles } from '../../../src/containers/place-files.js';
import { sha256Of } from '../../../src/containers/file-state.js';
import { PACKAGED_LAUNCHER } from '../../../src/runtime/packaged-launcher.js';
import { giveLabel, pathAt, readLabel } from '../../../src/sys/security-label.js';
import { each } from '../../support/each.js';
import { folderHost } from '../../support/folder-host.js';
import { TempDir } from '../../support/temp-dir.js';

const POLICY = 'etc/selinux/targeted/contexts';

const FILE_CONTEXTS = `/.*\tsystem_u:object_r:default_t:s0
/\t-d\tsystem_u:object_r:root_t:s0
/etc(/.*)?\tsystem_u:object_r:etc_t:s0
/etc/systemd/system(/.*)?\tsystem_u:object_r:systemd_unit_file_t:s0
/usr/libexec(/.*)?\tsystem_u:object_r:bin_t:s0
/usr/local/bin(/.*)?\tsystem_u:object_r:bin_t:s0
/var/lib(/.*)?\tsystem_u:object_r:var_lib_t:s0
`;

const LXC_CONTEXTS = `process = "system_u:system_r:container_t:s0"
file = "system_u:object_r:container_file_t:s0"
ro_file="system_u:object_r:container_ro_file_t:s0"
`;

/** A tree with a policy: of labels alone, no kernel goes by them. */
function prepareTree(root: string, files: Readonly<Record<string, string>> = {}): void {
  const all = {
    'etc/selinux/config': '# comment\nSELINUX=enforcing\nSELINUXTYPE=targeted\n',
    [`${POLICY}/files/file_contexts`]: FILE_CONTEXTS,
    [`${POLICY}/lxc_contexts`]: LXC_CONTEXTS,
    ...files,
  };
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

function typeAt(root: string, path: string): string | undefined {
  return readLabel(pathAt(join(root, path)))?.split(':')[2];
}

function open(root: string, warnings: string[] = []): HostLabels | undefined {
  return openHostLabels(folderHost(root).paths, (text) => warnings.push(text));
}

each(
  'openHostLabels() labels nothing',
  [
    { name: 'without a policy', files: { 'etc/selinux/config': '' }, isGone: true },
    { name: 'where SELinux is off', files: { 'etc/selinux/config': 'SELINUX=disabled\n' } },
    {
      name: 'where the name of the policy leads elsewhere',
      files: { 'etc/selinux/config': 'SELINUXTYPE=../../../etc/selinux/targeted\n' },
    },
    {
      name: 'where the policy is another one',
      files: { 'etc/selinux/config': 'SELINUX=enforcing\nSELINUXTYPE=mls\n' },
    },
  ],
  ({ files, isGone }) => {
    using dir = new TempDir();
    if (isGone !== true) prepareTree(dir.path, files);
    const warnings: string[] = [];
    assert.equal(open(dir.path, warnings), undefined);
    assert.deepEqual(warnings, []);
  },
);

each(
  'openHostLabels() tells, and labels nothing, where the configuration of SELinux is',
  [
    {
      name: 'larger than it can be',
      make: (path: string) => {
        writeFileSync(path, '#'.repeat(70_000));
      },
    },
    {
      name: 'a folder',
      make: (path: string) => {
        mkdirSync(path);
      },
    },
    {
      name: 'a device without an end',
      make: (path: string) => {
        symlinkSync('/dev/zero', path);
      },
    },
  ],
  ({ make }) => {
    using dir = new TempDir();
    prepareTree(dir.path);
    rmSync(join(dir.path, 'etc/selinux/config'));
    make(join(dir.path, 'etc/selinux/config'));
    const warnings: string[] = [];
    assert.equal(open(dir.path, warnings), undefined);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? '', /^SELinux: /);
  },
);

test('labelAs() tells once of a rule that is wrong, and labels nothing by it', () => {
  using dir = new TempDir();
  const broken = `${FILE_CONTEXTS}/var/lib/(x\tsystem_u:object_r:site_t:s0\n`;
  prepareTree(dir.path, { [`${POLICY}/files/file_contexts`]: broken, file: '' });
  const warnings: string[] = [];
  using labels = open(dir.path, warnings);
  labels?.labelAs(`${dir.path}/file`, '/var/lib/(x');
  labels?.labelAs(`${dir.path}/file`, '/var/lib/(x');
  assert.match(warnings.join('\n'), /^SELinux: cannot label '\/var\/lib\/\(x'[^\n]*$/);
  assert.equal(typeAt(dir.path, 'file'), undefined);
});

test('placeFiles() gives a file the label of its path, and none that it has in its place', async () => {
  using dir = new TempDir();
  prepareTree(dir.path, {
    'var/lib/berth/etcd.0/etcd.service': '[Service]\n',
    'var/lib/berth/etcd.0/ctl': 'program',
  });
  await using host = folderHost(dir.path);
  using labels = open(dir.path);
  assert.ok(labels !== undefined);
  const file = (path: string, text: string, source: string) =>
    ({ role: 'unit', kind: 'file', path, sha256: sha256Of(text), mode: 0o644, source }) as const;
  await placeFiles(host.paths, '/var/lib/berth/etcd.0', {
    files: [
      file('/etc/systemd/system/etcd.service', '[Service]\n', 'etcd.service'),
      file('/usr/local/bin/etcdctl', 'program', 'ctl'),
    ],
    previous: [],
    onForeign: 'refuse',
    labels,
  });
  assert.equal(typeAt(dir.path, 'etc/systemd/system/etcd.service'), 'systemd_unit_file_t');
  assert.equal(typeAt(dir.path, 'usr/local/bin/etcdctl'), 'bin_t');
});

test('labelContent() labels a folder and what is in it, and nothing behind links', () => {
  using dir = new TempDir();
  prepareTree(dir.path, { 'store/objects/ab/cd': 'x', outside: 'y' });
  symlinkSync('../../outside', `${dir.path}/store/objects/link`);
  using labels = open(dir.path);
  labels?.labelContent(`${dir.path}/store`);
  for (const path of ['store', 'store/objects', 'store/objects/ab/cd', 'store/objects/link'])
    assert.equal(typeAt(dir.path, path), 'container_ro_file_t', path);
  assert.equal(typeAt(dir.path, 'outside'), undefined, 'a link led out of the store');
});

test('giveLabel() keeps the user and the level of a label, and leaves one of the same type', () => {
  using dir = new TempDir();
  const at = pathAt(dir.path);
  assert.equal(giveLabel(at, 'system_u:object_r:etc_t:s0'), true);
  assert.equal(giveLabel(at, 'unconfined_u:object_r:etc_t:s0:c1'), false);
  assert.equal(giveLabel(at, 'unconfined_u:object_r:bin_t:s0:c1'), true);
  assert.equal(readLabel(at), 'system_u:object_r:bin_t:s0');
});

test('isLauncher() knows a copy of the launcher that was relabelled as data', () => {
  using dir = new TempDir();
  prepareTree(dir.path, { 'var/lib/berth/.launch/ab/berth-launch': '' });
  const copy = `${dir.path}/var/lib/berth/.launch/ab/berth-launch`;
  using labels = open(dir.path);
  assert.equal(labels?.isLauncher(copy), true, 'a tree without labels gets them later');
  labels.labelLauncher(copy);
  assert.equal(labels.isLauncher(copy), true);
  assert.equal(typeAt(dir.path, copy.slice(dir.path.length)), 'bin_t');
  giveLabel(pathAt(copy), 'system_u:object_r:var_lib_t:s0');
  assert.equal(labels.isLauncher(copy), false);
});

const STATE = 'var/lib/berth';

test('labelTree() labels what berth made in a tree that has labels', async () => {
  using dir = new TempDir();
  prepareTree(dir.path, {
    [`${STATE}/.launch/ab/berth-launch`]: '',
    [`${STATE}/.store/objects/ab/cd`]: 'x',
    [`${STATE}/.journal/keep`]: '',
    [`${STATE}/etcd.0/launch.plan`]: '',
    [`${STATE}/etcd.0/rootfs/usr/bin/etcd`]: '',
    'etc/systemd/system/etcd.service': '',
    'etc/systemd/system/foreign.service': '',
  });
  symlinkSync('etcd.0', `${dir.path}/${STATE}/etcd`);
  linkSync(`${dir.path}/${STATE}/.store/objects/ab/cd`, `${dir.path}/${STATE}/etcd.0/rootfs/data`);
  await using host = folderHost(dir.path);
  using labels = open(dir.path);
  assert.ok(labels !== undefined);
  await labelTree(host, labels);
  assert.equal(typeAt(dir.path, STATE), undefined, 'whoever labels the tree does it later');
  giveLabel(pathAt(dir.path), 'system_u:object_r:root_t:s0');
  const foreign = pathAt(`${dir.path}/etc/systemd/system/foreign.service`);
  giveLabel(foreign, 'system_u:object_r:site_t:s0');
  await labelTree(host, labels);
  const want = {
    [STATE]: 'var_lib_t',
    [`${STATE}/etcd`]: 'var_lib_t',
    [`${STATE}/.journal/keep`]: 'var_lib_t',
    [`${STATE}/etcd.0/launch.plan`]: 'var_lib_t',
    [`${STATE}/.launch/ab/berth-launch`]: 'bin_t',
    [`${STATE}/.store/objects/ab/cd`]: 'container_ro_file_t',
    [`${STATE}/etcd.0/rootfs`]: 'container_ro_file_t',
    [`${STATE}/etcd.0/rootfs/usr/bin/etcd`]: 'container_ro_file_t',
    [`${STATE}/etcd.0/rootfs/data`]: 'container_ro_file_t',
    'etc/systemd/system/etcd.service': 'systemd_unit_file_t',
    'etc/systemd/system/foreign.service': 'site_t',
  };
  const got = Object.keys(want).map((path) => [path, typeAt(dir.path, path)]);
  assert.deepEqual(Object.fromEntries(got), want);
});

test('labels follow the path of the packaged launcher', () => {
  using dir = new TempDir();
  prepareTree(dir.path, {
    [`${POLICY}/files/file_contexts`]: `${FILE_CONTEXTS}${PACKAGED_LAUNCHER.replaceAll('.', '\\.')}\t--\tsystem_u:object_r:runtime_exec_t:s0\n`,
    copy: '',
  });
  using labels = open(dir.path);
  labels?.labelLauncher(`${dir.path}/copy`);
  assert.equal(typeAt(dir.path, 'copy'), 'runtime_exec_t');
});

test('without types of containers content has the label of its path', async () => {
  using dir = new TempDir();
  prepareTree(dir.path, {
    [`${POLICY}/lxc_contexts`]: '',
    [`${STATE}/etcd.0/rootfs/bin/etcd`]: '',
  });
  giveLabel(pathAt(dir.path), 'system_u:object_r:root_t:s0');
  await using host = folderHost(dir.path);
  using labels = open(dir.path);
  assert.ok(labels !== undefined);
  await labelTree(host, labels);
  assert.equal(typeAt(dir.path, `${STATE}/etcd.0/rootfs/bin/etcd`), 'var_lib_t');
});
