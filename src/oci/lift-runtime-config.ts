import type { JsonObject, JsonValue } from '../base/strict-json.js';

/**
 * Lifts a config.json of the drafts (0.3 to 1.0.0-rc6), and of images published for atomic, to today's form. This is the
 * one place that knows old forms; what it does not recognise passes unchanged, for the parser to judge.
 *
 * | old | since | today |
 * | --- | --- | --- |
 * | `linux.capabilities: [..]` | 0.3 | `process.capabilities`, the list in all five sets |
 * | `process.capabilities: [..]` | 1.0.0-rc1 | the same |
 * | `linux.rlimits` | 0.3 | `process.rlimits` |
 * | `linux.selinuxProcessLabel`, `process.selinuxProcessLabel`, `linux.apparmorProfile` | 0.3 | `process.selinuxLabel`, `process.apparmorProfile` |
 * | `linux.noNewPrivileges` | 0.4 | `process.noNewPrivileges` |
 * | `linux.resources.oomScoreAdj`, `linux.resources.disableOOMKiller` | 1.0.0-rc | `process.oomScoreAdj`, `memory.disableOOMKiller` |
 * | `linux.seccomp.syscalls[].name` | 1.0.0-rc4 | `names` |
 * | `linux.seccomp` without an action and without calls | 0.3 | absent |
 * | `hooks`, `linux.devices`, `mounts`: null | | absent |
 * | `linux.namespaces[].type` with capitals or `net`, `mnt` | 0.3 | `network`, `mount` |
 * | `platform` | to 1.0.0-rc5 | dropped |
 */
export function liftRuntimeConfig(document: JsonValue): JsonValue {
  if (!isObject(document)) return document;
  const linux = isObject(document['linux']) ? document['linux'] : {};
  const process = document['process'];
  return {
    ...without(document, 'platform'),
    ...(isObject(process) ? { process: liftProcess(process, linux) } : {}),
    ...(isObject(document['linux']) ? { linux: liftLinux(linux) } : {}),
  };
}

const MOVED_TO_PROCESS = [
  ['rlimits', 'rlimits'],
  ['selinuxProcessLabel', 'selinuxLabel'],
  ['apparmorProfile', 'apparmorProfile'],
  ['noNewPrivileges', 'noNewPrivileges'],
] as const;

function liftProcess(process: JsonObject, linux: JsonObject): JsonObject {
  const resources = isObject(linux['resources']) ? linux['resources'] : {};
  const lifted: Record<string, JsonValue | undefined> = {
    ...process,
    selinuxLabel: process['selinuxLabel'] ?? process['selinuxProcessLabel'],
  };
  for (const [from, to] of MOVED_TO_PROCESS) lifted[to] ??= linux[from];
  lifted['oomScoreAdj'] ??= resources['oomScoreAdj'];
  const capabilities = process['capabilities'] ?? linux['capabilities'];
  lifted['capabilities'] = Array.isArray(capabilities)
    ? {
        bounding: capabilities,
        effective: capabilities,
        permitted: capabilities,
        inheritable: capabilities,
        ambient: capabilities,
      }
    : capabilities;
  return defined(lifted);
}

function liftLinux(linux: JsonObject): JsonObject {
  const resources = linux['resources'];
  const namespaces = linux['namespaces'];
  const seccomp = linux['seccomp'];
  return {
    ...(isNoFilter(seccomp) ? without(linux, 'seccomp') : linux),
    ...(isObject(resources) ? { resources: liftResources(resources) } : {}),
    ...(Array.isArray(namespaces) ? { namespaces: namespaces.map(liftNamespace) } : {}),
    ...(isObject(seccomp) && !isNoFilter(seccomp) ? { seccomp: liftSeccomp(seccomp) } : {}),
  };
}

function liftResources(resources: JsonObject): JsonObject {
  const old = resources['disableOOMKiller'];
  if (old === undefined) return resources;
  const memory = isObject(resources['memory']) ? resources['memory'] : {};
  return { ...resources, memory: { disableOOMKiller: old, ...memory } };
}

function liftNamespace(entry: JsonValue): JsonValue {
  if (!isObject(entry) || typeof entry['type'] !== 'string') return entry;
  const type = entry['type'].toLowerCase();
  return { ...entry, type: { net: 'network', mnt: 'mount' }[type] ?? type };
}

/** What `runc spec` of 2016 wrote for "no filter". */
function isNoFilter(seccomp: JsonValue | undefined): boolean {
  if (!isObject(seccomp) || seccomp['defaultAction'] !== '') return false;
  const calls = seccomp['syscalls'];
  return calls === undefined || calls === null || (Array.isArray(calls) && calls.length === 0);
}

function liftSeccomp(seccomp: JsonObject): JsonObject {
  const syscalls = seccomp['syscalls'];
  if (!Array.isArray(syscalls)) return seccomp;
  return {
    ...seccomp,
    syscalls: (syscalls as readonly JsonValue[]).map((entry) =>
      isObject(entry) && entry['names'] === undefined && entry['name'] !== undefined
        ? { ...entry, names: [entry['name']] }
        : entry,
    ),
  };
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function without(object: JsonObject, key: string): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
}

function defined(object: Readonly<Record<string, JsonValue | undefined>>): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}
