import assert from 'node:assert/strict';

import { decodeBase64 } from '../../../src/base/decode-base64.js';
import { each } from '../../support/each.js';

each(
  'decodeBase64()',
  [
    { name: 'takes the one right form', text: 'YWI=', want: 'ab' },
    { name: 'passes over line breaks, as programs write them', text: 'YW\r\nI=\n', want: 'ab' },
    { name: 'refuses nothing', text: '\n', want: undefined },
    { name: 'refuses a missing end', text: 'YWI', want: undefined },
    { name: 'refuses bits behind the end', text: 'YWJ=', want: undefined },
    { name: 'refuses spaces', text: 'YW I=', want: undefined },
    { name: 'refuses the other alphabet', text: '__8=', want: undefined },
    { name: 'refuses what comes after the end', text: 'YWI=YWI=', want: undefined },
  ],
  ({ text, want }) => {
    assert.equal(decodeBase64(text)?.toString(), want);
  },
);
