import assert from 'node:assert/strict';

import { findMisfits } from './fits-json.js';
import { type JsonShapes, readJsonPage } from './json-page.js';

/** What prints a document that is not its own, or none. */
const BYTES = /^(--(raw|config|help|version)|-h)$/;

/** Commands that print no document of berth's: what others write, and texts. */
export const WITHOUT_DOCUMENT: readonly string[] = [
  ...['logs', 'run', 'exec', 'shell'],
  ...['completion', 'help'],
];

let page: JsonShapes | undefined;

/**
 * Asserts that what a command of berth printed under `--json` is what berth-json(7) says, to the last field. Whatever a test runs with
 * `runCommand()` is looked at, so that every test of a command holds its document to the page.
 */
export function assertJsonAsDocumented(
  argv: readonly string[],
  result: { readonly stdout: string; readonly signal: NodeJS.Signals | undefined },
): void {
  const program = argv.findLastIndex((word) => word.endsWith('/berth.cjs'));
  const words = argv.slice(program + 1);
  if (program === -1 || !words.includes('--json') || words.some((word) => BYTES.test(word))) return;
  if (result.stdout === '' || result.signal !== undefined) return;
  page ??= readJsonPage();
  const command = commandOf(words, page);
  if (WITHOUT_DOCUMENT.includes(command)) return;
  const type = page.results.get(command);
  assert.ok(type !== undefined, `berth ${command} --json is not in berth-json(7)`);
  const misfits = findMisfits(JSON.parse(result.stdout), type, page);
  assert.deepEqual(misfits, [], `berth ${command} --json is not what berth-json(7) says`);
  documented.add(command);
}

/** Commands whose documents have been looked at. */
export const documented = new Set<string>();

function commandOf(words: readonly string[], { results }: JsonShapes): string {
  const known = new Set([...results.keys()].map((name) => name.replace(/ .*/, '')));
  for (const other of [...WITHOUT_DOCUMENT, 'containers', 'push']) known.add(other);
  // Options of the program may stand before it, with values: `--storage ostree`.
  const named = words.findIndex((word) => known.has(word));
  const command = words.slice(
    named === -1 ? words.findIndex((word) => !word.startsWith('-')) : named,
  );
  const [first = '', second = ''] = command.filter((word) => word !== '--json');
  const whole = `${first === 'containers' ? '' : `${first} `}${second}`;
  if (whole === 'images info') return 'info';
  if (first === 'push') return 'copy';
  return results.has(whole) ? whole : first;
}
