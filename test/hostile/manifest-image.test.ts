import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import type { ErrorCode } from '../../src/errors/catalogue.js';
import { parseImageConfig } from '../../src/oci/parse-image-config.js';
import { parseManifest } from '../../src/oci/parse-manifest.js';
import { parseImageUser } from '../../src/oci/parse-user.js';
import { rankManifests } from '../../src/oci/select-platform.js';
import { parseExportsManifest } from '../../src/templates/exports-manifest.js';
import { assertFails } from '../support/assert-fails.js';
import { config, digest, imageConfig, index, layer, manifest } from '../support/documents.js';
import { each } from '../support/each.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { answer, forPath, only } from '../support/misbehaviours.js';
import { amd64, Puller } from '../support/pull-from.js';
import { pushImage, sha256 } from '../support/push-image.js';
import { buildTar } from '../support/tar-builder.js';
import { TempDir } from '../support/temp-dir.js';

/*
 * What an installer does that takes an image at its word, beside what berth does with the same image. All of what is refused is in
 * unit/oci/; here it is shown that each of it matters.
 */

const what = 'it';
const bytesOf = (document: unknown): Buffer => Buffer.from(JSON.stringify(document));
const readManifest = (document: unknown) => parseManifest(bytesOf(document), { what });

function readConfig(document: unknown) {
  const parsed = readManifest(manifest);
  assert.ok(parsed.kind === 'manifest');
  return parseImageConfig(bytesOf(document), { what, manifest: parsed.manifest });
}

const withProcess = (process: object) => ({ ...imageConfig, config: process });

/** As everything in C reads a string. */
const inC = (text: string): string => text.split('\0', 1)[0] ?? '';

const schema1 = { schemaVersion: 1, name: 'a', fsLayers: [{ blobSum: digest }], history: [] };
const helmConfig = { name: 'chart', version: '1.0.0' };
const helm = {
  ...manifest,
  config: { ...config, mediaType: 'application/vnd.cncf.helm.config.v1+json' },
};
const artifact = {
  ...manifest,
  artifactType: 'application/vnd.example',
  config: { ...config, mediaType: 'application/vnd.oci.empty.v1+json' },
};

interface NaiveConfig {
  readonly rootfs?: { readonly diff_ids?: readonly string[] };
}

/** A loop over what is there, and no question about what is not. */
function naiveCheck(document: NaiveConfig, layers: readonly string[]): 'verified' {
  for (const [place, expected] of (document.rootfs?.diff_ids ?? []).entries()) {
    assert.equal(layers[place], expected);
  }
  return 'verified';
}

interface Row {
  readonly name: string;
  readonly code: ErrorCode;
  /** What goes wrong without the defence. */
  readonly control: () => void;
  readonly defence: () => unknown;
}

