import type { CliContext, CommonOptions } from '../context.js';
import type { JsonResults } from './json-results.js';

/** Prints the result of a command: one JSON document under `--json`, else the text for people. */
export function printResult<Name extends keyof JsonResults>(
  context: CliContext,
  options: CommonOptions,
  result: { readonly of: Name; readonly json: JsonResults[Name]; readonly text: string },
): void {
  const text =
    options.json === true ? `${JSON.stringify(result.json, jsonValue, 2)}\n` : result.text;
  if (text !== '') context.host.stdout.write(text);
}

/** Prints what a command of several steps says after one of them; under `--json` the result of all is printed at the end. */
export function printStep(context: CliContext, options: CommonOptions, text: string): void {
  if (options.json !== true) context.host.stdout.write(text);
}

/** JSON has no big integers and no maps: counters beyond 2^53 become text, maps become objects. */
function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') {
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString();
  }
  if (value instanceof Map) return Object.fromEntries(value as Map<string, unknown>);
  return value;
}
