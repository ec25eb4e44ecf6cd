import { existsSync } from 'node:fs';

import type { ConfinedCaller } from '../runtime/confined-caller.js';

/**
 * A user's own run-time folder: `XDG_RUNTIME_DIR`, or where systemd makes it (pam_systemd(8)) for callers that came
 * without a session. Undefined if there is none.
 */
export function userFolder(
  env: Readonly<Record<string, string | undefined>>,
  caller: ConfinedCaller | undefined,
): string | undefined {
  const own = env['XDG_RUNTIME_DIR'];
  if (own !== undefined && own !== '') return own;
  const usual = `/run/user/${caller?.hostUid ?? 0}`;
  return existsSync(usual) ? usual : undefined;
}
