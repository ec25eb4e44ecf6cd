import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BerthInTree } from '../support/berth-in-tree.js';

test('berth history says which values changed, and none that is secret now', async () => {
  using tree = new BerthInTree();
  const make = (secret: boolean): string =>
    tree.makeImage('web', [], {
      'manifest.json': JSON.stringify({
        defaultValues: { PORT: '80' },
        variables: { WORD: secret ? { secret } : { default: 'none' } },
      }),
    });
  await tree.runOk('install', '--name', 'web', '--set', 'WORD=hunter2', make(false));
  await tree.runOk('update', '--set', 'PORT=81', 'web');
  assert.match(
    await tree.runOk('history', 'web'),
    /^1 +current .*\n {8}~ PORT=80 → 81\n0 +previous .*\n$/m,
  );
  make(true);
  await tree.runOk('update', 'web');
  const { deployments } = JSON.parse(await tree.runOk('--json', 'history', 'web')) as {
    readonly deployments: readonly { readonly values: readonly unknown[] }[];
  };
  assert.deepEqual(
    deployments.map(({ values }) => values),
    [[{ name: 'WORD', before: '(secret)' }], []],
    'the last one is compared with none',
  );
});
