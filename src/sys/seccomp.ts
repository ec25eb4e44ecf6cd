import { closeSync, readSync } from 'node:fs';

import { quote } from '../base/escape-text.js';
import { lookUp } from '../base/look-up.js';
import { OperationalError } from '../errors/operational-error.js';
import { BPF_MAXINSNS, INSTRUCTION_BYTES, joinFilters } from './join-filters.js';
import { bindLibc, loadKoffi } from './libc.js';

/** A seccomp profile in the words of runtime-spec config-linux.md. */
export interface SeccompFilterRules {
  readonly defaultAction: string;
  readonly defaultErrnoRet: number | undefined;
  readonly architectures: readonly string[];
  /** `SCMP_ARCH_…` of the kernel that the filter is for; this machine's unless given. */
  readonly native?: string | undefined;
  readonly syscalls: readonly {
    readonly names: readonly string[];
    readonly action: string;
    readonly errnoRet: number | undefined;
    readonly args: readonly SeccompCondition[];
  }[];
}

/** A condition on one argument; for SCMP_CMP_MASKED_EQ `value` is the mask. */
export interface SeccompCondition {
  readonly index: number;
  readonly value: number;
  readonly valueTwo: number;
  readonly op: string;
}

/** A compiled filter. */
export interface SeccompFilter {
  /** `struct sock_filter[]`. */
  readonly filter: Buffer;
  /** Calls that this libseccomp has no number for. */
  readonly unknownCalls: readonly string[];
}

/**
 * Compiles a profile through libseccomp (seccomp_export_bpf(3)). The library is loaded on the first call.
 *
 * Each architecture is compiled by itself: the tree that libseccomp makes of the calls takes it 20 ms for two at once, and 2 ms one
 * after the other.
 *
 * @throws {@link OperationalError} LIBRARY_MISSING; RUNTIME_CONFIG_INVALID for what libseccomp does not take
 */
export function exportSeccompFilter(profile: SeccompFilterRules): SeccompFilter {
  const library = loadLibrary();
  const defaultAction = actionValue(profile.defaultAction, profile.defaultErrnoRet);
  const { rules, unknownCalls } = resolveRules(library, { profile, defaultAction });
  const filters = groupArchitectures(library, { profile, defaultAction }).map((group) => {
    const filter = withContext(library, defaultAction, (context) => {
      chooseArchitectures(library, { context, group });
      // A binary tree of system calls instead of a list; libseccomp before 2.5 does without.
      library.setAttribute(context, CTL_OPTIMIZE, 2);
      for (const rule of rules) addRule(library, context, rule);
      return exportFilter(library, context);
    });
    return { architecture: kernelArchitecture(group), filter };
  });
  const filter = joinFilters(filters);
  if (filter.length > MAX_FILTER_BYTES) refuse('the filter is longer than the kernel takes');
  return { filter, unknownCalls };
}

/**
 * Whether the installed libseccomp has a number for a system call, on whatever architecture.
 *
 * @throws {@link OperationalError} LIBRARY_MISSING
 */
export function knowsSystemCall(name: string): boolean {
  return loadLibrary().resolve(name) !== UNKNOWN_CALL;
}

const UNKNOWN_CALL = -1;
const X86_64 = 0xc000_003e;
const X32 = 0x4000_003e;
const EEXIST = 17;
const CTL_OPTIMIZE = 8;
/** Longest filter that the kernel takes. */
const MAX_FILTER_BYTES = BPF_MAXINSNS * INSTRUCTION_BYTES;
const CONDITION_BYTES = 24;
const EPERM = 1;

const ACTIONS: Readonly<Record<string, number>> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: 0x8000_0000,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: 0x0005_0000,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_NOTIFY: 0x7fc0_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_ALLOW: 0x7fff_0000,
};

/** Operators of rules that look at arguments; their numbers are their places, from 1 on. */
export const COMPARISONS = [
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
] as const;

/** A filter context of libseccomp; opaque. */
type FilterContext = object;

