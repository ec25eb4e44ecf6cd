import { formatBytes, formatDuration } from './units.js';

/** A line of the progress display: one layer being fetched. */
export interface ProgressLine {
  readonly id: string;
  readonly label: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly finished: boolean;
}

/** Milliseconds between two drawings: ten a second look smooth and cost nothing. */
const REDRAW_MS = 100;

const BAR_CELLS = 16;

/** What the display knows of a line beside what it was told last. */
interface Shown {
  line: ProgressLine;
  /** When it began, by performance.now(), and with how much: what was there before says nothing of the rate. */
  readonly sinceMs: number;
  readonly sinceBytes: number;
}

/**
 * Shows how far the layers of a pull are: bars that are redrawn in place on a terminal, one plain line when a layer
 * begins to flow and one when it is done otherwise. Writes to standard error.
 *
 * On a terminal a line that is done is written once and scrolls away with what follows it: only what flows is redrawn, and no
 * more of that than the terminal has rows, since the cursor cannot go up to what has left the screen.
 */
export class ProgressDisplay implements Disposable {
  readonly #stream: NodeJS.WriteStream;
  readonly #flowing = new Map<string, Shown>();
  readonly #done = new Set<string>();
  #drawnLines = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  update(line: ProgressLine): void {
    if (this.#done.has(line.id)) return;
    if (!this.#stream.isTTY) {
      this.#announce(line);
      return;
    }
    const shown = this.#flowing.get(line.id);
    if (shown === undefined) {
      const sinceMs = performance.now();
      this.#flowing.set(line.id, { line, sinceMs, sinceBytes: line.doneBytes });
    } else shown.line = line;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#draw();
    }, REDRAW_MS);
  }

  /** Draws the last state and leaves it standing. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#flowing.size > 0) this.#draw();
    this.#flowing.clear();
    this.#done.clear();
    this.#drawnLines = 0;
  }

  #announce(line: ProgressLine): void {
    if (!line.finished) return;
    this.#done.add(line.id);
    this.#stream.write(`layer ${line.label}: ${formatBytes(line.doneBytes)} done\n`);
  }

  #draw(): void {
    const { columns, rows } = this.#stream;
    const width = columns > 0 ? Math.max(40, columns) : 80; // 0: not known
    const nowMs = performance.now();
    const draw = (shown: Shown): string => `${formatLine(shown, nowMs).slice(0, width - 1)}\n`;
    const done = [...this.#flowing.values()].filter(({ line }) => line.finished);
    for (const { line } of done) {
      this.#flowing.delete(line.id);
      this.#done.add(line.id);
    }
    const flowing = [...this.#flowing.values()];
    const room = Math.max(2, (rows > 0 ? rows : 24) - 1);
    const hidden = flowing.length > room ? flowing.length - room + 1 : 0;
    const drawn = flowing.slice(0, flowing.length - hidden);
    const text = [...done, ...drawn].map(draw).join('');
    const more = hidden === 0 ? '' : `and ${hidden} more\n`;
    const up = this.#drawnLines > 0 ? `\u001b[${this.#drawnLines}A` : '';
    this.#stream.write(`${up}\u001b[J${text}${more}`);
    this.#drawnLines = drawn.length + (hidden === 0 ? 0 : 1);
  }
}

function formatLine({ line, sinceMs, sinceBytes }: Shown, nowMs: number): string {
  const share = line.totalBytes === 0 ? 1 : Math.min(1, line.doneBytes / line.totalBytes);
  const filled = Math.round(share * BAR_CELLS);
  const bar = '#'.repeat(filled) + '-'.repeat(BAR_CELLS - filled);
  const seconds = (nowMs - sinceMs) / 1000;
  const rate = seconds > 0 ? (line.doneBytes - sinceBytes) / seconds : 0;
  const left = rate > 0 ? ((line.totalBytes - line.doneBytes) / rate) * 1000 : 0;
  const end = line.finished
    ? 'done'
    : `${formatBytes(rate)}/s${left > 0 ? `, ${formatDuration(left)} left` : ''}`;
  return `${line.label} [${bar}] ${formatBytes(line.doneBytes)} of ${formatBytes(line.totalBytes)}  ${end}`;
}
