import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseJournalLines } from '../../../src/systemd/journal-tail.js';

test('parseJournalLines() reads text, bytes and repeated fields', () => {
  const lines = [
    '{"__REALTIME_TIMESTAMP":"1795222498091157","PRIORITY":"3","SYSLOG_IDENTIFIER":"etcd","MESSAGE":"cannot bind"}',
    '{"MESSAGE":[99,97,102,255],"INVOCATION_ID":"ab","_SYSTEMD_INVOCATION_ID":"of systemd"}',
    '{"MESSAGE":["first","second"],"_SYSTEMD_INVOCATION_ID":"cd"}',
    '{"MESSAGE":null}',
    '',
  ];
  assert.deepEqual(parseJournalLines(lines.join('\n')), [
    {
      timestampUs: 1795222498091157n,
      priority: 3,
      identifier: 'etcd',
      invocationId: undefined,
      message: 'cannot bind',
    },
    { timestampUs: 0n, priority: 6, identifier: '', invocationId: 'ab', message: 'caf\ufffd' },
    { timestampUs: 0n, priority: 6, identifier: '', invocationId: 'cd', message: 'first' },
    { timestampUs: 0n, priority: 6, identifier: '', invocationId: undefined, message: '' },
  ]);
});
