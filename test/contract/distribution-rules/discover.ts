import assert from 'node:assert/strict';

import type { HttpAnswer } from '../../support/ask-http.js';
import { digestOf, types, type DistributionRule, type Pushed, type RegistryBed } from './rule.js';

const TAGS = ['a', 'B', 'c', 'v1.0', 'v1.10', 'v1.9'];

async function pushTags(bed: RegistryBed): Promise<void> {
  const image = await bed.makeImage();
  for (const tag of TAGS) await bed.pushManifest(image, tag);
}

function tagsOf(answer: HttpAnswer): readonly string[] {
  assert.equal(answer.status, 200, answer.body.toString());
  // An empty list may be null: registries in Go say so.
  return (JSON.parse(answer.body.toString()) as { tags: readonly string[] | null }).tags ?? [];
}

/** By bytes, or without regard to case: both are lexical. */
const orders = [
  [...TAGS].sort(),
  [...TAGS].sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1)),
];

interface Referrer {
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

async function referrersOf(
  bed: RegistryBed,
  digest: string,
  parameters: Readonly<Record<string, string>> = {},
): Promise<{ readonly list: readonly Referrer[]; readonly answer: HttpAnswer }> {
  const answer = await bed.ask(`/referrers/${digest}`, {}, parameters);
  assert.equal(answer.status, 200, answer.body.toString());
  assert.equal(answer.headers['content-type'], types.index);
  const index = JSON.parse(answer.body.toString()) as {
    schemaVersion: number;
    mediaType: string;
    manifests: readonly Referrer[];
  };
  assert.deepEqual([index.schemaVersion, index.mediaType], [2, types.index]);
  return { list: index.manifests, answer };
}

function listed({ mediaType, digest, size }: Pushed, artifactType: string | undefined): Referrer {
  return {
    ...{ mediaType, digest, size },
    ...(artifactType === undefined ? {} : { artifactType }),
    annotations: { 'org.example': 'kept' },
  };
}

/** An image, and three that refer to it. */
async function pushReferrers(bed: RegistryBed) {
  const { mediaType, digest, size } = await bed.pushManifest(await bed.makeImage(), 'subject');
  const common = {
    subject: { mediaType, digest, size },
    annotations: { 'org.example': 'kept' },
  };
  const plain = await bed.pushManifest(await bed.makeImage(common));
  const typed = await bed.pushManifest(
    await bed.makeImage({ ...common, artifactType: types.example }),
  );
  const index = await bed.pushManifest({
    ...{ schemaVersion: 2, mediaType: types.index, manifests: [] },
    ...common,
  });
  return { digest, plain, typed, index };
}

const byDigest = (list: readonly Referrer[]): readonly Referrer[] =>
  [...list].sort((a, b) => (a.digest < b.digest ? -1 : 1));

/** distribution-spec v1.1, "Content Discovery". */
export const discoveryRules: readonly DistributionRule[] = [
  {
    name: 'the tags of a repository that is not there are nothing',
    check: async (bed: RegistryBed): Promise<void> => {
      const answer = await bed.ask('/tags/list');
      if (answer.status !== 404) assert.deepEqual(tagsOf(answer), []);
    },
  },
  {
    name: 'tags are listed in order, with the name of the repository',
    check: async (bed: RegistryBed): Promise<void> => {
      await pushTags(bed);
      const answer = await bed.ask('/tags/list');
      const found = tagsOf(answer);
      assert.ok(
        orders.some((order) => order.join() === found.join()),
        found.join(),
      );
      const { name } = JSON.parse(answer.body.toString()) as { name: string };
      assert.equal(name, bed.repository);
    },
  },
  {
    name: 'the tags after one of them are listed',
    check: async (bed: RegistryBed): Promise<void> => {
      await pushTags(bed);
      const all = tagsOf(await bed.ask('/tags/list'));
      const last = all[2] ?? '';
      assert.deepEqual(tagsOf(await bed.ask('/tags/list', {}, { last })), all.slice(3));
    },
  },
  {
    name: 'tags come in pages of the size that is asked for',
    check: async (bed: RegistryBed): Promise<void> => {
      await pushTags(bed);
      const all = tagsOf(await bed.ask('/tags/list'));
      const first = await bed.ask('/tags/list', {}, { n: '4' });
      assert.deepEqual(tagsOf(first), all.slice(0, 4));
      const next = /^<(.*)>; *rel="?next"?$/.exec(String(first.headers['link']))?.[1] ?? '';
      const second = await bed.ask(next);
      assert.deepEqual(tagsOf(second), all.slice(4));
      assert.equal(second.headers['link'], undefined);
    },
  },
  {
    name: 'no tags are listed where none are asked for',
    check: async (bed: RegistryBed): Promise<void> => {
      await pushTags(bed);
      const answer = await bed.ask('/tags/list', {}, { n: '0' });
      assert.deepEqual(tagsOf(answer), []);
      assert.equal(answer.headers['link'], undefined);
    },
  },
  {
    name: 'what refers to a manifest is listed, with type and annotations',
    check: async (bed: RegistryBed): Promise<void> => {
      const { digest, plain, typed, index } = await pushReferrers(bed);
      const { list } = await referrersOf(bed, digest);
      const expected = [
        listed(plain, types.config),
        listed(typed, types.example),
        listed(index, undefined),
      ];
      assert.deepEqual(byDigest(list), byDigest(expected));
    },
  },
  {
    name: 'what refers to a manifest is listed by its type where that is asked for',
    check: async (bed: RegistryBed): Promise<void> => {
      const { digest, typed } = await pushReferrers(bed);
      const { list, answer } = await referrersOf(bed, digest, { artifactType: types.example });
      assert.equal(answer.headers['oci-filters-applied'], 'artifactType');
      assert.deepEqual(list, [listed(typed, types.example)]);
    },
  },
  {
    name: 'nothing refers to what is not there, and that is no failure',
    check: async (bed: RegistryBed): Promise<void> => {
      await bed.pushManifest(await bed.makeImage(), 'one');
      const { list } = await referrersOf(bed, digestOf(Buffer.from('unknown')));
      assert.deepEqual(list, []);
    },
  },
  {
    name: 'referrers of what is no digest are a bad request',
    check: async (bed: RegistryBed): Promise<void> => {
      await bed.pushManifest(await bed.makeImage(), 'one');
      assert.equal((await bed.ask('/referrers/sha256:baddigeststring')).status, 400);
    },
  },
  {
    // What clients do where the registry has no list ("Referrers Tag Schema").
    name: 'an index of referrers is kept under a tag made of a digest',
    check: async (bed: RegistryBed): Promise<void> => {
      const subject = await bed.pushManifest(await bed.makeImage(), 'one');
      const document = { schemaVersion: 2, mediaType: types.index, manifests: [] };
      const tag = subject.digest.replace(':', '-');
      const { bytes } = await bed.pushManifest(document, tag);
      await bed.assertThere(`/manifests/${tag}`, { bytes, accept: types.index });
    },
  },
];
