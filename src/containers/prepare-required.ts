import { withContext } from '../errors/with-context.js';
import { describeInstall } from './describe-install.js';
import type { Host } from './host.js';
import type { InstallPlan } from './install-plan.js';
import type { Requirements } from './install-requirements.js';
import { preflightInstall } from './preflight.js';
import type { PlannedContainer } from './prepare-dependencies.js';
import { prepareDeployment } from './prepare-deployment.js';
import type { PreparedDeployment } from './prepared-deployment.js';

/** What of a request to install holds for what the container requires, too; values and exceptions are its own. */
export interface RequirementOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly enable: boolean;
  readonly planOnly: boolean;
}

/** The required containers of a request, ready to be installed in this order. */
export interface PreparedRequirements {
  readonly steps: readonly PreparedDeployment[];
  readonly plans: readonly InstallPlan[];
  /** As those that are prepared after them see them. */
  readonly planned: readonly PlannedContainer[];
}

/** Prepares what a container requires with the defaults of the images: nothing is written yet. */
export async function prepareRequired(
  host: Host,
  { root, ordered }: Requirements,
  options: RequirementOptions,
): Promise<PreparedRequirements> {
  const steps: PreparedDeployment[] = [];
  const plans: InstallPlan[] = [];
  const planned: PlannedContainer[] = [...ordered.map(({ neighbour }) => neighbour), root].map(
    (neighbour) => ({ neighbour, ordering: undefined }),
  );
  for (const [index, container] of ordered.entries()) {
    const { name, requiredBy, fetched, neighbour } = container;
    await withContext(`cannot install '${name}', which '${requiredBy}' requires`, async () => {
      await preflightInstall(host, name);
      const prepared = await prepareDeployment(host, {
        name,
        fetched,
        installed: undefined,
        setValues: new Map(),
        fileValues: new Map(),
        env: options.env,
        rootfs: undefined,
        runtime: undefined,
        enable: options.enable,
        allowHostPaths: [],
        keepExisting: false,
        planOnly: options.planOnly,
        planned,
      });
      planned[index] = { neighbour, ordering: prepared.ordering };
      steps.push(prepared);
      const request = { enable: options.enable, start: false };
      const plan = await describeInstall(host, prepared, {
        request,
        fetched,
        action: 'install',
        runsOnce: false,
      });
      for (const text of plan.warnings) host.onEvent({ kind: 'warning', text });
      plans.push(plan);
    });
  }
  return { steps, plans, planned };
}
