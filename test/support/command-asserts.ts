import assert from 'node:assert/strict';

import type { CommandResult } from './run-command.js';

/** Asserts that a command succeeded; the failure shows all that it wrote. */
export function assertOk(result: CommandResult): CommandResult {
  assert.equal(result.status, 0, `${result.stdout}\n${result.stderr}`);
  return result;
}

/** What a refusal has to look like. */
export interface ExpectedRefusal {
  readonly status: number;
  /** Somewhere in the message, its causes and its hint. */
  readonly matching: RegExp;
}

/**
 * Asserts that a command was refused as users should see it: nothing on standard output, the status of its kind, one
 * line that says what and why (then, perhaps, its causes and a hint) after what was told on the way, and no stack.
 */
export function assertRefused(result: CommandResult, expected: ExpectedRefusal): void {
  const shown = `${result.stdout}\n${result.stderr}`;
  assert.equal(result.status, expected.status, shown);
  assert.equal(result.stdout, '', 'a refusal wrote to standard output');
  assert.match(result.stderr, expected.matching);
  const lines = result.stderr.trimEnd().split('\n');
  // Progress and warnings come first; the error, its causes and its hint are the end.
  const error = lines.findLastIndex((line) => line.startsWith('berth: '));
  assert.ok(error >= 0, shown);
  for (const line of lines.slice(0, error)) assert.match(line, /^(Pulling |layer |berth: )/, shown);
  for (const line of lines.slice(error + 1)) assert.match(line, /^( +because: |hint: )/, shown);
  assert.doesNotMatch(result.stderr, /^\s+at .*:\d+:\d+\)?$/m, 'a refusal showed a stack');
}
