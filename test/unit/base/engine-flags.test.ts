import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

test('no flag is set that this engine does not know: it would complain on standard error', () => {
  const folder = new URL('../../../src/base/', import.meta.url).href;
  const script = `
    import * as flags from '${folder}engine-flags.js';
    import { noteFlow } from '${folder}collect-flow.js';
    flags.prepareForFlows();
    flags.optimiseLater();
    const hasBegun = flags.beginThread();
    flags.prepareForPull();
    hasBegun();
    flags.leaveWasmUnoptimised();
    new WebAssembly.Module(Buffer.from([0, 97, 115, 109, 1, 0, 0, 0]));
    noteFlow(10_000_000);
    console.log(flags.isKnownEngine());`;
  const node = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
  });
  assert.deepEqual([node.stderr, node.stdout.trim()], ['', 'true']);
});

test('Node finds its own modules compiled until a pull and its threads are under way, behind WebAssembly too', () => {
  const folder = new URL('../../../src/base/', import.meta.url).href;
  const script = `
    import { createRequire } from 'node:module';
    import * as flags from '${folder}engine-flags.js';
    const require = createRequire('/');
    const builtins = require('internal/test/binding').internalBinding('builtins');
    const isCompiledAnew = (id) => {
      require('node:' + id);
      return builtins.getCacheUsage().compiledWithoutCache.has(id);
    };
    flags.leaveWasmUnoptimised();
    new WebAssembly.Module(Buffer.from([0, 97, 115, 109, 1, 0, 0, 0]));
    const found = [isCompiledAnew('tls')];
    const hasBegun = flags.beginThread();
    flags.prepareForPull();
    found.push(isCompiledAnew('http2'));
    hasBegun();
    found.push(isCompiledAnew('repl'));
    console.log(JSON.stringify(found));`;
  const argv = ['--expose-internals', '--no-warnings', '--input-type=module', '--eval', script];
  const node = spawnSync(process.execPath, argv, { encoding: 'utf8' });
  // The last one shows that the flags are set then, and that this is seen.
  assert.deepEqual([node.stderr, node.stdout.trim()], ['', '[false,false,true]']);
});
