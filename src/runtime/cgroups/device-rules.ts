import { OperationalError } from '../../errors/operational-error.js';
import type { DeviceRule } from '../../oci/runtime-config.js';
import { DEFAULT_DEVICES } from '../compile-devices.js';
import { MAX_DEVICE_RULES } from './device-program.js';

const rule = (
  type: 'b' | 'c',
  numbers: { major?: number; minor?: number },
  access: string,
): DeviceRule => ({
  allow: true,
  type,
  major: numbers.major,
  minor: numbers.minor,
  access,
});

/**
 * What every container may use, whatever its rules: the default devices, pseudo-terminals and their multiplexer. Nodes
 * of other devices may be made (CAP_MKNOD decides that), not opened.
 */
const ALWAYS_ALLOWED: readonly DeviceRule[] = [
  rule('c', {}, 'm'),
  rule('b', {}, 'm'),
  ...DEFAULT_DEVICES.map(({ major, minor }) => rule('c', { major, minor }, 'rwm')),
  rule('c', { major: 5, minor: 2 }, 'rwm'),
  rule('c', { major: 136 }, 'rwm'),
];

/**
 * The rules as they are applied, in order. Before the first one everything is denied, also where there is none
 * (GHSA-g54h-m393-cpwq: a list of rules is never a list of exceptions to "all").
 *
 * @throws {@link OperationalError} LIMIT_EXCEEDED
 */
export function effectiveDeviceRules(rules: readonly DeviceRule[]): readonly DeviceRule[] {
  if (rules.length > MAX_DEVICE_RULES) {
    throw new OperationalError(
      'LIMIT_EXCEEDED',
      `linux.resources.devices: there are more than ${MAX_DEVICE_RULES} rules`,
    );
  }
  return [...rules, ...ALWAYS_ALLOWED];
}
