import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formatDifference } from '../../../src/cli/output/format-difference.js';
import type { Deployment } from '../../../src/containers/deployment.js';
import {
  describeDifference,
  type DifferenceSide,
} from '../../../src/containers/describe-difference.js';
import { preparedSide } from '../../../src/containers/difference-sides.js';
import type { NodeMeta } from '../../../src/layer/tree.js';
import { deploymentRecord } from '../../support/deployment-record.js';
import { imageTree, type TreeSketch } from '../../support/image-tree.js';

const META: NodeMeta = {
  mode: 0o4755,
  uid: 0,
  gid: 0,
  mtimeSeconds: 99,
  mtimeNanoseconds: 0,
  xattrs: [],
};

interface Given {
  readonly label?: string;
  readonly files?: TreeSketch;
  readonly texts?: Readonly<Record<string, string>>;
  readonly deployment?: Partial<Deployment>;
  readonly digest?: string;
}

function side(given: Given): DifferenceSide {
  const deployment = deploymentRecord({ name: 'web', ...given.deployment });
  return {
    label: given.label ?? 'web.0',
    image: { reference: 'r/web:1', digest: given.digest ?? `sha256:${'a'.repeat(64)}` },
    tree: imageTree(given.files ?? {}),
    deployment,
    imageConfig: undefined,
    labels: deployment.labels,
    texts: new Map(Object.entries(given.texts ?? {})),
  };
}

test('describeDifference() finds none between the same', async () => {
  const given = { files: { etc: { passwd: 'x' } }, texts: { 'config.json': '{"a":1}' } };
  const difference = await describeDifference(side(given), side(given));
  assert.equal(difference.same, true);
  assert.match(formatDifference(difference), /There is no difference/);
});

test('describeDifference() tells every kind of change of a file', async () => {
  const difference = await describeDifference(
    side({
      files: {
        same: 'same',
        grown: 'a',
        gone: { inner: 'xy' },
        link: { link: '/a' },
        kind: 'file',
        suid: 'program',
      },
    }),
    side({
      files: {
        same: 'same',
        grown: 'abc',
        link: { link: '/b' },
        kind: { link: '/etc/shadow' },
        new: { deep: { file: 'z' } },
        suid: {
          node: {
            kind: 'file',
            meta: META,
            size: 7,
            contentSha256: 'eaba2db8a9f1b7dc39b0ba9d3ab8a3c4bd2a18f4ca4c9ef23a7b1bbcb2b6f3ee',
          },
        },
      },
    }),
  );
  const { files } = difference;
  assert.ok(files !== undefined);
  assert.deepEqual([files.added, files.removed, files.changed], [3, 2, 4]);
  assert.deepEqual([files.bytesBefore, files.bytesAfter], [4 + 1 + 2 + 4 + 7, 4 + 3 + 1 + 7]);
  assert.deepEqual(
    files.files.map(({ path, change, aspects }) => [path, change, aspects.join()]),
    [
      ['/gone', 'removed', ''],
      ['/gone/inner', 'removed', ''],
      ['/grown', 'changed', 'content'],
      ['/kind', 'changed', 'type'],
      ['/link', 'changed', 'target'],
      ['/new', 'added', ''],
      ['/new/deep', 'added', ''],
      ['/new/deep/file', 'added', ''],
      ['/suid', 'changed', 'content,mode'],
    ],
  );
  assert.match(formatDifference(difference), /~ \/grown {2}\(content; 1 B → 3 B\)/);
});

test('describeDifference() compares config.json by member', async () => {
  const config = (more: object): string =>
    JSON.stringify({
      process: { args: ['/bin/web'], env: ['PATH=/bin', 'TOKEN=hunter2'], ...more },
      mounts: [
        { destination: '/proc', type: 'proc' },
        { destination: '/data', source: '/srv', options: ['rbind', 'ro'] },
      ],
    });
  const changed = JSON.parse(
    config({ args: ['/bin/web', '-v'], env: ['TOKEN=other', 'PATH=/bin', 'LANG=C'] }),
  ) as { mounts: object[] };
  changed.mounts = [
    { destination: '/etc/x', type: 'bind' },
    { destination: '/data', source: '/srv', options: ['rbind', 'rw'] },
    { destination: '/proc', type: 'proc' },
  ];
  const difference = await describeDifference(
    side({ texts: { 'config.json': config({}) }, deployment: { secrets: ['TOKEN'] } }),
    side({ texts: { 'config.json': JSON.stringify(changed) } }),
  );
  assert.deepEqual(JSON.parse(JSON.stringify(difference.config)), [
    { path: 'process.args', before: ['/bin/web'], after: ['/bin/web', '-v'] },
    { path: 'process.env[TOKEN]', before: '(secret)', after: '(secret)' },
    { path: 'process.env[LANG]', after: 'C' },
    { path: 'mounts[/data].options[]', before: ['ro'], after: ['rw'] },
    { path: 'mounts[/etc/x]', after: { destination: '/etc/x', type: 'bind' } },
  ]);
  assert.doesNotMatch(JSON.stringify(difference), /hunter2|other/, 'a secret was shown');
});

