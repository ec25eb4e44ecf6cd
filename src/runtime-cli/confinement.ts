import { readFileSync } from 'node:fs';

import type { RuntimeConfig } from '../oci/runtime-config.js';
import { changesGroups } from '../runtime/check-confined.js';
import type { ConfinedCaller, LaunchConfinement } from '../runtime/confined-caller.js';

/** What a caller's want of rights means for a launch: of a new container, or into one that the process in /proc is in. */
export function confinementOf(
  caller: ConfinedCaller | undefined,
  into: RuntimeConfig | string,
): LaunchConfinement | undefined {
  if (caller === undefined) return undefined;
  const changes =
    typeof into === 'string'
      ? readFileSync(`${into}/setgroups`, 'utf8').trim() !== 'deny'
      : changesGroups(into, caller);
  return { kind: caller.kind, keepGroups: !changes };
}
