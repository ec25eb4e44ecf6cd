import { posix } from 'node:path';

import { OperationalError } from '../errors/operational-error.js';
import { quote } from '../base/escape-text.js';
import { parseStrictJson, type JsonObject, type JsonValue } from '../base/strict-json.js';
import { compileLaunchPlan } from './compile-launch-plan.js';
import { execWord, type ServiceRuntime } from './service-runtime.js';

/** Where runtimes are looked for when only a name is given: a unit needs a path. */
const RUNTIME_FOLDER = '/usr/bin';

/** How {@link createForeignRuntime} makes lines. */
export interface ForeignRuntimeOptions {
  /**
   * Where the runtime keeps its records of berth's containers. In its usual folder an engine's container may have the id
   * already: its record is what `kill` and `delete --force` of a unit would then act on.
   */
  readonly states: string;
  /**
   * Where its scopes go. One that is named after the runtime and the id alone, as runc and crun do by themselves, may be
   * that of an engine's container: runc takes it for its own, and stops it.
   */
  readonly slice: 'system.slice' | 'user.slice';
}

/** Settings that the runtime gives its own cgroup and processes; both doing it would be one too many. */
const LEFT_TO_THE_RUNTIME =
  /^(Memory|CPU|IO|Tasks|Allowed|Device|Nice|Delegate|NotifyAccess|KillSignal|KillMode)/;

/** Where the program of another runtime has to be. */
export function foreignRuntimePath(runtime: string): string {
  return runtime.startsWith('/') ? runtime : posix.join(RUNTIME_FOLDER, runtime);
}

/**
 * Another OCI runtime (`--runtime crun|runc|PATH`) behind the unit: it runs the config.json of the deployment as it
 * stands, in a scope of its own below systemd; berth's checks hold all the same. The lines are those that `atomic install`
 * wrote, with a folder of berth's own for the runtime's records.
 *
 * @throws {@link OperationalError} USAGE if it is neither a plain name nor an absolute path
 */
export function createForeignRuntime(
  runtime: string,
  { states, slice }: ForeignRuntimeOptions,
): ServiceRuntime {
  if (!/^(\/[\w@%+,.:=/-]+|[\w.-]+)$/.test(runtime)) {
    throw new OperationalError(
      'USAGE',
      `${quote(runtime)} is neither a runtime's name nor an absolute path`,
    );
  }
  const program = `${execWord(foreignRuntimePath(runtime))} --root ${execWord(states)}`;
  return {
    name: runtime,
    execLines: ({ name, deployment, pidFile, instances }) => {
      if (instances === true) {
        throw new OperationalError(
          'RUNTIME_UNSUPPORTED',
          'instances need the built-in runtime: another one has one config.json for one container',
        );
      }
      const container = execWord(name);
      const bundle = execWord(deployment);
      return pidFile === undefined
        ? {
            start: `${program} --systemd-cgroup run --bundle ${bundle} ${container}`,
            stop: `${program} kill ${container} TERM`,
            startPre: '',
            stopPost: '',
          }
        : {
            start: `${program} --systemd-cgroup run --detach --pid-file ${execWord(pidFile)} --bundle ${bundle} ${container}`,
            stop: `${program} kill ${container} TERM`,
            startPre: '',
            stopPost: `${program} delete --force ${container}`,
          };
    },
    configText: (text, name) => withCgroup(text, `${slice}:berth:${name}`),
    checkHost: () => Promise.resolve(),
    prepare: (config, options) => {
      // Of no use to the launcher, which would say so.
      const linux = { ...config.linux, cgroupsPath: undefined };
      const { directives, warnings, bindSources, mountPoints, summary } = compileLaunchPlan(
        { ...config, linux },
        options,
      );
      return {
        directives: [
          ...directives.filter(
            ([section, key]) => section === 'Unit' || !LEFT_TO_THE_RUNTIME.test(key),
          ),
          // The processes are in a scope of the runtime's, which systemd does not stop with the unit: where the runtime was
          // killed, they would go on, and the record would keep the next start from coming.
          ['Service', 'ExecStopPost', `-${program} delete --force ${execWord(options.name)}`],
        ],
        warnings,
        bindSources,
        mountPoints,
        // It does not pass on what systemd gives.
        summary: { ...summary, credentialsPath: undefined },
        files: [],
      };
    },
  };
}

/** The config.json with a scope of berth's own (`SLICE:PREFIX:NAME`, as runc, crun and podman read it), unless it names one. */
function withCgroup(text: string, cgroupsPath: string): string {
  const config = parseStrictJson(text, { what: 'config.json' });
  if (!isObject(config)) return text;
  const linux = config['linux'] ?? {};
  if (!isObject(linux) || linux['cgroupsPath'] !== undefined) return text;
  return `${JSON.stringify({ ...config, linux: { ...linux, cgroupsPath } }, null, 2)}\n`;
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
