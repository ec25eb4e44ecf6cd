import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseImageConfig } from '../../../src/oci/parse-image-config.js';
import { parseManifest } from '../../../src/oci/parse-manifest.js';
import { assertFails } from '../../support/assert-fails.js';
import { digest, imageConfig, manifest } from '../../support/documents.js';
import { each } from '../../support/each.js';

const parsedManifest = parseManifest(Buffer.from(JSON.stringify(manifest)), { what: 'it' });

function parse(document: unknown) {
  assert.equal(parsedManifest.kind, 'manifest');
  return parseImageConfig(Buffer.from(JSON.stringify(document)), {
    what: 'the configuration',
    manifest: parsedManifest.manifest,
  });
}

const withProcess = (config: unknown) => ({ ...imageConfig, config });

test('parseImageConfig() reads what an image says of its process', () => {
  const { process, labels, platform, created, diffIds } = parse({
    ...imageConfig,
    variant: 'v2',
    created: '2018-01-01T00:00:00Z',
    config: {
      User: 'etcd:etcd',
      Env: ['PATH=/usr/bin', 'EMPTY=', 'MULTI=a\nb', 'PATH=/bin'],
      Entrypoint: ['/usr/bin/etcd-env.sh'],
      Cmd: ['/usr/bin/etcd'],
      WorkingDir: '/var/lib/etcd',
      StopSignal: 'SIGRTMIN+3',
      Volumes: { '/var/lib/etcd': {}, 'data/': {}, '/var//lib/./etcd': {} },
      ExposedPorts: { '2379/tcp': {}, '53/UDP': {}, '80': {} },
      Healthcheck: { Test: ['CMD', 'true'], Interval: 30_000_000_000, Retries: 3 },
      Labels: { 'atomic.type': 'system' },
      OnBuild: null,
    },
  });
  assert.deepEqual(process, {
    user: 'etcd:etcd',
    env: ['PATH=/bin', 'EMPTY=', 'MULTI=a\nb'],
    entrypoint: ['/usr/bin/etcd-env.sh'],
    cmd: ['/usr/bin/etcd'],
    workingDir: '/var/lib/etcd',
    stopSignal: 'SIGRTMIN+3',
    volumes: ['/var/lib/etcd', '/data'],
    // the keys of a JavaScript object: whole numbers come first
    exposedPorts: ['80/tcp', '2379/tcp', '53/udp'],
    healthcheck: {
      test: ['CMD', 'true'],
      intervalNs: 30_000_000_000,
      timeoutNs: 0,
      startPeriodNs: 0,
      retries: 3,
    },
  });
  assert.deepEqual({ ...labels }, { 'atomic.type': 'system' });
  assert.deepEqual(platform, {
    os: 'linux',
    architecture: 'amd64',
    variant: 'v2',
    osVersion: undefined,
  });
  assert.equal(created, '2018-01-01T00:00:00Z');
  assert.deepEqual(diffIds, [digest]);
});

each(
  'parseImageConfig() accepts',
  [
    { name: 'M33 Cmd and Entrypoint null', document: withProcess({ Cmd: null, Entrypoint: null }) },
    { name: 'no config at all', document: { ...imageConfig, config: undefined } },
    { name: 'config null', document: withProcess(null) },
    {
      name: 'M35 a history longer than the layers',
      document: { ...imageConfig, history: [{}, {}, null] },
    },
    { name: 'M35 a history that is text', document: { ...imageConfig, history: 'x' } },
    { name: 'M36 created as a number', document: { ...imageConfig, created: 5 } },
    { name: 'M36 created in the year 9999', document: { ...imageConfig, created: '9999-99-99' } },
    {
      name: 'M31 labels that others would interpret',
      document: withProcess({
        Labels: { RUN: 'docker run --privileged', 'io.podman.annotations.x': 'y' },
      }),
    },
    { name: 'an empty health check', document: withProcess({ Healthcheck: {} }) },
    { name: 'an empty stop signal', document: withProcess({ StopSignal: '' }) },
  ],
  ({ document }) => {
    assert.deepEqual(parse(document).process.cmd, []);
  },
);

