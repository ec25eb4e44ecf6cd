import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  byteRate,
  duration,
  listOf,
  oneOf,
  textLike,
  wholeNumber,
  yesOrNo,
  type ConfKind,
} from '../../../src/config/conf-kinds.js';
import { each } from '../../support/each.js';

const host = /^[a-z.]+$/;

interface Row {
  readonly name: string;
  readonly kind: ConfKind<unknown>;
  /** Values of the file that are taken, and as what. */
  readonly takes: readonly (readonly [unknown, unknown])[];
  readonly refuses: readonly unknown[];
  readonly texts: readonly (readonly [string, unknown])[];
}

each<Row>(
  'a key of berth.conf that is',
  [
    {
      name: 'true or false',
      kind: yesOrNo(),
      takes: [
        [true, true],
        [false, false],
      ],
      refuses: ['true', 1, 0, [], {}],
      texts: [
        ['1', true],
        ['false', false],
        ['yes', undefined],
      ],
    },
    {
      name: 'a number',
      kind: wholeNumber(1, 32),
      takes: [
        [1, 1],
        [32, 32],
      ],
      refuses: [0, 33, -1, 1.5, '4', NaN, Infinity, 1e300, true, [4]],
      texts: [
        ['4', 4],
        ['33', undefined],
        ['4 ', undefined],
        ['0x4', undefined],
        ['4e0', undefined],
      ],
    },
    {
      name: 'a time',
      kind: duration(0, 3600),
      takes: [
        [10, 10_000],
        [0.2, 200],
        ['250ms', 250],
        ['1.5m', 90_000],
        ['1h', 3_600_000],
        ['0s', 0],
      ],
      refuses: [-1, 3601, '61min', '1 h', '', 's', '1e3s', '1w', NaN, new Date(0), ['1s']],
      texts: [
        ['0.2', 200],
        ['10s', 10_000],
        ['ten', undefined],
        ['-1', undefined],
      ],
    },
    {
      name: 'a rate',
      kind: byteRate(),
      takes: [
        [500, 500],
        ['500K', 512_000],
        ['2m', 2_097_152],
      ],
      refuses: [0, -1, 1.5, '2MB', '', '0', '9'.repeat(40), {}],
      texts: [['1G', 1_073_741_824]],
    },
    {
      name: 'one of some words',
      kind: oneOf(['embedded', 'ostree']),
      takes: [['ostree', 'ostree']],
      refuses: ['', 'OSTREE', 'ostree ', 1, ['ostree']],
      texts: [
        ['embedded', 'embedded'],
        ['x', undefined],
      ],
    },
    {
      name: 'a text of some form',
      kind: textLike(host, 'a host'),
      takes: [['a.b', 'a.b']],
      refuses: ['', 'A', 1, null],
      texts: [['a', 'a']],
    },
    {
      name: 'a list',
      kind: listOf(host, 'a list of hosts'),
      takes: [
        [[], []],
        [
          ['a.b', 'c'],
          ['a.b', 'c'],
        ],
      ],
      refuses: ['a.b', [1], ['a', 'B'], [['a']], Array.from({ length: 257 }, () => 'a')],
      texts: [
        ['a.b, c', ['a.b', 'c']],
        ['a,,b', undefined],
      ],
    },
  ],
  ({ kind, takes, refuses, texts }) => {
    for (const [value, result] of takes) assert.deepEqual(kind.read(value), result);
    for (const value of refuses)
      assert.equal(kind.read(value), undefined, `took ${JSON.stringify(value)}`);
    for (const [text, result] of texts) assert.deepEqual(kind.readText(text), result, text);
  },
);

test('what a kind expects can stand in a message', () => {
  assert.equal(wholeNumber(1, 2).expected, 'a number from 1 to 2');
  assert.equal(oneOf(['a', 'b']).expected, 'one of "a", "b"');
});