test('describeDifference() compares an edited config.json that is no JSON by line', async () => {
  const difference = await describeDifference(
    side({ texts: { 'config.json': '{\n"a": 1\n}' } }),
    side({ texts: { 'config.json': '{\n"a": 1,\n' } }),
  );
  assert.deepEqual(difference.config, []);
  assert.equal(difference.texts[0]?.name, 'config.json');
});

test('describeDifference() masks secrets in variables and texts', async () => {
  const difference = await describeDifference(
    side({
      deployment: {
        values: { PORT: '80', OLD: 'x' },
        setValues: { PASSWORD: 'first-secret' },
        secrets: ['PASSWORD'],
      },
      texts: { 'web.service': '[Service]\nEnvironment=P=first-secret\nA=1\n' },
    }),
    side({
      deployment: {
        values: { PORT: '81' },
        setValues: { PASSWORD: 'second-secret' },
        secrets: ['PASSWORD'],
      },
      texts: { 'web.service': '[Service]\nEnvironment=P=second-secret\nA=2\n' },
    }),
  );
  assert.deepEqual(difference.variables, [
    { name: 'OLD', before: 'x', after: undefined },
    { name: 'PASSWORD', before: '(secret)', after: '(secret)' },
    { name: 'PORT', before: '80', after: '81' },
  ]);
  assert.deepEqual(difference.texts, [
    {
      name: 'web.service',
      lines: ['  [Service]', '  Environment=P=(secret)', '- A=1', '+ A=2', '  '],
    },
  ]);
  assert.doesNotMatch(JSON.stringify(difference), /first-secret|second-secret/);
});

test('describeDifference() tells what a container gains and loses on the host', async () => {
  const permissions = deploymentRecord({ name: 'x' }).permissions;
  const difference = await describeDifference(
    side({
      deployment: { permissions: { ...permissions, capabilities: ['CAP_KILL'], user: 'uid 1' } },
    }),
    side({
      deployment: {
        permissions: {
          ...permissions,
          capabilities: ['CAP_SYS_ADMIN'],
          hostMounts: ['/etc at /host'],
          sharedNamespaces: ['pid'],
          devices: ['/dev/kvm'],
          hostPaths: ['/usr/local/bin/web'],
          user: 'uid 0',
        },
        labels: { version: '2' },
      },
    }),
  );
  assert.deepEqual(difference.permissions, [
    { what: 'capabilities', gained: ['CAP_SYS_ADMIN'], lost: ['CAP_KILL'] },
    { what: 'mounts', gained: ['/etc at /host'], lost: [] },
    { what: 'shared namespaces', gained: ['pid'], lost: [] },
    { what: 'devices', gained: ['/dev/kvm'], lost: [] },
    { what: 'host paths', gained: ['/usr/local/bin/web'], lost: [] },
  ]);
  assert.deepEqual(difference.record, [{ path: 'user', before: 'uid 1', after: 'uid 0' }]);
  assert.deepEqual(difference.labels, [{ name: 'version', before: undefined, after: '2' }]);
  assert.match(formatDifference(difference), /Capabilities\n {2}- CAP_KILL\n {2}\+ CAP_SYS_ADMIN/);
});

test('describeDifference() bounds what it lists, and counts all', async () => {
  const many = Object.fromEntries(Array.from({ length: 12_000 }, (_, n) => [`f${n}`, 'x']));
  const { files } = await describeDifference(side({}), side({ files: many }));
  assert.deepEqual([files?.added, files?.files.length], [12_000, 10_000]);
});

test('preparedSide() has the texts that a deployment will have, and no program', () => {
  const deployment = deploymentRecord({ name: 'web' });
  const prepared = {
    deployment,
    tree: imageTree({}),
    mountPoints: [],
    sealing: undefined,
    contents: new Map([
      ['config.json', { content: '{}' }],
      ['web.service', { content: '[Service]' }],
      ['launch.plan', { content: new Uint8Array([0]) }],
    ]),
    launcher: undefined,
    files: [],
    namespaces: [],
    systemCalls: undefined,
    changes: undefined,
    notices: [],
    startedBy: [],
    ordering: undefined,
    dependencyNotes: [],
    valueWarnings: [],
    shownValues: {},
  };
  assert.deepEqual(
    [...preparedSide(prepared, 'web.1').texts],
    [
      ['config.json', '{}'],
      ['web.service', '[Service]'],
    ],
  );
});
