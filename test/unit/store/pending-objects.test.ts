import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { NodeMeta } from '../../../src/layer/tree.js';
import { objectName } from '../../../src/store/embedded/object-name.js';
import { PendingObjects } from '../../../src/store/pending-objects.js';

const nameOf = (contentSha256: string, meta: NodeMeta): string =>
  objectName({ contentSha256, meta });

function metaOf(mode: number): NodeMeta {
  return { mode, uid: 0, gid: 0, mtimeSeconds: 7, mtimeNanoseconds: 0, xattrs: [] };
}

test('objects of one content are told apart by their metadata, and by nothing else', () => {
  const [one, two] = ['1'.repeat(64), '2'.repeat(64)];
  const pending = new PendingObjects(nameOf);
  const has = (digest: string, meta: NodeMeta): boolean =>
    pending.has(nameOf(digest, meta), digest, meta);
  assert.equal(has(one, metaOf(0o644)), false);
  pending.add(one, metaOf(0o644), 1);
  pending.add(one, metaOf(0o755), 2);
  pending.add(two, metaOf(0o644), 3);
  assert.equal(has(one, metaOf(0o644)), true, 'equal, not the same object');
  assert.equal(has(one, metaOf(0o755)), true);
  assert.equal(has(one, metaOf(0o700)), false);
  assert.equal(has(two, metaOf(0o755)), false);
  assert.deepEqual(
    new Map(pending),
    new Map([
      [nameOf(one, metaOf(0o644)), 1],
      [nameOf(one, metaOf(0o755)), 2],
      [nameOf(two, metaOf(0o644)), 3],
    ]),
  );
  pending.clear();
  assert.deepEqual([...pending], []);
  assert.equal(has(one, metaOf(0o644)), false);
});
