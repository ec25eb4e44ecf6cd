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

/**
 * Shows how far the layers of a pull are: bars that are redrawn in place on a terminal, one plain line when a layer
 * begins to flow and one when it is done otherwise. Writes to standard error.
 */
export class ProgressDisplay implements Disposable {
  readonly #stream: NodeJS.WriteStream;
  readonly #startedAt = performance.now();
  readonly #lines = new Map<string, ProgressLine>();
  readonly #announced = new Set<string>();
  #drawnLines = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  update(line: ProgressLine): void {
    this.#lines.set(line.id, line);
    if (!this.#stream.isTTY) {
      this.#announce(line);
      return;
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#draw();
    }, REDRAW_MS);
  }

  /** Draws the last state and leaves it standing. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#stream.isTTY && this.#lines.size > 0) this.#draw();
    this.#lines.clear();
    this.#drawnLines = 0;
  }

  #announce(line: ProgressLine): void {
    if (!line.finished || this.#announced.has(line.id)) return;
    this.#announced.add(line.id);
    this.#stream.write(`layer ${line.label}: ${formatBytes(line.doneBytes)} done\n`);
  }

  #draw(): void {
    const seconds = (performance.now() - this.#startedAt) / 1000;
    const width = this.#stream.columns > 0 ? Math.max(40, this.#stream.columns) : 80; // 0: not known
    const up = this.#drawnLines > 0 ? `\u001b[${this.#drawnLines}A` : '';
    const text = [...this.#lines.values()]
      .map((line) => `\u001b[2K${formatLine(line, seconds).slice(0, width - 1)}\n`)
      .join('');
    this.#stream.write(up + text);
    this.#drawnLines = this.#lines.size;
  }
}

function formatLine(line: ProgressLine, seconds: number): string {
  const share = line.totalBytes === 0 ? 1 : Math.min(1, line.doneBytes / line.totalBytes);
  const filled = Math.round(share * BAR_CELLS);
  const bar = '#'.repeat(filled) + '-'.repeat(BAR_CELLS - filled);
  const rate = seconds > 0 ? line.doneBytes / seconds : 0;
  const left = rate > 0 ? ((line.totalBytes - line.doneBytes) / rate) * 1000 : 0;
  const end = line.finished
    ? 'done'
    : `${formatBytes(rate)}/s${left > 0 ? `, ${formatDuration(left)} left` : ''}`;
  return `${line.label} [${bar}] ${formatBytes(line.doneBytes)} of ${formatBytes(line.totalBytes)}  ${end}`;
}