each(
  'parseImageConfig() refuses',
  [
    {
      name: 'M15 more diff ids than layers',
      document: { ...imageConfig, rootfs: { type: 'layers', diff_ids: [digest, digest] } },
    },
    { name: 'M15 fewer', document: { ...imageConfig, rootfs: { type: 'layers', diff_ids: [] } } },
    { name: 'M15 none', document: { ...imageConfig, rootfs: { type: 'layers', diff_ids: null } } },
    {
      name: 'M16 another rootfs type',
      document: { ...imageConfig, rootfs: { type: 'overlay', diff_ids: [digest] } },
    },
    { name: 'M16 no rootfs', document: { ...imageConfig, rootfs: undefined } },
    {
      name: 'a diff id that is none',
      document: { ...imageConfig, rootfs: { type: 'layers', diff_ids: ['sha256:x'] } },
    },
    { name: 'no architecture', document: { ...imageConfig, architecture: undefined } },
    { name: 'M30 Env without =', document: withProcess({ Env: ['PATH'] }) },
    { name: 'M30 Env without a name', document: withProcess({ Env: ['=x'] }) },
    { name: 'M30 Env with a NUL', document: withProcess({ Env: ['A=b\0c'] }) },
    { name: 'M30 Env of 1 MiB', document: withProcess({ Env: [`A=${'x'.repeat(1 << 20)}`] }) },
    { name: 'M30 Env as an object', document: withProcess({ Env: { A: 'b' } }) },
    { name: 'M33 Entrypoint as text', document: withProcess({ Entrypoint: '/bin/sh' }) },
    { name: 'M33 Cmd of numbers', document: withProcess({ Cmd: [1] }) },
    {
      name: 'M33 argv of 3 MiB',
      document: withProcess({ Cmd: Array(30).fill('x'.repeat(104_858)) }),
    },
    { name: 'M10 a NUL in Cmd', document: withProcess({ Cmd: ['a\0b'] }) },
    { name: 'M10 a NUL in a label', document: withProcess({ Labels: { a: '\0' } }) },
    { name: 'a label that is no text', document: withProcess({ Labels: { a: null, b: 1 } }) },
    { name: 'M32 a volume upwards', document: withProcess({ Volumes: { '../../etc': {} } }) },
    {
      name: 'M32 a volume upwards inside',
      document: withProcess({ Volumes: { '/var/../../etc': {} } }),
    },
    { name: 'M32 the root as a volume', document: withProcess({ Volumes: { '/.': {} } }) },
    { name: 'M32 volumes as a list', document: withProcess({ Volumes: ['/var'] }) },
    { name: 'a port of 65536', document: withProcess({ ExposedPorts: { '65536/tcp': {} } }) },
    { name: 'a port that is none', document: withProcess({ ExposedPorts: { http: {} } }) },
    {
      name: 'a stop signal of a line',
      document: withProcess({ StopSignal: 'SIGTERM\nUser=root' }),
    },
    {
      name: 'a health check of another kind',
      document: withProcess({ Healthcheck: { Test: ['EXEC', 'x'] } }),
    },
    {
      name: 'a negative interval',
      document: withProcess({ Healthcheck: { Test: ['CMD', 'x'], Interval: -1 } }),
    },
    { name: 'User as a number', document: withProcess({ User: 0 }) },
    { name: 'WorkingDir as a list', document: withProcess({ WorkingDir: ['/'] }) },
  ] as { name: string; document: unknown }[],
  async ({ document }) => {
    await assertFails('IMAGE_CONFIG_INVALID', () => parse(document));
  },
);

test('parseImageConfig() refuses more than 4 MiB R06', async () => {
  await assertFails('LIMIT_EXCEEDED', () => parse({ ...imageConfig, x: 'x'.repeat(4 << 20) }));
});
