import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ownFile } from '../../../src/base/own-files.js';
import { runOk } from '../../support/run-command.js';

/** What Node has loaded of HTTP/2, which undici brings, when a client was made, and when it was asked for something. */
const SCRIPT = `
  import { createRegistryClient } from '${ownFile('dist/src/registry/create-registry-client.js')}';
  const hasHttp2 = () => process.moduleLoadList.includes('NativeModule http2');
  const client = createRegistryClient({ env: {}, uid: 0 });
  const url = new URL('http://127.0.0.1:1/file');
  const before = hasHttp2();
  const request = { url, maxBytes: 1, signal: AbortSignal.abort(new Error('no request is sent')) };
  const failed = await client.fetchFile(request).then(() => '', ({ message }) => message);
  console.log(JSON.stringify([before, hasHttp2(), failed]));
`;

test('createRegistryClient() loads what speaks HTTP with the first request', async () => {
  const printed = await runOk([process.execPath, '--input-type=module', '--eval', SCRIPT]);
  const [before, after, failed] = JSON.parse(printed) as readonly [boolean, boolean, string];
  assert.deepEqual([before, after], [false, true]);
  assert.match(failed, /no request is sent/);
});
