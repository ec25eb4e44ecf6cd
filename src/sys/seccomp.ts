import { closeSync, readSync } from 'node:fs';

import { quote } from '../base/escape-text.js';
import { lookUp } from '../base/look-up.js';
import { OperationalError } from '../errors/operational-error.js';
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
 * @throws {@link OperationalError} LIBRARY_MISSING; RUNTIME_CONFIG_INVALID for what libseccomp does not take
 */
export function exportSeccompFilter(rules: SeccompFilterRules): SeccompFilter {
  const library = loadLibrary();
  const defaultAction = actionValue(rules.defaultAction, rules.defaultErrnoRet);
  const context = library.init(defaultAction);
  if (context === null) refuse(`cannot make a filter with default action ${rules.defaultAction}`);
  try {
    chooseNative(library, { context, rules });
    for (const name of rules.architectures) addArchitecture(library, { context, name });
    // A binary tree of system calls instead of a list; libseccomp before 2.5 does without.
    library.setAttribute(context, CTL_OPTIMIZE, 2);
    const unknown = new Set<string>();
    for (const rule of rules.syscalls) {
      const action = actionValue(rule.action, rule.errnoRet ?? rules.defaultErrnoRet);
      // libseccomp refuses rules that say what the default says.
      if (action === defaultAction) continue;
      for (const name of rule.names) {
        const number = library.resolve(name);
        if (number === UNKNOWN_CALL) unknown.add(name);
        else addRule(library, { context, action, number, name, conditions: rule.args });
      }
    }
    return { filter: exportFilter(library, context), unknownCalls: [...unknown] };
  } finally {
    library.release(context);
  }
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
const EEXIST = 17;
const CTL_OPTIMIZE = 8;
/** Longest filter that the kernel takes (BPF_MAXINSNS), at 8 bytes each. */
const MAX_FILTER_BYTES = 4096 * 8;
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

/**
 * A fresh filter is for the machine that this runs on. Before the first rule it can become another one's: numbers of calls are
 * this machine's until the filter is made, and those that only the other has are below zero.
 */
function chooseNative(
  library: Libseccomp,
  { context, rules }: { context: FilterContext; rules: SeccompFilterRules },
): void {
  if (rules.native === undefined) return;
  addArchitecture(library, { context, name: rules.native });
  const own = library.native();
  if (library.architecture(libraryName(rules.native)) === own) return;
  if (library.removeArchitecture(context, own) < 0) refuse('cannot remove the own architecture');
}

/** The name of an architecture as libseccomp takes it: `x86_64`. */
function libraryName(name: string): string {
  return name.replace(/^SCMP_ARCH_/, '').toLowerCase();
}

function addArchitecture(
  library: Libseccomp,
  { context, name }: { context: FilterContext; name: string },
): void {
  const token = library.architecture(libraryName(name));
  if (token === 0) refuse(`${quote(name)} is not an architecture that libseccomp knows`);
  const result = library.addArchitecture(context, token);
  if (result < 0 && result !== -EEXIST) refuse(`cannot add architecture ${quote(name)}`);
}

function addRule(
  library: Libseccomp,
  rule: {
    context: FilterContext;
    action: number;
    number: number;
    name: string;
    conditions: readonly SeccompCondition[];
  },
): void {
  const { context, action, number, name, conditions } = rule;
  const indexes = conditions.map(({ index }) => index);
  // libseccomp takes one condition for each argument; more on the same one mean "any of these", as in runc.
  const alternatives =
    new Set(indexes).size === indexes.length ? [conditions] : conditions.map((one) => [one]);
  for (const alternative of alternatives) {
    const bytes = Buffer.concat([...alternative.map(encodeCondition), Buffer.alloc(1)]);
    const result = library.addRule(context, action, number, alternative.length, bytes);
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
