import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';

import {
  assertRefusal,
  digestOf,
  locationOf,
  partOf,
  putOf,
  type DistributionRule,
  type RegistryBed,
} from './rule.js';

/** How a blob gets there: ends with the last answer. */
interface Way {
  readonly name: string;
  readonly send: (
    bed: RegistryBed,
    content: Buffer,
    digest: string,
  ) => ReturnType<RegistryBed['ask']>;
}

const third = (content: Buffer): number => Math.ceil(content.length / 3);

/** Sends all but the last part in pieces, and gives the place where it goes on. */
async function sendParts(bed: RegistryBed, content: Buffer, upTo: number): Promise<string> {
  let place = await bed.startUpload();
  for (let start = 0; start < upTo;) {
    const end = Math.min(start + third(content), upTo);
    const answer = await bed.ask(place, partOf(content, { start, end }));
    assert.equal(answer.status, 202, answer.body.toString());
    assert.equal(answer.headers.range, `0-${end - 1}`);
    place = locationOf(answer);
    start = end;
  }
  return place;
}

const ways: readonly Way[] = [
  {
    name: 'with the request that begins it',
    send: (bed, content, digest) => bed.ask('/blobs/uploads/', putOf(content, 'POST'), { digest }),
  },
  {
    name: 'with a second request',
    send: async (bed, content, digest) =>
      bed.ask(await bed.startUpload(), putOf(content), { digest }),
  },
  {
    name: 'as a flow',
    send: async (bed, content, digest) => {
      const patched = await bed.ask(await bed.startUpload(), putOf(content, 'PATCH'));
      assert.equal(patched.status, 202, patched.body.toString());
      return bed.ask(locationOf(patched), putOf(Buffer.alloc(0)), { digest });
    },
  },
  {
    name: 'in parts',
    send: async (bed, content, digest) => {
      const place = await sendParts(bed, content, content.length);
      return bed.ask(place, putOf(Buffer.alloc(0)), { digest });
    },
  },
  {
    name: 'in parts, the last one with the request that ends it',
    send: async (bed, content, digest) => {
      const start = 2 * third(content);
      const place = await sendParts(bed, content, start);
      const last = partOf(content, { start, end: content.length, method: 'PUT' });
      return bed.ask(place, last, { digest });
    },
  },
];

/** distribution-spec v1.1, "Pushing blobs". */
export const pushBlobRules: readonly DistributionRule[] = [
  ...ways.map(({ name, send }): DistributionRule => ({
    name: `a blob is taken ${name}`,
    check: async (bed: RegistryBed): Promise<void> => {
      const content = randomBytes(1531);
      const digest = digestOf(content);
      const answer = await send(bed, content, digest);
      assert.equal(answer.status, 201, answer.body.toString());
      await bed.assertThere(locationOf(answer), { bytes: content });
      await bed.assertThere(`/blobs/${digest}`, { bytes: content });
    },
  })),
  ...ways.map(({ name, send }): DistributionRule => ({
    name: `a blob that is not what its digest says is refused ${name}`,
    check: async (bed: RegistryBed): Promise<void> => {
      const content = randomBytes(1531);
      const digest = digestOf(Buffer.from('promised'));
      assertRefusal(await send(bed, content, digest), [400], /^(DIGEST|SIZE|BLOB_UPLOAD)_INVALID$/);
      assert.equal((await bed.ask(`/blobs/${digest}`, { method: 'HEAD' })).status, 404);
    },
  })),
  {
    name: 'a part out of order is refused, and the upload goes on from where it was',
    check: async (bed: RegistryBed): Promise<void> => {
      const content = randomBytes(1531);
      const piece = third(content);
      const place = await sendParts(bed, content, piece);
      const late = partOf(content, { start: 2 * piece, end: content.length });
      assert.equal((await bed.ask(place, late)).status, 416);
      const state = await bed.ask(place);
      assert.equal(state.status, 204);
      assert.equal(state.headers.range, `0-${piece - 1}`);
      const rest = partOf(content, { start: piece, end: content.length, method: 'PUT' });
      const done = await bed.ask(locationOf(state), rest, { digest: digestOf(content) });
      assert.equal(done.status, 201, done.body.toString());
    },
  },
  {
    name: 'a last part out of order is refused',
    check: async (bed: RegistryBed): Promise<void> => {
      const content = randomBytes(1531);
      const piece = third(content);
      const place = await sendParts(bed, content, piece);
      const late = partOf(content, { start: 2 * piece, end: content.length, method: 'PUT' });
      assert.equal((await bed.ask(place, late, { digest: digestOf(content) })).status, 416);
    },
  },
  {
    name: 'an upload that was given up is gone',
    check: async (bed: RegistryBed): Promise<void> => {
      const place = await bed.startUpload();
      assert.equal((await bed.ask(place, { method: 'DELETE' })).status, 204);
      assertRefusal(await bed.ask(place, putOf(Buffer.from('late'), 'PATCH')), [404]);
    },
  },
  {
    name: 'a blob of another repository is taken over',
    check: async (bed: RegistryBed): Promise<void> => {
      const content = randomBytes(512);
      const other = bed.beside('other');
      const { digest } = await other.pushBlob(content);
      const mount = { mount: digest, from: other.repository };
      const mounted = await bed.ask('/blobs/uploads/', { method: 'POST' }, mount);
      assert.equal(mounted.status, 201);
      await bed.assertThere(locationOf(mounted), { bytes: content });
    },
  },
  {
    name: 'a blob that the other repository lacks has to be sent',
    check: async (bed: RegistryBed): Promise<void> => {
      const content = randomBytes(512);
      const digest = digestOf(content);
      const mount = { mount: digest, from: bed.beside('other').repository };
      const started = await bed.ask('/blobs/uploads/', { method: 'POST' }, mount);
      assert.equal(started.status, 202, 'a blob was taken over that is nowhere');
      const done = await bed.ask(locationOf(started), putOf(content), { digest });
      assert.equal(done.status, 201);
    },
  },
  {
    name: 'a blob of nobody knows where is taken over, or has to be sent',
    check: async (bed: RegistryBed): Promise<void> => {
      const content = randomBytes(512);
      const { digest } = await bed.beside('other').pushBlob(content);
      const started = await bed.ask('/blobs/uploads/', { method: 'POST' }, { mount: digest });
      const isOver = started.status === 201;
      const done = isOver
        ? started
        : await bed.ask(locationOf(started), putOf(content), { digest });
      assert.equal(done.status, 201, done.body.toString());
      await bed.assertThere(locationOf(done), { bytes: content });
    },
  },
];
