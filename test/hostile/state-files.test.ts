import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import type { JsonValue } from '../../src/base/strict-json.js';
import { parseStagedApply } from '../../src/containers/apply-staging.js';
import { changeSettings, readSettings } from '../../src/containers/container-settings.js';
import {
  formatDeployment,
  parseDeployment,
  type Deployment,
} from '../../src/containers/deployment.js';
import { beginJournal, findJournal, journalFile } from '../../src/containers/journal.js';
import { sideOf } from '../../src/containers/transition.js';
import { OperationalError } from '../../src/errors/operational-error.js';
import { parseDigest } from '../../src/oci/digest.js';
import { encodePlan } from '../../src/runtime/plan-format.js';
import { readPlanStamp } from '../../src/runtime/read-plan-stamp.js';
import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import { deploymentRecord } from '../support/deployment-record.js';
import { each } from '../support/each.js';
import { storeLayer } from '../support/feed-layer.js';
import { folderHost } from '../support/folder-host.js';
import { storedImageOf } from '../support/stored-image.js';
import { TempDir } from '../support/temp-dir.js';

// Every file in which berth keeps its own state, cut off, zeroed, filled with something else, written by a newer berth: each
// is refused by name, as damage, and never believed, nor met as a bug.

const DIGEST = parseDigest(`sha256:${'b'.repeat(64)}`);

const RECORD = deploymentRecord({
  name: 'web',
  number: 1,
  image: { reference: 'web', storeName: 'web', digest: DIGEST },
  values: { A: 'b' },
  units: ['web.service'],
  files: [
    {
      role: 'unit',
      path: '/etc/systemd/system/web.service',
      kind: 'file',
      sha256: 'c'.repeat(64),
      mode: 0o644,
      source: 'web.service',
    },
  ],
});

/** A state file: what it holds when it is sound, and who reads it. */
interface StateFile {
  readonly name: string;
  sound(): Promise<Buffer>;
  /** Reads these bytes as berth would; throws what it throws. */
  read(bytes: Buffer): Promise<unknown>;
  /** Whether it has a format number in JSON. */
  readonly json: boolean;
}

async function inFolder<T>(body: (host: ReturnType<typeof folderHost>) => Promise<T>): Promise<T> {
  using dir = new TempDir();
  await using host = folderHost(dir.path);
  return await body(host);
}

const JOURNAL_ENTRY = {
  operation: 'update',
  name: 'web',
  transitions: [
    {
      name: 'web',
      from: sideOf(RECORD, []),
      to: sideOf({ ...RECORD, number: 2 }, ['web.service']),
      builds: true,
      starts: true,
      dependents: [],
      rejected: undefined,
    },
  ],
  purge: false,
  keep: 2,
  watch: true,
} as const;

const STATE_FILES: readonly StateFile[] = [
  {
    name: 'deployment.json',
    json: true,
    sound: () => Promise.resolve(Buffer.from(formatDeployment(RECORD))),
    read: (bytes) => Promise.resolve().then(() => parseDeployment(bytes, 'deployment.json')),
  },
  {
    name: 'the journal',
    json: true,
    sound: () =>
      inFolder(async ({ paths }) => {
        await beginJournal(paths, JOURNAL_ENTRY);
        return readFileSync(paths.onDisk(journalFile(paths, 'web')));
      }),
    read: (bytes) =>
      inFolder(async ({ paths }) => {
        mkdirSync(paths.onDisk(paths.journalDir), { recursive: true });
        writeFileSync(paths.onDisk(journalFile(paths, 'web')), bytes);
        return findJournal(paths, 'web');
      }),
  },
  {
    name: 'the settings of a container',
    json: true,
    sound: () =>
      inFolder(async ({ paths }) => {
        const rejected = [{ digest: DIGEST, reason: 'failed', at: '2026-01-01T00:00:00Z' }];
        await changeSettings(paths, 'web', { pinned: [1, 2], rejected });
        return readFileSync(paths.onDisk(`${paths.settingsDir}/web.json`));
      }),
    read: (bytes) =>
      inFolder(async ({ paths }) => {
        mkdirSync(paths.onDisk(paths.settingsDir), { recursive: true });
        writeFileSync(paths.onDisk(`${paths.settingsDir}/web.json`), bytes);
        return readSettings(paths, 'web');
      }),
  },
  {
    name: 'a staged change',
    json: true,
    sound: () =>
      Promise.resolve(
        Buffer.from(
          JSON.stringify({
            format: 1,
            name: 'web',
            number: 1,
            names: ['web.service'],
            files: [{ previousSha256: '', file: RECORD.files[0] }],
          }),
        ),
      ),
    read: (bytes) => Promise.resolve().then(() => parseStagedApply(bytes, 'apply.json', 'web')),
  },
  ...['images', 'names', 'layers'].map((folder): StateFile => ({
    name: `a record in ${folder}/ of the store`,
    json: folder !== 'layers',
    sound: () => inStore(folder, () => undefined),
    read: (bytes) =>
      inStore(folder, (path) => {
        writeFileSync(path, bytes);
      }),
  })),
];

