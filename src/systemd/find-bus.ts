import { existsSync, statSync } from 'node:fs';

import { quote } from '../base/escape-text.js';
import { NO_USER_MANAGER_HINT } from '../base/user-manager-hint.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';

/** Where to look for the bus of a service manager. */
export interface FindBusOptions {
  readonly mode: 'system' | 'user';
  /** `DBUS_SYSTEM_BUS_ADDRESS`, `DBUS_SESSION_BUS_ADDRESS` and `XDG_RUNTIME_DIR` are read. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const NO_RUNNING_SYSTEM_HINT = 'use --root DIR to work on an operating system that is not running';

/**
 * The socket of the bus on which systemd is. systemd's own private socket would do without a bus, but speaks a dialect
 * (no `Hello`, no matches, no names) of its own.
 *
 * @throws {@link OperationalError} SYSTEMD_UNAVAILABLE saying what is missing
 */
export function findBusSocket(options: FindBusOptions): string {
  // sd_booted(3): this directory is there if and only if PID 1 is systemd.
  if (!existsSync('/run/systemd/system')) {
    throw new OperationalError('SYSTEMD_UNAVAILABLE', 'this system was not booted with systemd', {
      hint: NO_RUNNING_SYSTEM_HINT,
    });
  }
  if (options.mode === 'user') return findUserSocket(options);
  const socket = systemSocket(options);
  if (existsSync(socket)) return socket;
  throw new OperationalError('SYSTEMD_UNAVAILABLE', `there is no system bus at ${quote(socket)}`, {
    hint: 'install and start dbus (systemctl start dbus.socket)',
  });
}

function systemSocket({ environment }: FindBusOptions): string {
  const address = environment['DBUS_SYSTEM_BUS_ADDRESS'];
  return address === undefined || address === ''
    ? '/run/dbus/system_bus_socket'
    : socketOfAddress(address);
}

/**
 * The bus that the user's service manager started counts before DBUS_SESSION_BUS_ADDRESS, which may be one of a desktop or of
 * dbus-run-session, on which no systemd is.
 *
 * @throws {@link OperationalError} SYSTEMD_UNAVAILABLE
 */
export function findUserSocket({ environment }: Pick<FindBusOptions, 'environment'>): string {
  const { XDG_RUNTIME_DIR: directory = '', DBUS_SESSION_BUS_ADDRESS: address = '' } = environment;
  const usual = `${directory}/bus`;
  if (directory !== '' && existsSync(usual)) return usual;
  const named = address === '' ? usual : socketOfAddress(address);
  if (address !== '' && isOwn(named)) return named;
  const hasManager = directory !== '' && existsSync(`${directory}/systemd/private`);
  throw new OperationalError(
    'SYSTEMD_UNAVAILABLE',
    hasManager
      ? `the user's service manager has no bus at ${quote(named)}`
      : `this user has no service manager running: there is no ${quote(named)}`,
    {
      hint: hasManager
        ? 'install dbus-user-session (or dbus-broker), then log in again'
        : NO_USER_MANAGER_HINT,
    },
  );
}

/** Whether a socket is there and root's or the user's: su and sudo may keep the address of somebody else's bus. */
function isOwn(path: string): boolean {
  try {
    return [0, process.geteuid?.()].includes(statSync(path).uid);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP')) return false;
    throw error;
  }
}

/**
 * The first `unix:path=` of an address list (D-Bus specification, "Server Addresses"), its escapes undone.
 *
 * @throws {@link OperationalError} SYSTEMD_UNAVAILABLE if there is none that can be used
 */
export function socketOfAddress(address: string): string {
  for (const entry of address.split(';')) {
    const path = /^unix:(?:.*,)?path=([^,]+)/.exec(entry)?.[1];
    if (path === undefined) continue;
    try {
      return decodeURIComponent(path);
    } catch {
      continue; // no escapes of bytes, or of none that are UTF-8
    }
  }
  throw new OperationalError(
    'SYSTEMD_UNAVAILABLE',
    `cannot use the bus address ${quote(address)}: only unix:path=… is supported`,
  );
}
