import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { formatGraph } from '../../src/cli/output/format-graph.js';
import { formatGraphDot } from '../../src/cli/output/format-graph-dot.js';
import { formatGraphSvg } from '../../src/cli/output/format-graph-svg.js';
import { NO_DEPENDENCIES } from '../../src/containers/container-dependencies.js';
import { formatDeployment } from '../../src/containers/deployment.js';
import { readStartGraph, type StartGraph } from '../../src/containers/graph/start-graph.js';
import { deploymentRecord } from '../support/deployment-record.js';
import { folderHost } from '../support/folder-host.js';
import { TempDir } from '../support/temp-dir.js';

// The graph of a tree that is not running, from the files in it.

function addContainer(
  root: string,
  name: string,
  unit: { readonly text: string; readonly dropIn?: string; readonly requires?: readonly string[] },
): void {
  const state = `${root}/var/lib/berth`;
  const units = `${root}/etc/systemd/system`;
  mkdirSync(`${state}/${name}.0`, { recursive: true });
  mkdirSync(`${units}/${name}.service.d`, { recursive: true });
  const dependencies = { ...NO_DEPENDENCIES, requires: unit.requires ?? [] };
  const record = deploymentRecord({ name, units: [`${name}.service`], dependencies });
  writeFileSync(`${state}/${name}.0/deployment.json`, formatDeployment(record));
  symlinkSync(`${name}.0`, `${state}/${name}`);
  writeFileSync(`${units}/${name}.service`, unit.text);
  writeFileSync(`${units}/${name}.service.d/10-berth.conf`, unit.dropIn ?? '');
}

async function graphOf(root: string, names: readonly string[] = []): Promise<StartGraph> {
  await using host = folderHost(root);
  return await readStartGraph(host, { names, all: false });
}

test('readStartGraph() names the file, the line and the image behind each order', async () => {
  using dir = new TempDir();
  addContainer(dir.path, 'etcd', { text: '[Unit]\nBefore=late.service\n[Service]\n' });
  addContainer(dir.path, 'app', {
    text: '[Unit]\nDescription=x\n[Service]\n',
    dropIn: '[Unit]\nRequires=etcd.service\nAfter=etcd.service\n',
    requires: ['etcd'],
  });
  const { edges, nodes } = await graphOf(dir.path);
  assert.deepEqual(
    nodes.map(({ unit, loadState }) => `${unit} ${loadState}`),
    ['app.service loaded', 'etcd.service loaded', 'late.service not-found'],
  );
  const dropIn = '/etc/systemd/system/app.service.d/10-berth.conf';
  assert.deepEqual(edges, [
    {
      first: 'etcd.service',
      then: 'app.service',
      ordered: true,
      pulls: ['Requires'],
      reasons: [
        { kind: 'directive', directive: 'Requires', file: dropIn, line: 2 },
        { kind: 'directive', directive: 'After', file: dropIn, line: 3 },
        { kind: 'image', container: 'app', says: 'requires', name: 'etcd' },
      ],
      usual: false,
    },
    {
      first: 'etcd.service',
      then: 'late.service',
      ordered: true,
      pulls: [],
      reasons: [
        {
          kind: 'directive',
          directive: 'Before',
          file: '/etc/systemd/system/etcd.service',
          line: 2,
        },
      ],
      usual: false,
    },
  ]);
  assert.equal((await graphOf(dir.path, ['app'])).edges.length, 1);
});

test('what a unit is called breaks out of no format', async () => {
  using dir = new TempDir();
  const evil = 'x\\x3cscript\\x3e"\u001b[2J.service';
  addContainer(dir.path, 'app', { text: `[Unit]\nAfter=${evil} ]]>&lt;.service\n[Service]\n` });
  const graph = await graphOf(dir.path);
  assert.ok(
    graph.nodes.some(({ unit }) => unit === evil),
    JSON.stringify(graph.nodes),
  );
  for (const text of [formatGraph(graph), formatGraphDot(graph), formatGraphSvg(graph)]) {
    assert.doesNotMatch(text, /\u001b/);
  }
  assert.doesNotMatch(formatGraphSvg(graph), /]]>|&lt;\.service/);
  assert.doesNotMatch(formatGraphDot(graph), /[^\\]"\\x1b/);
});

test('1,000 containers in a row, and as many that need one, are drawn', async () => {
  using dir = new TempDir();
  addContainer(dir.path, 'c0', { text: '[Service]\n' });
  for (let at = 1; at < 1_000; at++) {
    const after = `c${at - 1}.service c0.service`;
    addContainer(dir.path, `c${at}`, { text: `[Unit]\nAfter=${after}\n[Service]\n` });
  }
  const graph = await graphOf(dir.path);
  assert.equal(graph.nodes.length, 1_000);
  assert.equal(graph.edges.length, 1_997);
  for (const format of [formatGraph, formatGraphDot, formatGraphSvg]) {
    assert.ok(format(graph).length < 2 * 1024 * 1024);
  }
});

test('a graph of more units than are looked at says so', async () => {
  using dir = new TempDir();
  const after = Array.from({ length: 60 }, (_, index) => `u${index}.service`).join(' ');
  addContainer(dir.path, 'app', { text: `[Unit]\nAfter=${after}\n[Service]\n` });
  await using host = folderHost(dir.path);
  const graph = await readStartGraph(host, { names: [], all: false, maxUnits: 50 });
  assert.ok(graph.truncated);
  assert.match(formatGraph(graph), /some are left out/);
});
