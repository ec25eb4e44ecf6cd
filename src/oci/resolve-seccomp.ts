import { constants } from 'node:os';

import { lookUp } from '../base/look-up.js';
import type { JsonObject } from '../base/strict-json.js';
import { JsonFields } from './json-fields.js';
import { seccompArchitecture } from './seccomp-architectures.js';

/*
 * Engines keep one file of system calls for all containers: it says what holds on which architecture, and with which
 * capabilities. A config.json has what holds for one.
 */

/** The container that a profile is resolved for. */
export interface SeccompSituation {
  /** Of the kernel, in Go's words. */
  readonly architecture: string;
  /** The most that the container can have. */
  readonly capabilities: readonly string[];
  /** `uname -r`. */
  readonly kernel: string;
  /** Whether the filter can have a call: libseccomp knows those of its own time. */
  readonly knows: (name: string) => boolean;
}

/** Actions by which a call is made, or may be. */
const PERMISSIVE = new Set(['SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_TRACE', 'SCMP_ACT_NOTIFY']);

/** Rules of a profile; moby's has 60. */
const MAX_RULES = 10_000;

/**
 * Makes the `linux.seccomp` of one container out of a profile in the form of moby and podman (`archMap`, `includes`, `excludes`);
 * what is a `linux.seccomp` already stays one. Calls that nobody here has a number for are left out where the default refuses
 * them anyway.
 *
 * @throws OperationalError CONFIG_INVALID naming the member; JSON_INVALID
 */
export function resolveSeccomp(
  profile: { readonly bytes: Uint8Array; readonly what: string },
  situation: SeccompSituation,
): JsonObject {
  const fields = JsonFields.parse(profile.bytes, { what: profile.what, code: 'CONFIG_INVALID' });
  const defaultAction = fields.string('defaultAction');
  const keeps = PERMISSIVE.has(defaultAction) ? (): boolean => true : situation.knows;
  const errno = errnoOf(fields, 'defaultErrnoRet', 'defaultErrno');
  const syscalls = fields
    .objects('syscalls', MAX_RULES)
    .filter((rule) => applies(rule, situation))
    .map((rule) => resolveRule(rule, keeps))
    .filter(({ names }) => names.length > 0);
  return {
    defaultAction,
    ...(errno === undefined ? {} : { defaultErrnoRet: errno }),
    architectures: architecturesOf(fields, situation),
    ...passOn(fields),
    syscalls,
  };
}

/** What says how the filter is loaded; whether that can be is for the compiler to say. */
function passOn(fields: JsonFields): JsonObject {
  const flags = fields.strings('flags');
  const path = fields.optionalString('listenerPath');
  const metadata = fields.optionalString('listenerMetadata');
  return {
    ...(flags.length === 0 ? {} : { flags }),
    ...(path === undefined ? {} : { listenerPath: path }),
    ...(metadata === undefined ? {} : { listenerMetadata: metadata }),
  };
}

function architecturesOf(fields: JsonFields, { architecture }: SeccompSituation): string[] {
  if (!fields.has('archMap')) return [...fields.strings('architectures')];
  if (fields.has('architectures')) fields.fail('architectures', "stands beside 'archMap'");
  const native = seccompArchitecture(architecture);
  if (native === undefined) return [];
  const entry = fields
    .objects('archMap', MAX_RULES)
    .find((known) => known.string('architecture') === native);
  return [native, ...(entry?.strings('subArchitectures') ?? [])];
}

function applies(rule: JsonFields, situation: SeccompSituation): boolean {
  const includes = conditionsOf(rule, 'includes', situation);
  const excludes = conditionsOf(rule, 'excludes', situation);
  return includes.every((met) => met) && !excludes.includes(true);
}

/**
 * Of what is required, every capability has to be there, and one of the architectures; of what is excluded, one capability is
 * enough (moby's meaning of both).
 */
function conditionsOf(
  rule: JsonFields,
  member: 'includes' | 'excludes',
  { architecture, capabilities, kernel }: SeccompSituation,
): readonly boolean[] {
  const conditions = rule.optionalObject(member);
  if (conditions === undefined) return [];
  const caps = conditions.strings('caps');
  const arches = conditions.strings('arches');
  const minimum = conditions.optionalString('minKernel');
  const held = (name: string): boolean => capabilities.includes(name);
  return [
    ...(caps.length === 0 ? [] : [member === 'includes' ? caps.every(held) : caps.some(held)]),
    ...(arches.length === 0
      ? []
      : [arches.includes(architecture === '386' ? 'x86' : architecture)]),
    ...(minimum === undefined ? [] : [isKernelFrom(conditions, { minimum, kernel })]),
  ];
}

function isKernelFrom(
  fields: JsonFields,
  { minimum, kernel }: { readonly minimum: string; readonly kernel: string },
): boolean {
  const versionOf = (text: string): readonly number[] | undefined =>
    /^(\d{1,5})\.(\d{1,5})/.exec(text)?.slice(1).map(Number);
  const [major = 0, minor = 0] = versionOf(kernel) ?? [];
  const [least = 0, leastMinor = 0] =
    versionOf(minimum) ?? fields.fail('minKernel', 'is not the version of a kernel');
  return major > least || (major === least && minor >= leastMinor);
}

function resolveRule(
  rule: JsonFields,
  keeps: (name: string) => boolean,
): JsonObject & { readonly names: readonly string[] } {
  const old = rule.optionalString('name');
  const errno = errnoOf(rule, 'errnoRet', 'errno');
  const args = rule.optionalObjects('args', MAX_RULES);
  return {
    names: [...(old === undefined ? [] : [old]), ...rule.strings('names')].filter(keeps),
    action: rule.string('action'),
    ...(errno === undefined ? {} : { errnoRet: errno }),
    ...(args.length === 0 ? {} : { args: args.map(resolveArgument) }),
  };
}

function resolveArgument(argument: JsonFields): JsonObject {
  const second = argument.optionalCount('valueTwo');
  return {
    index: argument.count('index'),
    value: argument.count('value'),
    ...(second === undefined ? {} : { valueTwo: second }),
    op: argument.string('op'),
  };
}

/** Podman writes numbers and names; a name alone counts, too. */
function errnoOf(fields: JsonFields, number: string, name: string): number | undefined {
  const written = fields.optionalCount(number);
  const named = fields.optionalString(name);
  if (written !== undefined || named === undefined || named === '') return written;
  return lookUp(constants.errno, named) ?? fields.fail(name, 'is not the name of an error');
}
