import { posix } from 'node:path';

import { compileLaunchPlan } from './compile-launch-plan.js';
import { execWord, type ServiceRuntime } from './service-runtime.js';

/** Name of the plan in a deployment. */
export const LAUNCH_PLAN_FILE = 'launch.plan';

/**
 * The built-in runtime: the unit runs the launcher on the plan. Stopping is systemd's own: the launcher passes signals on
 * and ends as the program ends. In the forking form it writes the pid file and ends once the program runs.
 */
export function createBuiltInRuntime(options: {
  /** Path of the launcher on the host at run time. */
  readonly launcher: string;
}): ServiceRuntime {
  return {
    name: 'built-in',
    execLines: ({ deployment, instances }) => ({
      start: [
        execWord(options.launcher),
        execWord(posix.join(deployment, LAUNCH_PLAN_FILE)),
        ...(instances === true ? ['%i'] : []),
      ].join(' '),
      stop: '',
      startPre: '',
      stopPost: '',
    }),
    configText: (text) => text,
    prepare: (config, planOptions) => {
      const { plan, ...rest } = compileLaunchPlan(config, {
        launcher: options.launcher,
        ...planOptions,
      });
      return { ...rest, files: [{ name: LAUNCH_PLAN_FILE, content: plan }] };
    },
  };
}
