import type { JsonReader } from '../base/json-reader.js';

/** How it is found out whether a container is well after it was started. Times in milliseconds. */
export interface HealthCheck {
  /** Run inside the container; exit status 0 says that it is well. Undefined where being active is all that is known. */
  readonly command: readonly string[] | undefined;
  /** From the end of one check to the next. */
  readonly intervalMs: number;
  /** Longest time for one check; one that takes longer has failed. */
  readonly timeoutMs: number;
  /** After becoming active; checks that fail in that time do not count. */
  readonly startPeriodMs: number;
  /** Failures in a row that make it unwell. */
  readonly retries: number;
  /** How long it has to stay active, without a restart, before an update is kept. */
  readonly soakMs: number;
}

/** What holds where neither the image nor the administrator says anything. */
export const DEFAULT_HEALTH_CHECK: HealthCheck = {
  command: undefined,
  intervalMs: 2_000,
  timeoutMs: 30_000,
  startPeriodMs: 0,
  retries: 3,
  soakMs: 10_000,
};

/** Reads the check that a record holds; the default one where it is older than checks. */
export function readHealthCheck(reader: JsonReader): HealthCheck {
  if (!reader.present) return DEFAULT_HEALTH_CHECK;
  const command = reader.member('command');
  return {
    command: command.present ? command.strings() : undefined,
    intervalMs: reader.member('intervalMs').integer(),
    timeoutMs: reader.member('timeoutMs').integer(),
    startPeriodMs: reader.member('startPeriodMs').integer(),
    retries: reader.member('retries').integer(),
    soakMs: reader.member('soakMs').integer(),
  };
}
