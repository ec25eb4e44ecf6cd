import assert from 'node:assert/strict';
import { test } from 'node:test';

import { firstError } from '../../../src/errors/first-error.js';

/** Fails when it is released. */
function badResource(): Disposable {
  return {
    [Symbol.dispose]: () => {
      throw new Error('release');
    },
  };
}

test('firstError() gives the error of the block, not those of what was released after it', () => {
  const thrown = (): unknown => {
    try {
      using outer = badResource();
      using inner = badResource();
      throw new Error(`block ${typeof outer} ${typeof inner}`);
    } catch (error) {
      return error;
    }
  };
  const first = firstError(thrown());
  assert.ok(first instanceof Error);
  assert.equal(first.message, 'block object object');
  assert.equal(firstError('text'), 'text');
});
