import { resolve } from 'node:path';

import { Option } from 'commander';

import type { FilterChoice } from '../containers/deployed-filter.js';

/** `--seccomp`, of the commands that decide how a container is run. */
export function seccompOption(): Option {
  return new Option(
    '--seccomp <profile>',
    "filter its system calls by a profile (a file), not at all ('unconfined'), or as without the option ('default')",
  );
}

/**
 * Reads what `--seccomp` gives; undefined where it is not given.
 *
 * @throws OperationalError USAGE, JSON_INVALID, CONFIG_INVALID
 */
export async function readSeccompOption(options: {
  readonly seccomp?: string;
}): Promise<FilterChoice | undefined> {
  if (options.seccomp === undefined) return undefined;
  const { loadFilterChoice } = await import('../containers/system-call-filter.js');
  const isWord = options.seccomp === 'default' || options.seccomp === 'unconfined';
  // Recorded: it means the same wherever berth is run later.
  return loadFilterChoice(isWord ? options.seccomp : resolve(options.seccomp));
}
