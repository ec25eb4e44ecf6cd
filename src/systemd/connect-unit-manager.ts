import { Bus } from './bus.js';
import { asString, readProperties } from './bus-values.js';
import { DBusUnitManager, getAll, MANAGER } from './dbus-unit-manager.js';
import { findBusSocket, type FindBusOptions } from './find-bus.js';
import { JobWaiter } from './job-waiter.js';
import type { UnitManager } from './unit-manager.js';

/** Options of {@link connectUnitManager}. */
export interface ConnectOptions {
  readonly mode: 'system' | 'user';
  readonly signal?: AbortSignal | undefined;
  /** For the addresses of the buses; the process's own unless given. */
  readonly environment?: FindBusOptions['environment'];
}

/**
 * Connects to the service manager of the running system, or of the user.
 *
 * @throws {@link OperationalError} SYSTEMD_UNAVAILABLE if there is no systemd or no bus
 */
export async function connectUnitManager(options: ConnectOptions): Promise<UnitManager> {
  const socket = await findBusSocket({
    mode: options.mode,
    environment: options.environment ?? process.env,
  });
  const bus = await Bus.connect(socket);
  try {
    const jobs = await JobWaiter.start(bus, options.signal);
    const manager = readProperties(
      await bus.call(getAll(MANAGER.path, MANAGER.interface), { signal: options.signal }),
    );
    const version = /\d+/.exec(asString(manager.get('Version')))?.[0];
    return new DBusUnitManager(bus, jobs, {
      mode: options.mode,
      systemdVersion: version === undefined ? undefined : Number(version),
    });
  } catch (error) {
    await bus[Symbol.asyncDispose]();
    throw error;
  }
}
