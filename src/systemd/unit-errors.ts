import { quote } from '../base/escape-text.js';
import { describeForeignErrno } from '../errors/describe-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { DBusCallError } from './bus.js';

/** Whether systemd says that a unit is not there (src/libsystemd/sd-bus/bus-common-errors.c). */
export function isUnknownUnit(error: unknown): boolean {
  return (
    error instanceof DBusCallError &&
    [
      'org.freedesktop.systemd1.NoSuchUnit',
      'org.freedesktop.DBus.Error.FileNotFound',
      'System.Error.ENOENT',
    ].includes(error.errorName)
  );
}

/** Whether systemd says that a unit has no process. */
export function isNoProcess(error: unknown): boolean {
  return (
    error instanceof DBusCallError && error.errorName === 'org.freedesktop.systemd1.NoSuchProcess'
  );
}

/** Whether there is no object of the path that was asked for. */
export function isUnknownObject(error: unknown): boolean {
  return (
    error instanceof DBusCallError && error.errorName === 'org.freedesktop.DBus.Error.UnknownObject'
  );
}

/** Gives errors of systemd about a unit that have a code of their own that code. */
export function explainUnitError(unit: string, error: unknown): unknown {
  if (!(error instanceof DBusCallError)) return error;
  switch (error.errorName) {
    case 'org.freedesktop.systemd1.UnitMasked':
      return new OperationalError('UNIT_MASKED', `${quote(unit)} is masked`, {
        hint: `run: systemctl unmask ${unit}`,
        cause: error,
      });
    case 'org.freedesktop.systemd1.UnitExists':
    case 'org.freedesktop.DBus.Error.FileExists':
    case 'System.Error.EEXIST':
      return new OperationalError('UNIT_EXISTS', `${quote(unit)}: ${error.message}`, {
        cause: error,
      });
    case 'org.freedesktop.DBus.Error.AccessDenied':
    case 'org.freedesktop.DBus.Error.InteractiveAuthorizationRequired':
      return process.geteuid?.() === 0
        ? explainRefusal(unit, error)
        : new OperationalError('NEEDS_ROOT', `systemd refuses ${error.member} to this user`, {
            cause: error,
          });
    case 'System.Error.EROFS':
    case 'System.Error.ENOSPC':
    case 'System.Error.EDQUOT':
      return explainDiskError(unit, error);
    default:
      return error;
  }
}

/** Root is refused nothing by the bus: systemd itself was refused something, mostly by an attribute of a file. */
function explainRefusal(unit: string, error: DBusCallError): OperationalError {
  return new OperationalError(
    'SYSTEM_CALL_FAILED',
    `systemd cannot do ${error.member} for ${quote(unit)}: the operation is not permitted`,
    {
      hint: "look whether the unit, a link to it or their folder is immutable (lsattr -dR /etc/systemd/system; 'chattr -i' ends that), or a security module forbids it",
      cause: error,
    },
  );
}

/** What the disk refuses to systemd, it refuses to berth: the status is the same, whoever makes a link. */
function explainDiskError(unit: string, error: DBusCallError): OperationalError {
  const name = error.errorName.slice('System.Error.'.length);
  const doing = `systemd cannot do ${error.member} for ${quote(unit)}`;
  const { code, message, hint } = describeForeignErrno(name, doing);
  return new OperationalError(code, message, { hint, cause: error });
}
