import { Bus } from './bus.js';
import { DBusUnitManager } from './dbus-unit-manager.js';
import { findBusSocket, type FindBusOptions } from './find-bus.js';
import type { UnitManager } from './unit-manager.js';

/** Options of {@link connectUnitManager}. */
export interface ConnectOptions {
  readonly mode: 'system' | 'user';
  readonly signal?: AbortSignal | undefined;
  /** For the addresses of the buses; the process's own unless given. */
  readonly environment?: FindBusOptions['environment'];
  /** What programs of systemd find a user's places by; none unless given. */
  readonly programEnvironment?: Readonly<Record<string, string>>;
}

/**
 * Begins to connect to the service manager of the running system, or of the user. Nothing is waited for: the first calls go out
 * with the greeting, and fail with SYSTEMD_UNAVAILABLE where nobody answers.
 *
 * @throws {@link OperationalError} SYSTEMD_UNAVAILABLE if there is no systemd or no bus
 */
export function connectUnitManager({
  mode,
  signal,
  environment,
  programEnvironment,
}: ConnectOptions): UnitManager {
  const socket = findBusSocket({ mode, environment: environment ?? process.env });
  return new DBusUnitManager(Bus.open(socket), { mode, signal, environment: programEnvironment });
}
