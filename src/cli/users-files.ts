import { join } from 'node:path';

import type { CliContext } from './context.js';

/**
 * Where a user has a file of containers(5) in the place of the system's: `~/.config/containers/NAME`; undefined for root, whose
 * are the system's, and without a home.
 */
export function usersFile(env: CliContext['host']['env'], name: string): string | undefined {
  if (process.geteuid?.() === 0) return undefined;
  const { XDG_CONFIG_HOME: moved = '', HOME: home = '' } = env;
  const folder = moved !== '' ? moved : home === '' ? '' : join(home, '.config');
  return folder.startsWith('/') ? join(folder, 'containers', name) : undefined;
}
