import { ManifestReader } from './manifest-reader.js';
import type { JsonObject } from '../base/strict-json.js';

/** What the author of an image says of its check (`health` of `/exports/manifest.json`); what is missing has a default. */
export interface HealthDeclaration {
  /** Run inside the container; exit status 0 says that it is well. */
  readonly command: readonly string[] | undefined;
  readonly intervalMs: number | undefined;
  readonly timeoutMs: number | undefined;
  readonly startPeriodMs: number | undefined;
  readonly retries: number | undefined;
  readonly soakMs: number | undefined;
}

/** A check is one command with its arguments, no script: a script belongs into the image. */
const MAX_WORDS = 64;
const MAX_COMMAND_BYTES = 16_384;

/** The least and the most of each time, in seconds, and of the count. An update waits for all of it: a day is enough. */
export const HEALTH_LIMITS = {
  interval: [0.1, 86_400],
  timeout: [0.1, 3_600],
  startPeriod: [0, 86_400],
  retries: [1, 100],
  soak: [0, 86_400],
} as const;

const MEMBERS: ReadonlySet<string> = new Set(['command', ...Object.keys(HEALTH_LIMITS)]);

/**
 * Reads the member `health`: `{"command": ["/bin/check", "-q"], "interval": 2, "timeout": 30, "startPeriod": 0,
 * "retries": 3, "soak": 10}`, times in seconds.
 *
 * @throws {@link OperationalError} EXPORTS_INVALID naming the member that is wrong
 */
export function parseHealthDeclaration(manifest: ManifestReader): HealthDeclaration | undefined {
  const value = manifest.get('health');
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return manifest.fail('health', 'expected an object');
  const reader = new ManifestReader(value as JsonObject, 'health.');
  for (const member of Object.keys(value))
    if (!MEMBERS.has(member)) reader.fail(member, 'is not known');
  return {
    command: readCommand(reader),
    intervalMs: readMs(reader, 'interval'),
    timeoutMs: readMs(reader, 'timeout'),
    startPeriodMs: readMs(reader, 'startPeriod'),
    retries: readNumber(reader, 'retries'),
    soakMs: readMs(reader, 'soak'),
  };
}

function readCommand(reader: ManifestReader): readonly string[] | undefined {
  if (reader.get('command') === undefined) return undefined;
  const words = reader.stringList('command');
  const bytes = words.reduce((sum, word) => sum + Buffer.byteLength(word) + 1, 0);
  if (words.length === 0 || words[0] === '') reader.fail('command', 'expected a program to run');
  if (words.length > MAX_WORDS) reader.fail('command', `has more than ${MAX_WORDS} words`);
  if (bytes > MAX_COMMAND_BYTES)
    reader.fail('command', `is longer than ${MAX_COMMAND_BYTES} bytes`);
  return words;
}

function readMs(
  reader: ManifestReader,
  member: Exclude<keyof typeof HEALTH_LIMITS, 'retries'>,
): number | undefined {
  const seconds = readNumber(reader, member);
  return seconds === undefined ? undefined : Math.round(seconds * 1000);
}

function readNumber(
  reader: ManifestReader,
  member: keyof typeof HEALTH_LIMITS,
): number | undefined {
  const value = reader.get(member);
  if (value === undefined) return undefined;
  const [least, most] = HEALTH_LIMITS[member];
  if (typeof value !== 'number' || !(value >= least && value <= most))
    return reader.fail(member, `expected a number from ${least} to ${most}`);
  if (member === 'retries' && !Number.isInteger(value))
    return reader.fail(member, 'expected a whole number');
  return value;
}