/** The functions of libseccomp; numbers below 0 are errors. */
interface Libseccomp {
  init(action: number): FilterContext | null;
  release(context: FilterContext): void;
  setAttribute(context: FilterContext, attribute: number, value: number): number;
  architecture(name: string): number;
  native(): number;
  addArchitecture(context: FilterContext, architecture: number): number;
  removeArchitecture(context: FilterContext, architecture: number): number;
  resolve(name: string): number;
  addRule(context: FilterContext, ...rule: readonly unknown[]): number;
  export(context: FilterContext, fd: number): number;
}

let loaded: Libseccomp | undefined;

function loadLibrary(): Libseccomp {
  loaded ??= bindLibrary();
  return loaded;
}

function bindLibrary(): Libseccomp {
  let library;
  try {
    library = loadKoffi().load('libseccomp.so.2');
  } catch (cause) {
    throw new OperationalError(
      'LIBRARY_MISSING',
      'cannot compile a seccomp profile: libseccomp.so.2 is not installed',
      { cause, hint: 'Install libseccomp (Debian: apt-get install libseccomp2).' },
    );
  }
  return {
    init: library.func('void *seccomp_init(uint32_t def_action)'),
    release: library.func('void seccomp_release(void *ctx)'),
    setAttribute: library.func('int seccomp_attr_set(void *ctx, int attr, uint32_t value)'),
    architecture: library.func('uint32_t seccomp_arch_resolve_name(const char *arch_name)'),
    native: library.func('uint32_t seccomp_arch_native(void)'),
    addArchitecture: library.func('int seccomp_arch_add(void *ctx, uint32_t arch_token)'),
    removeArchitecture: library.func('int seccomp_arch_remove(void *ctx, uint32_t arch_token)'),
    resolve: library.func('int seccomp_syscall_resolve_name(const char *name)'),
    addRule: library.func(
      'int seccomp_rule_add_array(void *ctx, uint32_t action, int syscall, unsigned int arg_cnt, const void *arg_array)',
    ),
    export: library.func('int seccomp_export_bpf(void *ctx, int fd)'),
  };
}

/** Calls `body` with a fresh filter, which is for the machine that this runs on. */
function withContext<T>(
  library: Libseccomp,
  defaultAction: number,
  body: (context: FilterContext) => T,
): T {
  const context = library.init(defaultAction);
  if (context === null) refuse('libseccomp cannot make a filter with this default action');
  try {
    return body(context);
  } finally {
    library.release(context);
  }
}

/**
 * The architectures of a filter by libseccomp's numbers for them, those together that the kernel has one number for. All of them
 * are tried in one filter, which libseccomp refuses where no machine has them.
 */
function groupArchitectures(
  library: Libseccomp,
  { profile, defaultAction }: { profile: SeccompFilterRules; defaultAction: number },
): readonly (readonly number[])[] {
  const own = profile.native === undefined ? library.native() : findNumber(library, profile.native);
  const numbers = new Map([[own, profile.native]]);
  for (const name of profile.architectures) numbers.set(findNumber(library, name), name);
  withContext(library, defaultAction, (context) => {
    for (const [number, name] of numbers) {
      const result = library.addArchitecture(context, number);
      if (result < 0 && result !== -EEXIST) refuse(`cannot add architecture ${quote(name ?? '')}`);
      if (own !== library.native() && number === own)
        library.removeArchitecture(context, library.native());
    }
  });
  const groups = new Map<number, number[]>();
  for (const number of numbers.keys()) {
    const key = kernelArchitecture([number]);
    groups.set(key, [...(groups.get(key) ?? []), number]);
  }
  return [...groups.values()];
}

/** What the kernel says of calls of a group (AUDIT_ARCH_…): x32 is told from x86-64 by the numbers of its calls alone. */
function kernelArchitecture([number = 0]: readonly number[]): number {
  return number === X32 ? X86_64 : number;
}

/**
 * Makes a filter one for a group. Numbers of calls stay this machine's until it is compiled, and those that only another has are
 * below zero.
 */
function chooseArchitectures(
  library: Libseccomp,
  { context, group }: { context: FilterContext; group: readonly number[] },
): void {
  const native = library.native();
  for (const number of group)
    if (number !== native && library.addArchitecture(context, number) < 0)
      refuse('libseccomp cannot add an architecture');
  if (!group.includes(native) && library.removeArchitecture(context, native) < 0)
    refuse('libseccomp cannot remove the own architecture');
}

