import type { HostPaths } from '../config/host-paths.js';

/** How systemd-run(1) is asked for something that runs beside containers: of the manager that runs those. */
export function systemdRunOf({ mode, userEnvironment }: HostPaths): {
  /** The first words of its command line. */
  readonly words: readonly string[];
  /** What it needs to find that manager. */
  readonly env: Readonly<Record<string, string>>;
} {
  return { words: mode === 'user' ? ['--user'] : [], env: userEnvironment };
}

/** Tells a launcher that a person or script waits for one program: where that cannot be run it ends with 127 or 126, as shells do. */
export const SHELL_STATUS = { BERTH_SHELL_STATUS: '1' };
