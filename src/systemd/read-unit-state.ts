import { asBigInt, type Properties } from './bus-values.js';
import type { UnitState } from './unit-manager.js';

/** What `(uint64) -1` means in resource properties: not known, or no limit. */
const UNSET = 2n ** 64n - 1n;

/** A unit's state from all its properties (org.freedesktop.systemd1.Unit and .Service). */
export function readUnitState(unit: string, properties: Properties): UnitState {
  const text = (name: string): string => {
    const value = properties.get(name);
    return typeof value === 'string' ? value : '';
  };
  const number = (name: string): number => Number(asBigInt(properties.get(name)) ?? 0n);
  const amount = (name: string): bigint | undefined => {
    const value = asBigInt(properties.get(name));
    return value === UNSET ? undefined : value;
  };
  const mainPid = number('MainPID');
  return {
    unit,
    loadState: text('LoadState'),
    activeState: text('ActiveState'),
    subState: text('SubState'),
    serviceType: unit.endsWith('.service') ? text('Type') : '',
    unitFileState: text('UnitFileState'),
    fragmentPath: text('FragmentPath'),
    needDaemonReload: properties.get('NeedDaemonReload') === true,
    mainPid: mainPid === 0 ? undefined : mainPid,
    result: text('Result'),
    statusText: text('StatusText'),
    execMainCode: number('ExecMainCode'),
    execMainStatus: number('ExecMainStatus'),
    restarts: number('NRestarts'),
    invocationId: readInvocationId(properties.get('InvocationID')),
    activeEnterTimestampUs: amount('ActiveEnterTimestamp') ?? 0n,
    activeEnterMonotonicUs: amount('ActiveEnterTimestampMonotonic') ?? 0n,
    memoryCurrentBytes: amount('MemoryCurrent'),
    tasksCurrent: amount('TasksCurrent'),
    ...(unit.endsWith('.timer')
      ? { nextElapseUs: orUndefined(amount('NextElapseUSecRealtime')) }
      : {}),
  };
}

/** A time of zero is none. */
function orUndefined(time: bigint | undefined): bigint | undefined {
  return time === 0n ? undefined : time;
}

/** `ay` of 16 bytes, or none where the unit never ran. */
function readInvocationId(value: unknown): string | undefined {
  const bytes =
    value instanceof Uint8Array || Array.isArray(value) ? Buffer.from(value) : undefined;
  return bytes?.length === 16 ? bytes.toString('hex') : undefined;
}
