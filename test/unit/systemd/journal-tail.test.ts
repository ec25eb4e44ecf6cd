import assert from 'node:assert/strict';
import { test } from 'node:test';

import { linesOfRun, parseJournalLines } from '../../../src/systemd/journal-tail.js';
import { each } from '../../support/each.js';

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

each(
  'linesOfRun() has what a program wrote in its run, whatever journald knew of it:',
  [
    { name: 'all', ids: ['one', 'one', 'two', 'two'], want: [2, 3] },
    { name: 'where its lines come last', ids: ['one', 'two', undefined], want: [1, 2] },
    {
      name: 'where its lines come before those of systemd',
      ids: ['one', undefined, undefined, 'two', 'two'],
      want: [1, 2, 3, 4],
    },
    { name: 'where it is the first run', ids: [undefined, 'two'], want: [0, 1] },
    { name: 'where journald knows nothing of it', ids: ['one', undefined], want: [0, 1] },
    { name: 'with nothing', ids: [], want: [] },
  ],
  ({ ids, want }) => {
    const lines = ids.map((invocationId, at) => ({
      ...{ timestampUs: 0n, priority: 6, identifier: 'sh', message: String(at) },
      invocationId,
    }));
    const found = linesOfRun(lines, 'two').map(({ message }) => Number(message));
    assert.deepEqual(found, want);
  },
);
