import { Bus, unwrapVariant } from './bus.js';
import { asString } from './bus-values.js';
import { DBusUnitManager } from './dbus-unit-manager.js';
import { MANAGER } from './manager-address.js';
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
    const [reply] = await bus.call(
      {
        destination: MANAGER.destination,
        path: MANAGER.path,
        interface: 'org.freedesktop.DBus.Properties',
        member: 'Get',
        signature: 'ss',
        body: [MANAGER.interface, 'Version'],
      },
      { signal: options.signal },
    );
    const version = /\d+/.exec(asString(unwrapVariant(reply)))?.[0];
    return new DBusUnitManager(bus, jobs, {
      mode: options.mode,
      systemdVersion: version === undefined ? undefined : Number(version),
    });
  } catch (error) {
    await bus[Symbol.asyncDispose]();
    throw error;
  }
}
