import type {
  BlockDeviceValue,
  BlockThrottle,
  RuntimeResources,
} from '../../oci/runtime-config.js';
import { parseNumberList } from '../number-list.js';
import { blockWeight, weightOfShares } from './weights.js';

/** A property of a unit, for D-Bus: its name, the signature of its value, the value. */
export type ScopeProperty = readonly [name: string, signature: string, value: unknown];

const NO_LIMIT = 0xffff_ffff_ffff_ffffn;
const DEFAULT_PERIOD_US = 100_000;

const THROTTLES: Readonly<Record<BlockThrottle, string>> = {
  throttleReadBpsDevice: 'IOReadBandwidthMax',
  throttleWriteBpsDevice: 'IOWriteBandwidthMax',
  throttleReadIOPSDevice: 'IOReadIOPSMax',
  throttleWriteIOPSDevice: 'IOWriteIOPSMax',
};

/**
 * Gives resources as properties of a unit (org.freedesktop.systemd1(5)), as far as systemd has a word for them: it would
 * set its own values again at the next reload. What it has none for stays as it is written to the cgroup.
 */
export function scopeProperties(resources: RuntimeResources): readonly ScopeProperty[] {
  return [
    ...memory(resources.memory),
    ...cpu(resources.cpu),
    ...amount('TasksMax', atLeastOne(resources.pidsLimit)),
    ...io(resources.blockIO),
  ];
}

function amount(name: string, value: number | undefined): readonly ScopeProperty[] {
  if (value === undefined) return [];
  return [[name, 't', value < 0 ? NO_LIMIT : BigInt(value)]];
}

/** systemd has no TasksMax=0. A group of one task has as little room for a second. */
function atLeastOne(limit: number | undefined): number | undefined {
  return limit === 0 ? 1 : limit;
}

function memory({
  limit,
  swap,
  reservation,
}: RuntimeResources['memory']): readonly ScopeProperty[] {
  const unlessZero = (value: number | undefined): number | undefined =>
    value === 0 ? undefined : value;
  const swapAlone = swap === undefined || swap <= 0 ? swap : swap - Math.max(limit ?? 0, 0);
  return [
    ...amount('MemoryMax', unlessZero(limit)),
    ...amount('MemoryLow', unlessZero(reservation)),
    ...(swap === 0 ? [] : amount('MemorySwapMax', swapAlone)),
  ];
}

function cpu(values: RuntimeResources['cpu']): readonly ScopeProperty[] {
  const { shares, quota, period } = values;
  const properties: ScopeProperty[] = [];
  if (shares !== undefined && shares !== 0 && values.idle !== 1) {
    properties.push(['CPUWeight', 't', BigInt(weightOfShares(shares))]);
  }
  const periodUs = period === undefined || period === 0 ? DEFAULT_PERIOD_US : period;
  if (quota !== undefined && quota !== 0) {
    // systemd rounds to ten milliseconds of a second; the cgroup gets the exact value afterwards.
    const perSecond = (quota / periodUs) * 1e6;
    const rounded = Math.ceil(perSecond / 10_000) * 10_000;
    properties.push(['CPUQuotaPerSecUSec', 't', quota < 0 ? NO_LIMIT : BigInt(rounded)]);
  }
  if (period !== undefined && period !== 0) {
    properties.push(['CPUQuotaPeriodUSec', 't', BigInt(period)]);
  }
  if (values.cpus !== undefined)
    properties.push([
      'AllowedCPUs',
      'ay',
      parseNumberList(values.cpus, 'linux.resources.cpu.cpus'),
    ]);
  if (values.mems !== undefined)
    properties.push([
      'AllowedMemoryNodes',
      'ay',
      parseNumberList(values.mems, 'linux.resources.cpu.mems'),
    ]);
  return properties;
}

function io(blockIO: RuntimeResources['blockIO']): readonly ScopeProperty[] {
  const device = ({ major, minor }: BlockDeviceValue): string => `/dev/block/${major}:${minor}`;
  const properties: ScopeProperty[] = [];
  if (blockIO.weight !== undefined && blockIO.weight !== 0) {
    properties.push(['IOWeight', 't', BigInt(blockWeight(blockIO.weight))]);
  }
  if (blockIO.weightDevice.length > 0) {
    properties.push([
      'IODeviceWeight',
      'a(st)',
      blockIO.weightDevice.map((entry) => [device(entry), BigInt(blockWeight(entry.value))]),
    ]);
  }
  for (const [name, property] of Object.entries(THROTTLES)) {
    const entries = blockIO.throttle[name as BlockThrottle];
    if (entries.length === 0) continue;
    const rate = (value: number): bigint => (value === 0 ? NO_LIMIT : BigInt(value));
    properties.push([
      property,
      'a(st)',
      entries.map((entry) => [device(entry), rate(entry.value)]),
    ]);
  }
  return properties;
}
