import { execFileSync } from 'node:child_process';
import { writeSync } from 'node:fs';

import { OperationalError } from '../errors/operational-error.js';
import { cgroupOf } from './container-cgroup.js';
import { ContainerStore, listContainerIds } from './container-record.js';
import { usage } from './parse-arguments.js';
import type { RuntimeCommand } from './runtime-command.js';
import { openContainer } from './runtime-context.js';
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
      const record = store.find();
      if (record === undefined) continue;
      rows.push(stateRow(record, store.status(record)));
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
  run(context, args) {
    const [id, ...words] = args.rest;
    const record = openContainer(context, id).read();
    const pids = cgroupOf(record).pids();
    if (args.value('format') === 'json') print(`${JSON.stringify(pids)}\n`);
    else print(psLines(words.length === 0 ? ['-ef'] : words, pids));
    return 0;
  },
};

/** What ps(1) says, of the container's processes alone. */
function psLines(words: readonly string[], pids: readonly number[]): string {
  const [title = '', ...lines] = execFileSync('ps', words, { encoding: 'utf8' }).split('\n');
  const column = title.trim().split(/\s+/).indexOf('PID');
  if (column < 0) throw new OperationalError('USAGE', "couldn't find PID field in ps output");
  const ours = lines.filter((line) => pids.includes(Number(line.trim().split(/\s+/)[column])));
  return `${[title, ...ours].join('\n')}\n`;
}

function print(text: string): void {
  for (let bytes = Buffer.from(text); bytes.length > 0;)
    bytes = bytes.subarray(writeSync(1, bytes));
}
