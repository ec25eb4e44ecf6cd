import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ProgressDisplay, type ProgressLine } from '../../../src/cli/output/progress.js';

/** A terminal as far as the display uses it: what has left the screen cannot be written to again. */
class Terminal {
  readonly isTTY = true;
  readonly columns = 80;
  readonly gone: string[] = [];
  screen: string[] = [];

  readonly rows: number;

  constructor(rows: number) {
    this.rows = rows;
  }

  write(text: string): boolean {
    const [, up = '0', rest = ''] = /^(?:\u001b\[(\d+)A)?\u001b\[J([^\u001b]*)$/.exec(text) ?? [];
    assert.ok(Number(up) <= this.screen.length, 'IT GOES UP TO WHAT HAS LEFT THE SCREEN');
    if (Number(up) > 0) this.screen.splice(-Number(up));
    this.screen.push(...rest.split('\n').slice(0, -1));
    // The last row is the cursor's own.
    this.gone.push(...this.screen.splice(0, Math.max(0, this.screen.length - (this.rows - 1))));
    return true;
  }
}

function show(terminal: Terminal): ProgressDisplay {
  return new ProgressDisplay(terminal as unknown as NodeJS.WriteStream);
}

const layer = (number: number, doneBytes: number): ProgressLine => ({
  id: `${number}`,
  label: `layer ${number}`,
  doneBytes,
  totalBytes: 1000,
  finished: doneBytes === 1000,
});

const drawn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 150));

test('ProgressDisplay shows each of forty layers once as done, on a terminal of ten rows', async () => {
  const terminal = new Terminal(10);
  {
    using display = show(terminal);
    for (let first = 0; first < 40; first += 4) {
      for (const done of [0, 1000]) {
        for (let at = first; at < first + 4; at++) display.update(layer(at, done));
        if (first < 12) await drawn();
      }
    }
  }
  const lines = [...terminal.gone, ...terminal.screen];
  assert.deepEqual(
    lines.map((line) => line.replace(/ \[#{16}\] 1\.0 kB of 1\.0 kB {2}done$/, '')),
    Array.from({ length: 40 }, (_, at) => `layer ${at}`),
  );
});

test('ProgressDisplay counts what it has no rows for', async () => {
  const terminal = new Terminal(5);
  using display = show(terminal);
  for (let at = 0; at < 8; at++) display.update(layer(at, 0));
  await drawn();
  await drawn();
  display.update(layer(0, 500));
  await drawn();
  assert.deepEqual(terminal.gone, []);
  assert.equal(terminal.screen.length, 4);
  assert.equal(terminal.screen.at(-1), 'and 5 more');
});

test('ProgressDisplay measures a rate from where a layer began, not from what was there before', async () => {
  const terminal = new Terminal(24);
  using display = show(terminal);
  display.update(layer(1, 900));
  await drawn();
  // Nothing came meanwhile, although nine tenths are there.
  assert.match(terminal.screen[0] ?? '', /900 B of 1\.0 kB {2}0 B\/s$/);
});
