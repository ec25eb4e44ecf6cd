import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ContainerBrief } from '../../../src/containers/container-brief.js';
import { formatKept, parseKept, type KeptRecord } from '../../../src/containers/kept-records.js';
import { isSameRecord } from '../../../src/containers/deployment-records.js';
import { parseDigest } from '../../../src/oci/digest.js';
import { each } from '../../support/each.js';

const ABOUT = { format: 3, version: '1.0' };
const IMAGE = {
  reference: 'registry.example/web:latest',
  storeName: 'registry.example/web:latest',
  digest: parseDigest(`sha256:${'a'.repeat(64)}`),
};

function brief(changes: Partial<ContainerBrief>): ContainerBrief {
  const name = changes.name ?? 'web';
  return {
    name,
    number: 0,
    image: IMAGE,
    runtime: 'berth',
    units: [`${name}.service`],
    dependencies: { provides: [], requires: [], after: [], before: [], conflicts: [] },
    createdPaths: [],
    createdAt: '2026-11-21T20:10:02.405Z',
    hostMounts: [],
    filePaths: [`/etc/systemd/system/${name}.service`],
    ...changes,
  };
}

const BRIEFS: readonly ContainerBrief[] = [
  brief({}),
  brief({ name: 'db', number: 3, image: { ...IMAGE, reference: 'other:1' }, runtime: 'crun' }),
  brief({ name: 'files', units: [], filePaths: [] }),
  brief({ name: 'timer', units: ['timer.service', 'timer.timer'] }),
  brief({ name: 'other', units: ['another.service'], filePaths: ['/etc/a\nb', '/etc/"ü'] }),
  brief({
    name: 'more',
    dependencies: { provides: ['x'], requires: ['web'], after: [], before: [], conflicts: ['y'] },
    createdPaths: ['/var/lib/more'],
    hostMounts: ['/srv at /srv'],
  }),
];

const RECORDS: readonly KeptRecord[] = BRIEFS.map((one, at) => ({
  identity: { dev: 40, ino: 4000 + at, size: 3857, ctimeMs: 1795291802412.684 + at },
  brief: one,
}));

const FIELDS = Object.keys(brief({})) as (keyof ContainerBrief)[];

test('parseKept() gives back what formatKept() was given', () => {
  const found = parseKept(formatKept(RECORDS, ABOUT), ABOUT);
  assert.equal(found?.size, RECORDS.length);
  for (const { identity, brief: wanted } of RECORDS) {
    const record: KeptRecord | undefined = found.get(wanted.name);
    for (const field of FIELDS)
      assert.deepEqual(record?.brief[field], wanted[field], `${wanted.name} ${field}`);
    assert.ok(isSameRecord(record?.identity, identity), wanted.name);
  }
});

each(
  'parseKept() takes no text that is',
  [
    { name: 'of another format', text: formatKept(RECORDS, { ...ABOUT, format: 2 }) },
    { name: 'of another version', text: formatKept(RECORDS, { ...ABOUT, version: '1.1' }) },
    { name: 'without its end', text: formatKept(RECORDS, ABOUT).slice(0, -1) },
    { name: 'without the paths', text: `${formatKept(RECORDS, ABOUT).split('\n', 1).join('')}\n` },
  ],
  ({ text }) => {
    assert.equal(parseKept(text, ABOUT), undefined);
  },
);
