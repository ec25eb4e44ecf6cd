import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { findTimeSpanProblem } from '../../../src/systemd/time-span.js';
import { each } from '../../support/each.js';
import { systemdTakes, type TimeRow } from '../../support/systemd-analyze.js';

// systemd itself is asked about every row, and about what nobody thought of.

const TAKEN: readonly TimeRow[] = [
  ...['0', '90', '5min', '1h30min', '1h 30 min', '2.5h', '.5s', '+3s', ' 7d ', '1 2', 'infinity'],
  ...['1y2M3w4d', '5ms', '5m', '5M', '9 us', '9\u03bcs', '9\u00b5s', '1minutes', '3months5msec'],
  ...['1.5', '12.34 .56', '12.34s.56', '1  sec', ' infinity\t', '584541y'],
].map((name) => ({ name }));

const REFUSED: readonly TimeRow[] = [
  ...['5x', '5 x', 'soon', '1.', '3.sec', '1,5h', '12.34.56', '5mins', '5secs', '1H', 's', '0x10'],
  ...['infinity 5', 'inf', '5 infinity', '1_000', '1e3', '5min/2', '+'],
].map((name) => ({ name, wrong: /^expects a time such as 90, 1min 30s or 2\.5h$/ }));

each<TimeRow>(
  'findTimeSpanProblem() is of one mind with systemd about',
  [
    ...TAKEN,
    ...REFUSED,
    ...['-5', '5min -3s', '-0'].map((name) => ({ name, wrong: /not below zero$/ })),
    ...['584543y', '9223372036854775808us', '99999999999999999999'].map((name) => ({
      name,
      wrong: /fewer than 584542 years/,
    })),
  ],
  ({ name, wrong }) => {
    assert.equal(systemdTakes('timespan', name), wrong === undefined, 'systemd thinks otherwise');
    const problem = findTimeSpanProblem(name);
    if (wrong === undefined) assert.equal(problem, undefined);
    else assert.match(problem ?? 'nothing', wrong);
  },
);

test('findTimeSpanProblem() takes what systemd takes, and refuses the rest', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      ' ',
      '.',
      '-',
      '+',
      's',
      'sec',
      'm',
      'min',
      'M',
      'ms',
      'h',
      'd',
      'w',
      'y',
      'us',
    ),
    fc.constantFrom('month', 'minutes', 'infinity', 'x', '5', '0', '17', '1.5', '99999999999'),
  );
  const spans = fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(
      spans.filter((span) => span.trim() !== ''),
      (span) => {
        assert.equal(
          findTimeSpanProblem(span) === undefined,
          systemdTakes('timespan', span),
          JSON.stringify(span),
        );
      },
    ),
    { numRuns: 150 },
  );
});
