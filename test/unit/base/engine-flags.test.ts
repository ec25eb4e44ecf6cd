import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

test('no flag is set that this engine does not know: it would complain on standard error', () => {
  const folder = new URL('../../../src/base/', import.meta.url).href;
  const script = `
    import * as flags from '${folder}engine-flags.js';
    import { noteFlow } from '${folder}collect-flow.js';
    flags.prepareForFlows();
    flags.keepYoungHeapSmall();
    flags.optimiseLater();
    flags.leaveWasmUnoptimised();
    noteFlow(10_000_000);
    console.log(flags.isKnownEngine());`;
  const node = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
  });
  assert.deepEqual([node.stderr, node.stdout.trim()], ['', 'true']);
});
