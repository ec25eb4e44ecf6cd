import { writeSync } from 'node:fs';

import { runProgram } from '../base/subprocess.js';
import { OperationalError } from '../errors/operational-error.js';
import { cgroupOf } from './container-cgroup.js';
import { ContainerStore, listContainerIds } from './container-record.js';
import { usage } from './parse-arguments.js';
import type { RuntimeCommand } from './runtime-command.js';
import { openContainer, warn } from './runtime-context.js';
import { stateRow } from './state-document.js';

/** `state`. */
export const state: RuntimeCommand = {
  options: {},
  run(context, args) {
    const store = openContainer(context, args.rest[0]);
    const record = store.read();
    const status = store.status(record);
    print(`${JSON.stringify(stateRow(record, status), undefined, 2)}\n`);
    return 0;
  },
};

/** `list`. */
export const list: RuntimeCommand = {
  options: { format: 'value', quiet: 'flag' },
  aliases: { f: 'format', q: 'quiet' },
  async run(context, args) {
    const rows: Readonly<Record<string, unknown>>[] = [];
    for (const id of (await listContainerIds(context.root)).toSorted()) {
      const store = new ContainerStore(context.root, id);
      try {
        const record = store.find();
        if (record !== undefined) rows.push(stateRow(record, store.status(record)));
      } catch (error) {
        // One that is damaged does not hide the others.
        if (!(error instanceof OperationalError)) throw error;
        warn(context, error.message);
      }
    }
    if (args.has('quiet')) print(rows.map(({ id }) => `${String(id)}\n`).join(''));
    else if (args.value('format') === 'json') print(`${JSON.stringify(rows)}\n`);
    else if ([undefined, 'table'].includes(args.value('format'))) print(table(rows));
    else usage('invalid format option');
    return 0;
  },
};

const COLUMNS = ['id', 'pid', 'status', 'bundle', 'created', 'owner'] as const;

function table(rows: readonly Readonly<Record<string, unknown>>[]): string {
  const lines = [
    COLUMNS.map((column) => column.toUpperCase()),
    ...rows.map((row) => COLUMNS.map((column) => cellOf(row[column]))),
  ];
  const widths = COLUMNS.map((_, index) =>
    Math.max(11, ...lines.map((line) => (line[index] ?? '').length)),
  );
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, index) => cell.padEnd((widths[index] ?? 0) + 1))
          .join('')
          .trimEnd()}\n`,
    )
    .join('');
}

function cellOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** `ps`. */
export const ps: RuntimeCommand = {
  options: { format: 'value' },
  aliases: { f: 'format' },
  async run(context, args) {
    const [id, ...words] = args.rest;
    const record = openContainer(context, id).read();
    const pids = cgroupOf(record).pids();
    if (args.value('format') === 'json') print(`${JSON.stringify(pids)}\n`);
    else print(await psLines(words.length === 0 ? ['-ef'] : words, pids));
    return 0;
  },
};

/** Most that ps(1) may print: Linux has four million processes at most, and few hosts one in a hundred of them. */
const MAX_PS_BYTES = 16 * 1024 * 1024;

/** What ps(1) says, of the container's processes alone. */
async function psLines(words: readonly string[], pids: readonly number[]): Promise<string> {
  const { stdout } = await runProgram(['ps', ...words], { maxOutputBytes: MAX_PS_BYTES });
  const [title = '', ...lines] = stdout.toString('utf8').split('\n');
  const column = title.trim().split(/\s+/).indexOf('PID');
  if (column < 0) throw new OperationalError('USAGE', "couldn't find PID field in ps output");
  const ours = lines.filter((line) => pids.includes(Number(line.trim().split(/\s+/)[column])));
  return `${[title, ...ours].join('\n')}\n`;
}

function print(text: string): void {
  for (let bytes = Buffer.from(text); bytes.length > 0;)
    bytes = bytes.subarray(writeSync(1, bytes));
}