const REFUSED: readonly Row[] = [
  {
    name: 'M10 a NUL in a command: what was looked at is not what is run',
    code: 'IMAGE_CONFIG_INVALID',
    control: () => {
      assert.equal(inC('/bin/sh\0-harmless'), '/bin/sh');
    },
    defence: () => readConfig(withProcess({ Cmd: ['/bin/sh\0-harmless'] })),
  },
  {
    name: 'M12 no layers: an empty root counts as installed',
    code: 'MANIFEST_INVALID',
    control: () => {
      assert.equal(naiveCheck({ rootfs: { diff_ids: [] } }, []), 'verified');
    },
    defence: () => readManifest({ ...manifest, layers: [] }),
  },
  {
    name: 'M13 a Helm chart: no diff ids, so none that is wrong',
    code: 'MANIFEST_UNSUPPORTED',
    control: () => {
      assert.equal(naiveCheck(helmConfig as NaiveConfig, ['anything']), 'verified');
    },
    defence: () => readManifest(helm),
  },
  {
    name: 'M13 an artifact: an empty configuration',
    code: 'MANIFEST_UNSUPPORTED',
    control: () => {
      assert.equal(naiveCheck({}, ['anything']), 'verified');
    },
    defence: () => readManifest(artifact),
  },
  {
    name: 'M16 another kind of root: its layers mean something else',
    code: 'IMAGE_CONFIG_INVALID',
    control: () => {
      assert.equal(naiveCheck({ rootfs: { diff_ids: [digest] } }, [digest]), 'verified');
    },
    defence: () => readConfig({ ...imageConfig, rootfs: { type: 'patches', diff_ids: [digest] } }),
  },
  {
    name: 'M23 schema 1: a manifest without layers, and without a digest of what is signed',
    code: 'MANIFEST_UNSUPPORTED',
    control: () => {
      const { layers = [] } = schema1 as { layers?: readonly unknown[] };
      assert.deepEqual(layers, []);
    },
    defence: () => readManifest(schema1),
  },
  {
    name: 'M27 a user of 2^32: root, in 32 bits',
    code: 'IMAGE_CONFIG_INVALID',
    control: () => {
      assert.equal(Number('4294967296') | 0, 0);
    },
    defence: () => parseImageUser('4294967296'),
  },
  {
    name: 'M27 a blank before a number: a name to one reader, root to another',
    code: 'IMAGE_CONFIG_INVALID',
    control: () => {
      assert.equal(Number(' 0'), 0);
      assert.ok(!/^\d+$/.test(' 0'));
    },
    defence: () => parseImageUser(' 0'),
  },
  {
    name: 'M30 a variable with a NUL: its end is another one',
    code: 'IMAGE_CONFIG_INVALID',
    control: () => {
      // As /proc/PID/environ has it, and whoever reads that.
      assert.deepEqual('A=b\0LD_PRELOAD=/x\0'.split('\0').slice(0, 2), ['A=b', 'LD_PRELOAD=/x']);
    },
    defence: () => readConfig(withProcess({ Env: ['A=b\0LD_PRELOAD=/x'] })),
  },
  {
    name: 'M32 a volume upwards: a folder of the host',
    code: 'IMAGE_CONFIG_INVALID',
    control: () => {
      assert.equal(join('/var/lib/x/rootfs', '../../../../etc'), '/etc');
    },
    defence: () => readConfig(withProcess({ Volumes: { '../../../../etc': {} } })),
  },
  {
    name: 'M33 an entry point as text: a program of one letter',
    code: 'IMAGE_CONFIG_INVALID',
    control: () => {
      const Entrypoint = '/bin/sh' as unknown as readonly string[];
      assert.deepEqual([...Entrypoint].slice(0, 2), ['/', 'b']);
    },
    defence: () => readConfig(withProcess({ Entrypoint: '/bin/sh' })),
  },
  {
    name: 'M37 a list for an object: variables called 0 and 1',
    code: 'EXPORTS_INVALID',
    control: () => {
      const { defaultValues } = { defaultValues: ['a', 'b'] };
      assert.deepEqual(Object.keys(defaultValues), ['0', '1']);
    },
    defence: () => parseExportsManifest('{"defaultValues":["a","b"]}'),
  },
];

each('control and defence', REFUSED, async ({ code, control, defence }) => {
  control();
  await assertFails(code, defence);
});

/** An index whose entries are told apart by their digests. */
function indexOf(...platforms: readonly (object | undefined)[]) {
  const [first] = index.manifests;
  const manifests = platforms.map((platform, place) => ({
    ...first,
    digest: `sha256:${String(place).repeat(64)}`,
    platform,
  }));
  const parsed = readManifest({ ...index, manifests });
  assert.ok(parsed.kind === 'index');
  return parsed.index;
}

const chosen = (...platforms: readonly (object | undefined)[]): readonly string[] =>
  rankManifests(indexOf(...platforms), amd64).map((entry) => entry.digest.slice(-1));

