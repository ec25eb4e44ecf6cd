import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { test } from 'node:test';

import fc from 'fast-check';

import { OperationalError } from '../../../src/errors/operational-error.js';
import { cleanPath } from '../../../src/layer/clean-path.js';
import { DEFAULT_LAYER_LIMITS } from '../../../src/layer/limits.js';
import { classifyWhiteout } from '../../../src/layer/whiteout.js';
import { each } from '../../support/each.js';

const archived = fc
  .array(fc.constantFrom('', '.', '..', '...', 'a', '.wh.a', 'b\xff', '/', '//', './', '../'), {
    maxLength: 12,
  })
  .map((parts) => parts.join('/'));

test('cleanPath() never gives a path outside the root, and gives what resolving gives', () => {
  fc.assert(
    fc.property(archived, (path) => {
      let clean: string;
      try {
        clean = cleanPath(path, DEFAULT_LAYER_LIMITS);
      } catch (error) {
        assert.ok(error instanceof OperationalError);
        assert.equal(error.code, 'LAYER_PATH_ESCAPE');
        assert.ok(path.split('/').includes('..'), 'an honest path was refused');
        return;
      }
      assert.equal(`/${clean}`, posix.resolve('/', `./${path}`));
      for (const component of clean === '' ? [] : clean.split('/')) {
        assert.ok(!['', '.', '..'].includes(component), 'path escape');
      }
    }),
    { numRuns: 2000 },
  );
});

each(
  'classifyWhiteout()',
  [
    { name: '.wh.a', want: { kind: 'whiteout', path: 'a' } },
    { name: 'd/.wh.a', want: { kind: 'whiteout', path: 'd/a' } },
    { name: 'd/.wh..a', want: { kind: 'whiteout', path: 'd/.a' } },
    { name: '.wh..wh..opq', want: { kind: 'opaque', path: '' } },
    { name: 'd/e/.wh..wh..opq', want: { kind: 'opaque', path: 'd/e' } },
    { name: '.wh..wh.plnk', want: { kind: 'ignored' } },
    { name: '.wh..wh.plnk/1.2', want: { kind: 'ignored' } },
    { name: 'a.wh.b', want: undefined },
    { name: 'd.wh./f', want: undefined },
  ],
  ({ name, want }) => {
    assert.deepEqual(classifyWhiteout(name), want);
  },
);
