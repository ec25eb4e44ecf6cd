import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';

import { assertRefusal, digestOf, types, type DistributionRule, type RegistryBed } from './rule.js';

const ZEROS = `sha256:${'0'.repeat(64)}`;

const size = 2048;
/** What is asked for of a blob of 2048 bytes, and what of it has to come; none: 416. */
// prettier-ignore
const ranges: readonly { readonly range: string; readonly part?: readonly [number, number] }[] = [
  { range: '500-1499', part: [500, 1500] },
  { range: '500-', part: [500, size] },
  { range: '-500', part: [size - 500, size] },
  { range: '2000-5000', part: [2000, size] },
  { range: '500-0' },
  { range: '5000-10000' },
];

/** distribution-spec v1.1, "Pull". */
export const pullRules: readonly DistributionRule[] = [
  {
    name: 'the version is supported',
    check: async (bed: RegistryBed): Promise<void> => {
      assert.equal((await bed.ask('/v2/')).status, 200);
    },
  },
  {
    name: 'a manifest is given by tag and by digest, byte for byte',
    check: async (bed: RegistryBed): Promise<void> => {
      const { digest, bytes, mediaType } = await bed.pushManifest(await bed.makeImage(), 'one');
      for (const reference of ['one', digest]) {
        const path = `/manifests/${reference}`;
        const { headers } = await bed.assertThere(path, { bytes, accept: mediaType });
        assert.equal(headers['content-type'], mediaType);
        assert.equal(headers['docker-content-digest'], digest);
      }
    },
  },
  {
    name: 'a blob is given by digest',
    check: async (bed: RegistryBed): Promise<void> => {
      const bytes = randomBytes(1024);
      const { digest } = await bed.pushBlob(bytes);
      const { headers } = await bed.assertThere(`/blobs/${digest}`, { bytes });
      assert.equal(headers['docker-content-digest'], digest);
    },
  },
  {
    name: 'an empty blob, and one of two bytes, are blobs as others are',
    check: async (bed: RegistryBed): Promise<void> => {
      for (const bytes of [Buffer.alloc(0), Buffer.from('{}')]) {
        const { digest } = await bed.pushBlob(bytes);
        await bed.assertThere(`/blobs/${digest}`, { bytes });
      }
    },
  },
  {
    name: 'what is not there is answered with 404 and its name',
    check: async (bed: RegistryBed): Promise<void> => {
      await bed.pushManifest(await bed.makeImage(), 'one');
      const rows = [
        ['/manifests/none', /^MANIFEST_UNKNOWN$/],
        [`/manifests/${ZEROS}`, /^MANIFEST_UNKNOWN$/],
        [`/blobs/${ZEROS}`, /^BLOB_UNKNOWN$/],
      ] as const;
      for (const [path, code] of rows) {
        assertRefusal(await bed.ask(path), [404], code);
        assert.equal((await bed.ask(path, { method: 'HEAD' })).status, 404, path);
      }
    },
  },
  {
    name: 'a repository that is not there is answered with 404',
    check: async (bed: RegistryBed): Promise<void> => {
      assertRefusal(await bed.ask('/manifests/latest'), [404], /^(NAME|MANIFEST)_UNKNOWN$/);
    },
  },
  {
    name: 'what is no digest is answered with 400 or 404',
    check: async (bed: RegistryBed): Promise<void> => {
      await bed.pushManifest(await bed.makeImage(), 'one');
      assertRefusal(await bed.ask('/manifests/sha256:baddigeststring'), [400, 404]);
      assertRefusal(await bed.ask('/blobs/sha256:baddigeststring'), [400, 404]);
    },
  },
  ...ranges.map(({ range, part }): DistributionRule => {
    return {
      name: `of a blob of ${size} bytes the range ${range} is ${part === undefined ? 'refused' : 'given'}`,
      check: async (bed: RegistryBed): Promise<void> => {
        const bytes = randomBytes(size);
        const { digest } = await bed.pushBlob(bytes);
        const headers = { range: `bytes=${range}` };
        const answer = await bed.ask(`/blobs/${digest}`, { headers });
        if (part === undefined) {
          assert.equal(answer.status, 416);
          return;
        }
        const [start, end] = part;
        assert.equal(answer.status, 206);
        assert.match(
          answer.headers['content-range'] ?? '',
          new RegExp(`^bytes ${start}-${end - 1}/(${size}|\\*)$`),
        );
        assert.equal(answer.headers['content-length'], String(end - start));
        assert.deepEqual(answer.body, bytes.subarray(start, end));
      },
    };
  }),
  {
    name: 'content with a digest of sha512 is given under it',
    check: async (bed: RegistryBed): Promise<void> => {
      const bytes = randomBytes(512);
      const { digest } = await bed.pushBlob(bytes, 'sha512');
      await bed.assertThere(`/blobs/${digest}`, { bytes });
      const image = await bed.makeImage({}, 'sha512');
      const pushed = await bed.pushManifest(image, undefined, 'sha512');
      assert.equal(pushed.digest, digestOf(pushed.bytes, 'sha512'));
      const path = `/manifests/${pushed.digest}`;
      await bed.assertThere(path, { bytes: pushed.bytes, accept: types.manifest });
    },
  },
];