test('M20 M22 control and defence: the first entry is somebody else’s image', () => {
  const s390x = { os: 'linux', architecture: 's390x' };
  const unknown = { os: 'unknown', architecture: 'unknown' };
  assert.notEqual(indexOf(s390x, amd64).manifests[0]?.platform?.architecture, 'amd64', 'naive');
  assert.deepEqual(chosen(s390x, amd64), ['1']);
  assert.deepEqual(chosen(s390x, unknown), []);
});

test('M21 control and defence: a map by platform keeps the last of several', () => {
  const { manifests } = indexOf(amd64, amd64);
  const naive = new Map(manifests.map((entry) => [entry.platform?.architecture, entry.digest]));
  assert.equal(naive.get('amd64')?.slice(-1), '1');
  assert.equal(chosen(amd64, amd64)[0], '0');
});

test('M25 control and defence: who follows subjects runs in a circle', () => {
  const own = { ...manifest, subject: { mediaType: manifest.mediaType, digest, size: 2 } };
  const read = (depth: number): number =>
    depth > 1000 ? depth : read(depth + Number('subject' in own));
  assert.ok(read(0) > 1000, 'a naive reader ended');
  assert.equal(readManifest(own).kind, 'manifest');
});

test('M31 control and defence: labels that a naive installer hands on are settings of the host', () => {
  const labels = {
    'org.systemd.property.ExecStartPre': '"/bin/evil"',
    RUN: 'docker run --privileged',
  };
  const naive = Object.entries(labels).map(
    ([name, value]) => `${name.replace('org.systemd.property.', '')}=${value}`,
  );
  assert.ok(naive.includes('ExecStartPre="/bin/evil"'));
  const parsed = readConfig(withProcess({ Labels: labels }));
  assert.deepEqual({ ...parsed.labels }, labels, 'they are data');
  assert.deepEqual([...parsed.process.entrypoint, ...parsed.process.cmd], []);
});

test('M35 control and defence: a history that is longer than the layers', () => {
  const history = [{ created_by: 'a' }, { created_by: 'b' }];
  const layers: readonly { readonly digest: string }[] = [layer];
  assert.throws(() => history.map((_, place) => (layers[place] as typeof layer).digest), TypeError);
  assert.deepEqual(readConfig({ ...imageConfig, history }).diffIds, [digest]);
});

test('M36 control and defence: a date that is none', () => {
  assert.throws(() => new Date('9999-99-99').toISOString(), RangeError);
  assert.deepEqual(readConfig({ ...imageConfig, created: '9999-99-99' }).diffIds, [digest]);
});

test('M28 control and defence: a passwd that is a link to the host’s', async () => {
  using folder = new TempDir();
  const root = join(folder.path, 'root');
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(join(folder.path, 'passwd'), 'of the host');
  const { symlinkSync, openSync, closeSync, constants } = await import('node:fs');
  symlinkSync(join(folder.path, 'passwd'), join(root, 'etc/passwd'));
  assert.equal(readFileSync(join(root, 'etc/passwd'), 'utf8'), 'of the host');
  const { readFileInRoot } = await import('../../src/sys/open-in-root.js');
  const fd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    assert.throws(() => readFileInRoot(fd, 'etc/passwd', { maxBytes: 100 }), { code: 'ENOENT' });
  } finally {
    closeSync(fd);
  }
});

test('M38 control and defence: who skips a layer that is missing installs half an image', async () => {
  await using registry = await FakeRegistry.start();
  const tars = ['a', 'b'].map((path) => buildTar([{ path, content: path }]));
  const layers = tars.map((content) => ({ content }));
  await pushImage({ origin: registry.origin, repository: 'x' }, '1', {
    architecture: 'amd64',
    layers,
  });
  const missing = sha256(tars[1] ?? Buffer.alloc(0));
  registry.interfere(only(forPath(missing), answer(404, {})));
  const got = tars.map(sha256).filter((name) => name !== missing);
  assert.equal(got.length, 1, 'a naive loop goes on with what it got');
  await using berth = new Puller();
  await assertFails('REGISTRY_NOT_FOUND', () => berth.pull(`${registry.host}/x:1`));
  assert.deepEqual(await berth.store.listImages(), []);
});
