import { posix } from 'node:path';

import { compileLaunchPlan } from './compile-launch-plan.js';
import { checkUserLaunch } from './check-user-launch.js';
import { execWord, type ServiceRuntime } from './service-runtime.js';
import type { ServiceUser } from './service-user.js';

/** Name of the plan in a deployment. */
export const LAUNCH_PLAN_FILE = 'launch.plan';

/**
 * The built-in runtime: the unit runs the launcher on the plan. Stopping is systemd's own: the launcher passes signals on
 * and ends as the program ends. In the forking form it writes the pid file and ends once the program runs.
 */
export function createBuiltInRuntime(options: {
  /** Path of the launcher on the host at run time. */
  readonly launcher: string;
  /** The user whose own service manager runs the units ({@link findServiceUser}); the system's does unless given. */
  readonly user?: ServiceUser | undefined;
  /** The architecture of the machine that the units are for, in Go's words; this one's unless given. */
  readonly architecture?: string | undefined;
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
    checkHost: async (launcher) => {
      if (options.user !== undefined) await checkUserLaunch(launcher, options.user);
    },
    prepare: (config, planOptions) => {
      const { plan, ...rest } = compileLaunchPlan(config, {
        launcher: options.launcher,
        ...(options.user === undefined ? {} : { user: options.user }),
        architecture: options.architecture,
        ...planOptions,
      });
      return { ...rest, files: [{ name: LAUNCH_PLAN_FILE, content: plan }] };
    },
  };
}
