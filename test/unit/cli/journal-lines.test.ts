import assert from 'node:assert/strict';
import { fstatSync } from 'node:fs';
import { test } from 'node:test';

import { journalLines } from '../../../src/cli/output/journal-lines.js';

const { dev, ino } = fstatSync(2);
const toJournal = { JOURNAL_STREAM: `${dev}:${ino}` };

test('journalLines() gives every line its priority where standard error is the journal', () => {
  assert.equal(
    journalLines('berth: a\n  because: b\n', 'error', toJournal),
    '<3>berth: a\n<3>  because: b\n',
  );
  assert.equal(journalLines('berth: a\n', 'warning', toJournal), '<4>berth: a\n');
  assert.equal(journalLines('Pulling\n', 'info', toJournal), '<6>Pulling\n');
});

test('journalLines() leaves text for people as it is', () => {
  assert.equal(journalLines('berth: a\n', 'error', {}), 'berth: a\n');
  // Inherited by a program whose standard error is somewhere else by now.
  assert.equal(journalLines('berth: a\n', 'error', { JOURNAL_STREAM: '1:2' }), 'berth: a\n');
});
