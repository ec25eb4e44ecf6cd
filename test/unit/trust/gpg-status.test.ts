import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readGpgStatus } from '../../../src/trust/gpg-status.js';

const LINES = `NEWSIG
GOODSIG 4A14 good
VALIDSIG ${'A'.repeat(40)} 2026-11-21 1795292106 0 4 0 1 10 00 ${'B'.repeat(40)}`;
const status = (text: string): string => text.replace(/^/gm, '[GNUPG:] ');

test('S22 what gpgv says is read to the letter', () => {
  const fine = status(`PLAINTEXT 62 0 x\n${LINES}`);
  assert.deepEqual(readGpgStatus(fine), {
    good: true,
    key: 'A'.repeat(40),
    primaryKey: 'B'.repeat(40),
    madeAtSeconds: 1795292106,
  });
  for (const spoiled of [
    '',
    status(LINES),
    fine.replace('GOODSIG', 'EXPSIG'),
    fine.replace('GOODSIG', 'EXPKEYSIG'),
    fine.replace('GOODSIG', 'REVKEYSIG'),
    fine.replace('GOODSIG', 'BADSIG'),
    fine.replace(/^.*GOODSIG.*\n/m, ''),
    fine.replace(/^.*VALIDSIG.*$/m, ''),
    `${fine}\n${status(LINES)}`,
    `${fine}\n${status('PLAINTEXT 62 0 y')}`,
    `${fine}\n${status('BADSIG 1 other')}`,
    fine.replace(' 10 00 ', ' 2 00 '),
    fine.replace(' 10 00 ', ' 1 00 '),
    fine.replace(' 10 00 ', ' 10 01 '),
    fine.replace(' 1795292106 ', ' 21260101T000000 '),
    fine.replace(/^\[GNUPG:\] GOODSIG/m, ' [GNUPG:] GOODSIG'),
  ])
    assert.equal(readGpgStatus(spoiled).good, false, spoiled);
});
