import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { findCalendarProblem } from '../../../src/systemd/calendar-spec.js';
import { each } from '../../support/each.js';
import { systemdTakes, type TimeRow } from '../../support/systemd-analyze.js';

// systemd itself is asked about every row, and about what nobody thought of.

const TAKEN: readonly TimeRow[] = [
  ...['daily', 'Weekly', 'anually', 'bi-annually', 'daily UTC', '@1234567890', 'Mon @5'],
  ...['Mon', 'mon,WED..fri', 'Mon-Fri 10:00', 'Tuesday, 9:30', 'Sat..Sun *-*-* 0:0:0'],
  ...['*-*-01', '12-24 18:00', '*-02~03', '*~7/1', '26-01-01', '99-1-1', '2026..2028/2-*-*'],
  ...['*:0/15', '*:*:0/0.5', '8..18/2:00', '0:0:0..30/7.5', '9,12,18:00', '1..3/5-1', '*-*-* UTC'],
].map((name) => ({ name }));

const REFUSED: readonly TimeRow[] = [
  ...[
    '',
    'foo',
    'daily 10:00',
    'Mon daily',
    '10:00 Mon',
    '10',
    '*',
    'daily foo',
    '*-*-* 10',
    'Foo 10:00',
    'Mo 10:00',
  ].map((name) => ({ name, wrong: /^expects (?:daily and the like|weekdays as)/ })),
  ...['Fri..Mon', 'Mon..Tue..Wed', 'Mon,,Tue'].map((name) => ({
    name,
    wrong: /^expects weekdays/,
  })),
  { name: '24:00', wrong: /^expects hours from 0 to 23, not '24'$/ },
  { name: '*:60', wrong: /minutes from 0 to 59, not '60'/ },
  { name: '*:0/90', wrong: /minutes .* not '0\/90'/ },
  { name: '*:5..1', wrong: /minutes .* not '5\.\.1'/ },
  { name: '*:0/0', wrong: /minutes/ },
  { name: '*:*/5', wrong: /minutes/ },
  { name: '*:1.5', wrong: /minutes/ },
  { name: '*:*:60', wrong: /seconds from/ },
  { name: '*-13-01', wrong: /months from/ },
  { name: '*-*-32', wrong: /days from 1 to 31/ },
  { name: '*-*~29', wrong: /days before the end of the month/ },
  { name: '1969-*-*', wrong: /years from 1970 to 2199/ },
];

each<TimeRow>('findCalendarProblem() of', [...TAKEN, ...REFUSED], ({ name, wrong }) => {
  const problem = findCalendarProblem(name);
  if (wrong === undefined) assert.equal(problem, undefined);
  else assert.match(problem ?? 'it is taken', wrong);
  // An empty argument is none to systemd-analyze.
  if (name !== '')
    assert.equal(systemdTakes('calendar', name), wrong === undefined, 'systemd sees it otherwise');
});

test('findCalendarProblem() takes a time zone of the host, whatever it is called', () => {
  for (const zone of ['Europe/Berlin', 'America/Argentina/Ushuaia', 'CET', '+03', 'Japan', 'GMT0'])
    assert.equal(findCalendarProblem(`Mon *-*-* 10:00 ${zone}`), undefined, zone);
});

test('findCalendarProblem() refuses nothing that systemd takes', () => {
  const number = fc.oneof(fc.integer({ min: 0, max: 35 }), fc.integer({ min: 55, max: 2200 }));
  const item = fc
    .tuple(number, fc.option(number), fc.option(number))
    .map(
      ([from, to, step]) =>
        `${from}${to === null ? '' : `..${to}`}${step === null ? '' : `/${step}`}`,
    );
  const list = fc.oneof(
    fc.constant('*'),
    fc.array(item, { minLength: 1, maxLength: 2 }).map((items) => items.join(',')),
  );
  const date = fc.tuple(list, list, fc.constantFrom('-', '~'), list);
  const spec = fc.oneof(
    fc.tuple(list, list).map((time) => time.join(':')),
    fc.tuple(list, list, list).map((time) => time.join(':')),
    date.map(([year, month, sign, day]) => `${year}-${month}${sign}${day}`),
    date.map(([hour, month, sign, day]) => `${month}${sign}${day} ${hour}:0`),
  );
  fc.assert(
    fc.property(spec, (text) => {
      if (findCalendarProblem(text) !== undefined) assert.ok(!systemdTakes('calendar', text), text);
    }),
    { numRuns: 100 },
  );
});
