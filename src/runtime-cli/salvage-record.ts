import { existsSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';

import { OperationalError } from '../errors/operational-error.js';
import type { CgroupPlace } from '../runtime/cgroups/cgroup.js';
import { ObjectReader } from '../oci/object-reader.js';
import { parseRuntimeResources } from '../oci/parse-runtime-resources.js';
import { parseBundleConfig, type BundleConfig } from './bundle.js';
import { chooseManager } from './container-cgroup.js';
import type { ContainerRecord, ContainerStore } from './container-record.js';
import { parseHooks } from './hooks.js';
import { warn, type RuntimeContext } from './runtime-context.js';

const NOTHING = new ObjectReader({}, '');

/**
 * The record of a container that is to be deleted by force; where it is damaged, as much of it as is still to be known: the
 * process where its number and start are there to be read, the control group by the configuration. A group whose name does not
 * end in the container's id may be another's, and nobody in there is killed.
 */
export function findOrSalvage(
  context: RuntimeContext,
  store: ContainerStore,
): ContainerRecord | undefined {
  try {
    return store.find();
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
    warn(context, `${error.message}; what is left of it is looked for by its configuration`);
    return salvage(context, store);
  }
}

function salvage(context: RuntimeContext, store: ContainerStore): ContainerRecord {
  const text = readIfThere(store.file('state.json'));
  const document = configOf(store);
  const path = document?.config.linux.cgroupsPath;
  const systemdCgroup = context.systemdCgroup || /^[^/:]*:[^/:]*:[^/:]+$/.test(path ?? '');
  // Where it is to be found is all that is asked; what it was to have is of no account any more.
  const plan = { id: store.id, path, resources: parseRuntimeResources(NOTHING) };
  const cgroup = chooseManager({ ...context, systemdCgroup }, plan).plan(plan);
  return {
    format: 1,
    id: store.id,
    ociVersion: document?.config.ociVersion ?? '1.0.0',
    bundle: textOf(text, 'bundle'),
    rootfs: textOf(text, 'rootfs'),
    annotations: document?.config.annotations ?? {},
    created: textOf(text, 'created'),
    isCreated: true,
    pid: Number(/"pid":(\d+)[,}]/.exec(text)?.[1] ?? 0),
    startTime: textOf(text, 'startTime'),
    cgroup,
    hasCgroup: isOwn(cgroup, store.id),
    hooks: document?.hooks ?? parseHooks(NOTHING),
    noPivot: false,
  };
}

/** Whether a control group is there, and has the id in its name, as engines and berth itself name them. */
function isOwn({ scope, directories }: CgroupPlace, id: string): boolean {
  const has = (name: string): boolean => name === id || name.endsWith(`-${id}`);
  if (scope !== undefined) return has(scope.replace(/\.scope$/, ''));
  const places = Object.values(directories);
  return places.every((place) => has(posix.basename(place))) && places.some(existsSync);
}

function configOf(store: ContainerStore): BundleConfig | undefined {
  try {
    return parseBundleConfig(readFileSync(store.file('config.json'), 'utf8'));
  } catch {
    return undefined; // as damaged as the record, or not written yet
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // a directory, or a disk that gives it no more
  }
}

function textOf(text: string, name: string): string {
  return new RegExp(`"${name}":"([^"\\\\]*)"`).exec(text)?.[1] ?? '';
}
