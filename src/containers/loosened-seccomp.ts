import { lookUp } from '../base/look-up.js';
import type { SeccompProfile, SeccompRule } from '../oci/runtime-config.js';

/** How much of a call an action lets through: what is not here stops it. A tracer may be a program of the container itself. */
const LETS_THROUGH: Readonly<Record<string, number>> = {
  SCMP_ACT_ALLOW: 2,
  SCMP_ACT_LOG: 2,
  SCMP_ACT_TRACE: 2,
  SCMP_ACT_NOTIFY: 1,
};

/**
 * What another seccomp profile lets through that the one before does not, in a person's words. A profile that was not there
 * before can only take away, but for the program of the host that it has asked. Which error a call gives that is stopped is none
 * of it: nothing is done then.
 */
export function loosenedSeccomp(
  before: SeccompProfile | undefined,
  after: SeccompProfile | undefined,
): readonly string[] {
  const listener = newListener(before, after);
  if (before === undefined) return listener;
  if (after === undefined) return ['all system calls (no seccomp profile)'];
  const architectures = after.architectures.filter((name) => !before.architectures.includes(name));
  const speculates = [before, after].map(({ flags }) => flags.includes(SPEC_ALLOW));
  return [
    ...loosenedCalls(before, after),
    ...architectures.map((name) => `system calls of ${name} (seccomp)`),
    ...(speculates[1] === true && speculates[0] !== true
      ? ['speculation of the processor that seccomp held back (SPEC_ALLOW)']
      : []),
    ...listener,
  ];
}

/** Without it the kernel turns speculative store bypass and indirect branches off for whoever has a filter (seccomp(2)). */
const SPEC_ALLOW = 'SECCOMP_FILTER_FLAG_SPEC_ALLOW';

/** The runtime connects to it as root, and it answers for calls of the container. */
function newListener(
  before: SeccompProfile | undefined,
  after: SeccompProfile | undefined,
): readonly string[] {
  const path = after?.listenerPath;
  return path === undefined || path === before?.listenerPath
    ? []
    : [`system calls for which a program on the host answers at ${path} (seccomp)`];
}

function loosenedCalls(before: SeccompProfile, after: SeccompProfile): readonly string[] {
  const same = sameCalls(before, after);
  const othersOf = (profile: SeccompProfile): readonly Call[] =>
    callsOf(profile).filter(({ name }) => !same.has(name));
  const [old, now] = [othersOf(before), othersOf(after)];
  const [had, has] = [extremesOf(old), extremesOf(now)];
  if (passesByDefault(after)) {
    if (!passesByDefault(before)) return ['all system calls but some (seccomp)'];
    const isStopped = ({ key, name, passes }: Call): boolean =>
      has.keys.has(key) && (has.most.get(name) ?? ALL) <= passes;
    return named(old.filter((call) => call.passes < ALL && !isStopped(call)));
  }
  const couldPass = ({ key, name, passes }: Call): boolean =>
    (passesByDefault(before) || had.keys.has(key) || had.keys.has(keyOf(name, []))) &&
    (had.least.get(name) ?? ALL) >= passes;
  return named(now.filter((call) => call.passes > 0 && !couldPass(call)));
}

/** Calls of which both say the same, in the same order: whatever that comes to, it came to before. */
function sameCalls(before: SeccompProfile, after: SeccompProfile): ReadonlySet<string> {
  if (letsThrough(before.defaultAction) !== letsThrough(after.defaultAction)) return new Set();
  const [old, now] = [before, after].map((profile) => {
    const rules = new Map<string, string>();
    for (const { name, key, passes } of callsOf(profile))
      rules.set(name, `${rules.get(name) ?? ''}${key}${passes}`);
    return rules;
  });
  return new Set(
    [...(now ?? [])].flatMap(([name, rules]) => (old?.get(name) === rules ? [name] : [])),
  );
}

const ALL = 2;

function passesByDefault({ defaultAction }: SeccompProfile): boolean {
  return letsThrough(defaultAction) > 0;
}

function letsThrough(action: string): number {
  return lookUp(LETS_THROUGH, action) ?? 0;
}

/** One call of one rule. */
interface Call {
  readonly name: string;
  /** Name and conditions: an image chooses both, and words alone could be made to look alike. */
  readonly key: string;
  readonly words: string;
  /** See {@link LETS_THROUGH}. */
  readonly passes: number;
}

function callsOf({ syscalls }: SeccompProfile): readonly Call[] {
  return syscalls.flatMap(({ names, action, args }) =>
    names.map((name) => ({
      name,
      key: keyOf(name, args),
      words: `${name}${conditionOf(args)}`,
      passes: letsThrough(action),
    })),
  );
}

/** What rules say: where one of a call says otherwise than another, neither is certain. */
function extremesOf(calls: readonly Call[]): {
  readonly keys: ReadonlySet<string>;
  /** By name, the least that a rule lets through. */
  readonly least: ReadonlyMap<string, number>;
  readonly most: ReadonlyMap<string, number>;
} {
  const least = new Map<string, number>();
  const most = new Map<string, number>();
  for (const { name, passes } of calls) {
    least.set(name, Math.min(passes, least.get(name) ?? passes));
    most.set(name, Math.max(passes, most.get(name) ?? passes));
  }
  return { keys: new Set(calls.map(({ key }) => key)), least, most };
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
