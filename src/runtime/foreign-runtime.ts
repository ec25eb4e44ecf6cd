import { posix } from 'node:path';

import { OperationalError } from '../errors/operational-error.js';
import { quote } from '../base/escape-text.js';
import { compileLaunchPlan } from './compile-launch-plan.js';
import { execWord, type ServiceRuntime } from './service-runtime.js';

/** Where runtimes are looked for when only a name is given: a unit needs a path. */
const RUNTIME_FOLDER = '/usr/bin';

/** Settings that the runtime gives its own cgroup and processes; both doing it would be one too many. */
const LEFT_TO_THE_RUNTIME =
  /^(Memory|CPU|IO|Tasks|Allowed|Device|Nice|Delegate|NotifyAccess|KillSignal|KillMode)/;

/** Where the program of another runtime has to be. */
export function foreignRuntimePath(runtime: string): string {
  return runtime.startsWith('/') ? runtime : posix.join(RUNTIME_FOLDER, runtime);
}

/**
 * Another OCI runtime (`--runtime crun|runc|PATH`) behind the unit: it runs the config.json of the deployment as it
 * stands, in a scope of its own below systemd; berth's checks hold all the same. The lines are those that `atomic install` wrote.
 *
 * @throws {@link OperationalError} USAGE if it is neither a plain name nor an absolute path
 */
export function createForeignRuntime(runtime: string): ServiceRuntime {
  if (!/^(\/[\w@%+,.:=/-]+|[\w.-]+)$/.test(runtime)) {
    throw new OperationalError(
      'USAGE',
      `${quote(runtime)} is neither a runtime's name nor an absolute path`,
    );
  }
  const program = execWord(foreignRuntimePath(runtime));
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
    prepare: (config, options) => {
      const { directives, warnings, bindSources, mountPoints, summary } = compileLaunchPlan(
        config,
        options,
      );
      return {
        directives: directives.filter(
          ([section, key]) => section === 'Unit' || !LEFT_TO_THE_RUNTIME.test(key),
        ),
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
