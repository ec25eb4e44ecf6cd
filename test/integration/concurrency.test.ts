import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TempDir } from '../support/temp-dir.js';
import { installOneName, installSideBySide } from '../torture/concurrency.js';

// F17, F18: the small form of the crowds of `npm run torture`.

test('F18 many installs at once share their layers, and each is fetched once', async () => {
  using root = new TempDir();
  const { violations, looks } = await installSideBySide(root.path, 12);
  assert.deepEqual(violations, []);
  assert.ok(looks > 10, `readers looked ${looks} times only`);
});

test('F17 of many installs of one name one wins', async () => {
  using root = new TempDir();
  const { violations } = await installOneName(root.path, 12);
  assert.deepEqual(violations, []);
});