function findNumber(library: Libseccomp, name: string): number {
  const number = library.architecture(name.replace(/^SCMP_ARCH_/, '').toLowerCase());
  if (number === 0) refuse(`${quote(name)} is not an architecture that libseccomp knows`);
  return number;
}

/** A rule as libseccomp takes it. */
interface ResolvedRule {
  readonly action: number;
  readonly number: number;
  readonly name: string;
  /** `struct scmp_arg_cmp[]` of each: libseccomp takes one condition for each argument; more on the same one mean "any of these", as in runc. */
  readonly alternatives: readonly (readonly Buffer[])[];
}

function resolveRules(
  library: Libseccomp,
  { profile, defaultAction }: { profile: SeccompFilterRules; defaultAction: number },
): { readonly rules: readonly ResolvedRule[]; readonly unknownCalls: readonly string[] } {
  const unknown = new Set<string>();
  const rules: ResolvedRule[] = [];
  for (const { action: word, errnoRet, names, args } of profile.syscalls) {
    const action = actionValue(word, errnoRet ?? profile.defaultErrnoRet);
    // libseccomp refuses rules that say what the default says.
    if (action === defaultAction) continue;
    const conditions = args.map(encodeCondition);
    const isEachOnce = new Set(args.map(({ index }) => index)).size === args.length;
    const alternatives = isEachOnce ? [conditions] : conditions.map((one) => [one]);
    for (const name of names) {
      const number = library.resolve(name);
      if (number === UNKNOWN_CALL) unknown.add(name);
      else rules.push({ action, number, name, alternatives });
    }
  }
  return { rules, unknownCalls: [...unknown] };
}

function addRule(
  library: Libseccomp,
  context: FilterContext,
  { action, number, name, alternatives }: ResolvedRule,
): void {
  for (const conditions of alternatives) {
    const bytes = conditions.length === 0 ? null : Buffer.concat(conditions);
    const result = library.addRule(context, action, number, conditions.length, bytes);
    if (result < 0 && result !== -EEXIST) {
      refuse(`libseccomp does not take the rule for ${quote(name)} (error ${-result})`);
    }
  }
}

/** `struct scmp_arg_cmp`: unsigned int arg, enum op, uint64_t datum_a, uint64_t datum_b. */
function encodeCondition({ index, op, value, valueTwo }: SeccompCondition): Buffer {
  const comparison = (COMPARISONS as readonly string[]).indexOf(op) + 1;
  if (comparison === 0) refuse(`${quote(op)} is not a comparison`);
  const bytes = Buffer.alloc(CONDITION_BYTES);
  bytes.writeUInt32LE(index, 0);
  bytes.writeUInt32LE(comparison, 4);
  bytes.writeBigUInt64LE(BigInt(value), 8);
  bytes.writeBigUInt64LE(BigInt(valueTwo), 16);
  return bytes;
}

const createMemoryFile = bindLibc('int memfd_create(const char *name, unsigned int flags)');
const MFD_CLOEXEC = 1;

function exportFilter(library: Libseccomp, context: FilterContext): Buffer {
  const fd = createMemoryFile('seccomp', MFD_CLOEXEC);
  try {
    const result = library.export(context, fd);
    if (result < 0) refuse(`libseccomp cannot export the filter (error ${-result})`);
    const bytes = Buffer.alloc(MAX_FILTER_BYTES + 1);
    const length = readSync(fd, bytes, 0, bytes.length, 0);
    if (length > MAX_FILTER_BYTES) refuse('the filter is longer than the kernel takes');
    return bytes.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}

function actionValue(name: string, errno: number | undefined): number {
  const action = lookUp(ACTIONS, name);
  if (action === undefined) {
    throw new OperationalError(
      'RUNTIME_UNSUPPORTED',
      `linux.seccomp: action ${quote(name)} is not supported`,
    );
  }
  return name === 'SCMP_ACT_ERRNO' || name === 'SCMP_ACT_TRACE'
    ? action | (errno ?? EPERM)
    : action;
}

function refuse(problem: string): never {
  throw new OperationalError('RUNTIME_CONFIG_INVALID', `linux.seccomp: ${problem}`);
}
