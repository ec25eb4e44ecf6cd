import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { readHostPlatform } from '../../src/images/host-platform.js';
import { Puller } from '../support/pull-from.js';
import { runOk } from '../support/run-command.js';
import { TempDir } from '../support/temp-dir.js';

test('what umoci writes is read', async () => {
  using folder = new TempDir();
  const layout = join(folder.path, 'layout');
  const tree = join(folder.path, 'tree');
  mkdirSync(tree);
  writeFileSync(join(tree, 'hello'), 'hello');
  await runOk(['umoci', 'init', '--layout', layout]);
  await runOk(['umoci', 'new', '--image', `${layout}:one`]);
  await runOk(['umoci', 'insert', '--image', `${layout}:one`, tree, '/tree']);
  await runOk(['umoci', 'tag', '--image', `${layout}:one`, 'two']);
  await runOk(['umoci', 'config', '--image', `${layout}:two`, '--config.cmd', '/tree/hello']);
  await using puller = new Puller();
  const plan = await puller.prepare(`oci:${layout}:two`, readHostPlatform());
  assert.equal(plan.layers.length, 1);
  assert.deepEqual(plan.config.process.cmd, ['/tree/hello']);
});
