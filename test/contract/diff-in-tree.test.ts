import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BerthInTree } from '../support/berth-in-tree.js';

const DPKG = (version: string): string =>
  `Package: nginx\nStatus: install ok installed\nArchitecture: amd64\nVersion: ${version}\n`;

test('berth diff compares a container with an image, in words and as JSON', async () => {
  using tree = new BerthInTree();
  const first = tree.makeImage(
    'first',
    [
      { path: 'probe', content: 'program', mode: 0o755 },
      { path: 'var/lib/dpkg/status', content: DPKG('1.22.0') },
      { path: 'gone', content: 'x' },
    ],
    { 'manifest.json': '{"defaultValues": {"LEVEL": "0"}}' },
  );
  const second = tree.makeImage(
    'second',
    [
      { path: 'probe', content: 'program 2', mode: 0o755 },
      { path: 'var/lib/dpkg/status', content: DPKG('1.24.0') },
    ],
    { 'service.template': '[Service]\nExecStart=$EXEC_START\nNice=5\n' },
  );
  await tree.runOk('install', '--name', 'one', '--set', 'LEVEL=1', first);
  await tree.runOk('install', '--name', 'two', second);

  const text = await tree.runOk('diff', 'one', 'two');
  assert.match(text, /^one\.0 → two\.0\n/);
  assert.match(text, /~ nginx 1\.22\.0 → 1\.24\.0/);
  assert.match(text, /- \/gone/);
  assert.match(text, /~ \/probe {2}\(content; 7 B → 9 B\)/);
  assert.match(text, /- LEVEL=1/);
  const images = JSON.parse(await tree.runOk('--json', 'diff', 'one.0', second)) as {
    files: { added: number; removed: number };
    variables: unknown[];
  };
  // The manifest of the exports goes with the file.
  assert.deepEqual([images.files.added, images.files.removed], [0, 2]);
  assert.match(await tree.runOk('diff', first, first), /There is no difference/);

  const unknown = await tree.run('diff', 'one', 'twoo');
  assert.equal(unknown.status, 66, unknown.stderr);
  assert.match(unknown.stderr, /did you mean 'two'/);
  for (const what of ['../../etc', '', 'one.7', 'a b'])
    assert.equal((await tree.run('diff', what, 'one')).status, 66, what);
});
