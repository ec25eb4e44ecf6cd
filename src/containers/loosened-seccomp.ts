import type { SeccompProfile, SeccompRule } from '../oci/runtime-config.js';

/** Actions after which the call is made, or may be: a tracer or a listener decides. */
const PERMISSIVE = new Set(['SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_TRACE', 'SCMP_ACT_NOTIFY']);

/**
 * What another seccomp profile lets through that the one before does not, in a person's words. A profile that was not there
 * before can only take away.
 */
export function loosenedSeccomp(
  before: SeccompProfile | undefined,
  after: SeccompProfile | undefined,
): readonly string[] {
  if (before === undefined) return [];
  if (after === undefined) return ['all system calls (no seccomp profile)'];
  const architectures = after.architectures.filter((name) => !before.architectures.includes(name));
  return [
    ...loosenedCalls(before, after),
    ...architectures.map((name) => `system calls of ${name} (seccomp)`),
  ];
}

function loosenedCalls(before: SeccompProfile, after: SeccompProfile): readonly string[] {
  const old = callsOf(before);
  const now = callsOf(after);
  if (passesByDefault(after)) {
    if (!passesByDefault(before)) return ['all system calls but some (seccomp)'];
    const stopped = new Set(now.filter(isCertain(false, now)).map(({ key }) => key));
    return named(old.filter(({ passes, key }) => !passes && !stopped.has(key)));
  }
  if (passesByDefault(before)) return [];
  const allowed = new Set(old.filter(isCertain(true, old)).map(({ key }) => key));
  return named(
    now.filter(
      ({ passes, key, name }) => passes && !allowed.has(key) && !allowed.has(keyOf(name, [])),
    ),
  );
}

function passesByDefault({ defaultAction }: SeccompProfile): boolean {
  return PERMISSIVE.has(defaultAction);
}

/** One call of one rule. */
interface Call {
  readonly name: string;
  /** Name and conditions: an image chooses both, and words alone could be made to look alike. */
  readonly key: string;
  readonly words: string;
  readonly passes: boolean;
}

function callsOf({ syscalls }: SeccompProfile): readonly Call[] {
  return syscalls.flatMap(({ names, action, args }) =>
    names.map((name) => ({
      name,
      key: keyOf(name, args),
      words: `${name}${conditionOf(args)}`,
      passes: PERMISSIVE.has(action),
    })),
  );
}

/** Whether a rule says so of a call, and none says the opposite. */
function isCertain(passes: boolean, calls: readonly Call[]): (call: Call) => boolean {
  const others = new Set(calls.filter((call) => call.passes !== passes).map(({ name }) => name));
  return (call) => call.passes === passes && !others.has(call.name);
}

function keyOf(name: string, args: SeccompRule['args']): string {
  return JSON.stringify([name, args]);
}

function conditionOf(args: SeccompRule['args']): string {
  const terms = args.map(
    ({ index, op, value, valueTwo }) => `argument ${index} ${op} ${value} ${valueTwo}`,
  );
  return terms.length === 0 ? '' : ` (${terms.join(', ')})`;
}

function named(calls: readonly Call[]): readonly string[] {
  const words = [...new Set(calls.map((call) => call.words))].sort();
  return words.length === 0 ? [] : [`system calls ${words.join(', ')} (seccomp)`];
}
