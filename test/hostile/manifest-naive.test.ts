import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import type { ErrorCode } from '../../src/errors/catalogue.js';
import { parseManifest } from '../../src/oci/parse-manifest.js';
import { assertFails } from '../support/assert-fails.js';
import { index, layer, manifest } from '../support/documents.js';
import { each } from '../support/each.js';
import { layoutLayer } from '../support/layout.js';
import { Puller } from '../support/pull-from.js';
import { Workshop } from '../support/workshop.js';

/*
 * What a reader does that takes JSON.parse for a parser of manifests, beside what berth does with the same bytes. All of what is
 * refused of manifests is in unit/oci/parse-manifest.test.ts and unit/base/strict-json.test.ts.
 */

interface NaiveManifest {
  readonly layers?: readonly { readonly digest: string; readonly size: number }[];
  readonly manifests?: readonly unknown[];
}

const naive = (text: string): NaiveManifest => JSON.parse(text) as NaiveManifest;
const text = JSON.stringify(manifest);
const other = `sha256:${'f'.repeat(64)}`;

const ROWS: readonly {
  readonly name: string;
  readonly document: string;
  readonly code: ErrorCode;
  /** What goes wrong without the defence. */
  readonly control: (document: string) => void;
}[] = [
  {
    name: 'M01 a document that is image and index (CVE-2021-41190)',
    document: JSON.stringify({ ...manifest, manifests: index.manifests }),
    code: 'MANIFEST_INVALID',
    control: (document) => {
      const read = naive(document);
      assert.ok(read.layers !== undefined && read.manifests !== undefined, 'it is what one likes');
    },
  },
  {
    name: 'M04 layers that stand twice',
    document: text.replace('{', `{"layers":[${JSON.stringify({ ...layer, digest: other })}],`),
    code: 'JSON_INVALID',
    control: (document) => {
      // Those who take the first and those who take the last do not install the same.
      assert.notEqual(naive(document).layers?.[0]?.digest, other);
      assert.match(document, new RegExp(other));
    },
  },
  {
    name: 'M05 layers in another case, which Go takes for the same',
    document: text.replace('{', `{"Layers":[${JSON.stringify({ ...layer, digest: other })}],`),
    code: 'JSON_INVALID',
    control: (document) => {
      assert.notEqual(naive(document).layers?.[0]?.digest, other);
    },
  },
  {
    name: 'M07 a size that no number of JavaScript holds',
    document: text.replace(/"size":\d+(?=[^[\]]*\]\}?$)/, '"size":9007199254740993'),
    code: 'MANIFEST_INVALID',
    control: (document) => {
      assert.equal(naive(document).layers?.[0]?.size, 9007199254740992, 'it is another size');
    },
  },
  {
    name: 'M11 a second document behind the first',
    document: `${text}${JSON.stringify({ ...manifest, layers: [] })}`,
    code: 'JSON_INVALID',
    control: (document) => {
      // A decoder that stops at the end of a value sees the first only.
      assert.ok(naive(document.slice(0, text.length)).layers?.length === 1);
    },
  },
  {
    name: 'M08 lists in lists',
    document: `{"schemaVersion":2,"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
    code: 'JSON_INVALID',
    control: () => {
      const parse = (depth: number): number => (depth === 0 ? 0 : 1 + parse(depth - 1));
      assert.throws(() => parse(100_000), RangeError);
    },
  },
];

each('control and defence', ROWS, async ({ document, code, control }) => {
  control(document);
  await assertFails(code, () => parseManifest(Buffer.from(document), { what: 'the manifest' }));
});

test('M06 keys of prototypes: a naive merge pollutes, berth reads data', () => {
  const hostile = text.replace('{', '{"annotations":{"__proto__":"x","constructor":"y"},');
  const merge = (target: Record<string, unknown>, source: Record<string, unknown>): void => {
    for (const [key, value] of Object.entries(source)) {
      if (typeof value === 'object' && value !== null) {
        merge(target[key] as Record<string, unknown>, value as Record<string, unknown>);
      } else target[key] = value;
    }
  };
  const victim: Record<string, unknown> = {};
  merge(victim, JSON.parse('{"__proto__":{"berthPolluted":"yes"}}') as Record<string, unknown>);
  assert.equal(({} as Record<string, unknown>)['berthPolluted'], 'yes');
  delete (Object.prototype as Record<string, unknown>)['berthPolluted'];
  const parsed = parseManifest(Buffer.from(hostile), { what: 'the manifest' });
  assert.ok(parsed.kind === 'manifest');
  assert.equal(Object.getPrototypeOf(parsed.manifest.annotations), null);
  assert.deepEqual(Object.entries(parsed.manifest.annotations).sort(), [
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ]);
});

test('M26 titles that are paths are no names of files, wherever an image goes', async () => {
  using shop = new Workshop();
  await using berth = new Puller();
  const title = 'org.opencontainers.image.title';
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const { layout } = shop;
  const config = layout.add('application/vnd.oci.image.config.v1+json', {
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: [] },
  });
  const blob = layout.add('application/vnd.oci.image.layer.v1.tar+gzip', layoutLayer);
  const annotations = { [title]: '../../escaped' };
  const layers = [{ ...blob, annotations }];
  const image = layout.add(mediaType, { schemaVersion: 2, mediaType, config, layers, annotations });
  layout.finish([{ ...image, annotations }]);
  mkdirSync(shop.at('a/b'), { recursive: true });
  for (const to of [`dir:${shop.at('a/b/d')}`, `oci:${shop.at('a/b/layout')}:x`]) {
    await berth.copy(`oci:${layout.path}`, to);
  }
  const found = readdirSync(shop.folder.path, { recursive: true }).map(String);
  assert.deepEqual(
    found.filter((name) => name.includes('escaped')),
    [],
    'a title was used as a path',
  );
  // control: a client that names files by their titles, as artifact clients do, writes outside of its folder
  writeFileSync(join(shop.at('a/b'), annotations[title]), layoutLayer);
  assert.ok(existsSync(shop.at('escaped')));
});
