import assert from 'node:assert/strict';
import { test } from 'node:test';

import { hasNodeZstd, NodeZstdDecompressor } from '../../src/layer/node-zstd-decompressor.js';
import { LibzstdDecompressor } from '../../src/layer/zstd-decompressor.js';
import { newerNode } from '../support/host-node.js';
import { runCommand } from '../support/run-command.js';
import { zstdContract } from './zstd-decompressor.js';

zstdContract({
  name: 'libzstd',
  create: (output) => new LibzstdDecompressor({ take: output }, 'aside'),
});
zstdContract({
  name: 'libzstd in this thread',
  create: (output) => new LibzstdDecompressor({ take: output }, 'here'),
});

if (hasNodeZstd()) {
  zstdContract({
    name: "Node's own zstd",
    create: (output) => new NodeZstdDecompressor({ take: output }),
  });
} else {
  // This Node has none: the same suite once more, under one that has it.
  test("Node's own zstd keeps the contract under a newer Node", async () => {
    const node = await newerNode();
    const path = new URL(import.meta.url).pathname;
    const { status, stdout } = await runCommand([node, '--test', '--test-reporter=tap', path], {
      env: { PATH: process.env['PATH'] },
      timeoutMs: 120_000,
    });
    assert.equal(status, 0, stdout.slice(-4000));
    assert.match(stdout, /Node's own zstd unpacks/);
  });
}
