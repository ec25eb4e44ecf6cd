import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';

/** Whether systemd takes a time: `calendar` as OnCalendar= has it, `timespan` as OnBootSec= has it. Not for an empty one. */
export function systemdTakes(verb: 'calendar' | 'timespan', text: string): boolean {
  const { status, error } = spawnSync('systemd-analyze', [verb, '--', text]);
  assert.equal(error, undefined);
  return status === 0;
}

/** A time, and what is expected of whoever looks at it; undefined where it is taken. */
export interface TimeRow {
  readonly name: string;
  readonly wrong?: RegExp;
}
