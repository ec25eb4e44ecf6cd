import { OperationalError } from '../errors/operational-error.js';
import type { DeviceRule } from '../oci/runtime-config.js';
import { DEFAULT_DEVICES } from './compile-devices.js';
import type { UnitDirective } from './launch-plan.js';

/**
 * What every container may use: the default devices, pseudo-terminals, and their multiplexer. Nodes of other devices may
 * be made (CAP_MKNOD decides that), not opened: the launcher makes those of the config.json.
 */
const ALWAYS_ALLOWED: readonly string[] = [
  ...DEFAULT_DEVICES.map(({ major, minor }) => `/dev/char/${major}:${minor} rwm`),
  '/dev/char/5:2 rwm',
  'char-136 rwm',
  'char-* m',
  'block-* m',
];

/** Device rules as settings of the unit, and for people. */
export interface DeviceDirectives {
  readonly directives: readonly UnitDirective[];
  readonly rules: 'all' | readonly string[];
}

/**
 * Compiles device rules, in their order, to DevicePolicy=strict and DeviceAllow=. Without rules everything but the
 * default devices is denied: a list of rules is never a list of exceptions to "all" (GHSA-g54h-m393-cpwq).
 *
 * @throws {@link OperationalError} RUNTIME_UNSUPPORTED for "all but": systemd has no word for that
 */
export function compileDeviceRules(rules: readonly DeviceRule[]): DeviceDirectives {
  let all = false;
  let allowed: DeviceRule[] = [];
  for (const rule of rules) {
    const wholesale =
      rule.type === 'a' ||
      (rule.major === undefined && rule.minor === undefined && isFull(rule, rules));
    if (wholesale && (rule.type === 'a' || rule.allow)) {
      all = rule.allow && rule.type === 'a';
      allowed = rule.allow && rule.type !== 'a' ? [...allowed, rule] : [];
    } else if (rule.allow) allowed.push(rule);
    else if (all) {
      throw new OperationalError(
        'RUNTIME_UNSUPPORTED',
        'linux.resources.devices: "all but some devices" is not supported; list what is allowed',
      );
    } else allowed = allowed.flatMap((entry) => withoutAccess(entry, rule));
  }
  if (all) return { directives: [], rules: 'all' };
  const entries = [...new Set([...ALWAYS_ALLOWED, ...allowed.map(formatRule)])];
  return {
    directives: [
      ['Service', 'DevicePolicy', 'strict'],
      ...entries.map((entry): UnitDirective => ['Service', 'DeviceAllow', entry]),
    ],
    rules: entries,
  };
}

function isFull(rule: DeviceRule, rules: readonly DeviceRule[]): boolean {
  return rule.access.length === 3 && rules.includes(rule);
}

function withoutAccess(entry: DeviceRule, denied: DeviceRule): readonly DeviceRule[] {
  const covers = (wide: number | undefined, narrow: number | undefined): boolean =>
    wide === undefined || wide === narrow;
  if (
    entry.type !== denied.type ||
    !covers(denied.major, entry.major) ||
    !covers(denied.minor, entry.minor)
  ) {
    if (
      entry.type === denied.type &&
      covers(entry.major, denied.major) &&
      covers(entry.minor, denied.minor)
    ) {
      throw new OperationalError(
        'RUNTIME_UNSUPPORTED',
        'linux.resources.devices: a part of what is allowed before is denied; list what is allowed',
      );
    }
    return [entry];
  }
  const access = entry.access.replace(new RegExp(`[${denied.access}]`, 'g'), '');
  return access === '' ? [] : [{ ...entry, access }];
}

function formatRule(rule: DeviceRule): string {
  const kind = rule.type === 'b' ? 'block' : 'char';
  if (rule.major === undefined) {
    if (rule.minor === undefined) return `${kind}-* ${rule.access}`;
    throw new OperationalError(
      'RUNTIME_UNSUPPORTED',
      `linux.resources.devices: minor number ${rule.minor} of every major number is not supported`,
    );
  }
  return rule.minor === undefined
    ? `${kind}-${rule.major} ${rule.access}`
    : `/dev/${kind}/${rule.major}:${rule.minor} ${rule.access}`;
}
