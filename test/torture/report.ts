import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

/** What one part of the torture came to. */
export interface ReportRow {
  /** `kills`, `faults`, … */
  readonly part: string;
  /** A verb, a file system, or what else the part is repeated for. */
  readonly name: string;
  /** Counts, in the order in which they are shown. */
  readonly figures: Readonly<Record<string, number>>;
  readonly violations: readonly string[];
  readonly seconds: number;
}

/** The report of a whole run, as `--json` writes it. */
interface ReportFile {
  readonly format: 1;
  readonly seed: number;
  /** Whether every part that was asked for ran to its end. */
  readonly complete: boolean;
  readonly rows: readonly ReportRow[];
}

/** What a part gives; the report adds the rest. */
export type Outcome = Pick<ReportRow, 'figures' | 'violations'>;

/** Collects what the parts come to; each is on the disk as soon as it is known, so that a run can be taken up again. */
export class TortureReport {
  readonly seed: number;
  readonly #file: string | undefined;
  readonly #say: (text: string) => void;
  readonly #rows: ReportRow[] = [];

  /** `file` is written after each part; with `resume`, what it has already is not done again, and its seed is taken. */
  constructor(options: {
    readonly seed: number;
    readonly file: string | undefined;
    readonly resume: boolean;
    readonly say: (text: string) => void;
  }) {
    this.#file = options.file;
    this.#say = options.say;
    const before =
      options.resume && options.file !== undefined && existsSync(options.file)
        ? (JSON.parse(readFileSync(options.file, 'utf8')) as ReportFile)
        : undefined;
    this.seed = before?.seed ?? options.seed;
    this.#rows.push(...(before?.rows ?? []));
  }

  /** Runs one part, unless an earlier run did. */
  async run(part: string, name: string, body: () => Promise<Outcome>): Promise<void> {
    if (this.#rows.some((row) => row.part === part && row.name === name)) return;
    const started = performance.now();
    const { figures, violations } = await body().catch(giveUp);
    const seconds = Math.round((performance.now() - started) / 1000);
    this.#rows.push({ part, name, figures, violations, seconds });
    this.#write(false);
    this.#say(
      `${part}, ${name}: ${JSON.stringify(figures)}, ${violations.length} violations, ${seconds} s`,
    );
  }

  /** How many violations there were in all. */
  get violations(): number {
    return this.#rows.reduce((sum, { violations }) => sum + violations.length, 0);
  }

  /** Marks the run as whole, and gives its table: a block for each part. */
  finish(): string {
    this.#write(true);
    return [...new Set(this.#rows.map(({ part }) => part))]
      .map((part) => formatBlock(this.#rows.filter((row) => row.part === part)))
      .join('\n');
  }

  #write(complete: boolean): void {
    if (this.#file === undefined) return;
    const report: ReportFile = { format: 1, seed: this.seed, complete, rows: this.#rows };
    writeFileSync(`${this.#file}.new`, `${JSON.stringify(report, null, 2)}\n`);
    renameSync(`${this.#file}.new`, this.#file);
  }
}

/** What cannot be run to its end is a violation of its own, and keeps nothing else from being run. */
function giveUp(error: unknown): Outcome {
  const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { figures: {}, violations: [`could not be run to its end: ${why}`] };
}

function formatBlock(rows: readonly ReportRow[]): string {
  const keys = [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))];
  const lines = rows.map((row) => [
    `  ${row.name}`,
    ...keys.map((key) => String(row.figures[key] ?? '')),
    String(row.violations.length),
    String(row.seconds),
  ]);
  const total = (pick: (row: ReportRow) => number): string =>
    String(rows.reduce((sum, row) => sum + pick(row), 0));
  const sum = [
    '  in all',
    ...keys.map((key) => total(({ figures }) => figures[key] ?? 0)),
    total(({ violations }) => violations.length),
    total(({ seconds }) => seconds),
  ];
  const head = [rows[0]?.part ?? '', ...keys, 'violations', 'seconds'];
  return [head, ...lines, ...(rows.length > 1 ? [sum] : [])].map(formatLine).join('');
}

function formatLine([first = '', ...rest]: readonly string[]): string {
  return `${first.padEnd(30)}${rest.map((cell) => cell.padStart(12)).join('')}\n`;
}