/** Makes a store with one image, changes its only record in a folder, reads it, and gives the record. */
async function inStore(folder: string, change: (path: string) => void): Promise<Buffer> {
  using dir = new TempDir();
  await using store = openEmbeddedStore(dir.path);
  const diffId = await storeLayer(store, [{ path: 'a', content: 'a' }]);
  await store.addImage(storedImageOf([diffId], ['image']));
  const [name = ''] = readdirSync(`${dir.path}/${folder}`);
  const path = `${dir.path}/${folder}/${name}`;
  const sound = readFileSync(path);
  change(path);
  await using again = openEmbeddedStore(dir.path);
  const failures: unknown[] = [];
  const image = (await again.listImages({ onDamaged: (_, error) => failures.push(error) }))[0];
  if (failures.length > 0) throw failures[0];
  const named = await again.findImage('image');
  assert.ok(image !== undefined && named?.digest === image.digest);
  await again.openTree(image);
  return sound;
}

const REFUSALS = new Set(['CONTAINER_STATE_INVALID', 'STORE_FORMAT', 'STORE_INVALID']);

async function assertRefused(file: StateFile, bytes: Buffer, what: string): Promise<void> {
  try {
    await file.read(bytes);
  } catch (error) {
    const isNamed = error instanceof OperationalError && REFUSALS.has(error.code);
    assert.ok(isNamed, `${file.name}, ${what}: ${String(error)}`);
    return;
  }
  assert.fail(`${file.name}, ${what}: it was believed`);
}

each('F16 no damaged state file is believed', STATE_FILES, async (file) => {
  const sound = await file.sound();
  await file.read(sound); // the control: as it is, it is read
  const step = Math.max(1, Math.floor(sound.length / 60));
  const end = file.json ? sound.toString('utf8').trimEnd().length : sound.length;
  for (let length = 0; length < end; length += step)
    await assertRefused(file, sound.subarray(0, length), `cut off after ${length} bytes`);
  await assertRefused(file, Buffer.alloc(sound.length), 'zeroed');
  await assertRefused(file, Buffer.concat([sound, Buffer.from([0])]), 'with a byte more');
  const zeroes = Buffer.from(sound);
  zeroes.fill(0, Math.floor(sound.length / 2));
  await assertRefused(file, zeroes, 'its second half zeroed');
  for (const text of ['', ' ', 'null', '[]', '"x"', '{}', '{"format":"1"}', '{"format":-'])
    await assertRefused(file, Buffer.from(text), text);
});

each(
  'F46 what a newer berth wrote is not touched',
  STATE_FILES.filter(({ json }) => json),
  async (file) => {
    const document = JSON.parse((await file.sound()).toString('utf8')) as Record<string, unknown>;
    const newer = Buffer.from(JSON.stringify({ ...document, format: 99 }));
    await assert.rejects(
      () => file.read(newer),
      (error) => error instanceof OperationalError && error.code === 'STORE_FORMAT',
    );
  },
);

/** The document with one member after the other replaced by each of a few things that it cannot be. */
function* mutations(value: JsonValue): Generator<JsonValue> {
  if (typeof value !== 'object' || value === null) return;
  const entries = Object.entries(value as Record<string, JsonValue>);
  const rebuild = (key: string, inner: JsonValue): JsonValue =>
    Array.isArray(value)
      ? value.map((item: JsonValue, index) => (String(index) === key ? inner : item))
      : { ...(value as Record<string, JsonValue>), [key]: inner };
  for (const [key, inner] of entries) {
    for (const other of [7.5, true, 'x', [[]], { a: { b: null } }])
      if (typeof other !== typeof inner) yield rebuild(key, other);
    for (const deeper of mutations(inner)) yield rebuild(key, deeper);
  }
}

each(
  'F16 a state file with a member of another kind is refused or read without it, and is no bug',
  STATE_FILES.filter(({ json, name }) => json && !name.includes('store')),
  async (file) => {
    const document = JSON.parse((await file.sound()).toString('utf8')) as JsonValue;
    let refused = 0;
    for (const mutation of mutations(document)) {
      try {
        await file.read(Buffer.from(JSON.stringify(mutation)));
      } catch (error) {
        assert.ok(error instanceof OperationalError, `${file.name}: ${String(error)}`);
        // The control: who takes any JSON for what he expects believes it.
        assert.doesNotThrow(() => JSON.parse(JSON.stringify(mutation)) as Deployment);
        refused += 1;
      }
    }
    assert.ok(refused > 10, 'nearly all are refused');
  },
);

test('F16 a damaged launch plan is told from a sound one', () => {
  const plan = encodePlan([
    ['NAME', 'web'],
    ['STAMP', '/var/lib/berth/web/config.json', 123n, 456n],
  ]);
  assert.deepEqual(readPlanStamp(plan), {
    kind: 'sound',
    stamp: { path: '/var/lib/berth/web/config.json', sizeBytes: 123n, mtimeNs: 456n },
  });
  for (let length = 0; length < plan.length; length += 1)
    assert.equal(readPlanStamp(plan.subarray(0, length)).kind, 'damaged');
  for (let at = 0; at < plan.length * 8; at += 1) {
    const flipped = Buffer.from(plan);
    flipped[at >> 3] = (flipped[at >> 3] ?? 0) ^ (1 << (at & 7));
    assert.notEqual(readPlanStamp(flipped).kind, 'sound', `bit ${at}`);
  }
});
