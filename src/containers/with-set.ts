import { AsyncScope } from '../base/scope.js';
import { OperationalError } from '../errors/operational-error.js';
import { findContainer } from './container-directory.js';
import { readSet, setLabel, type ContainerSet } from './container-sets.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import { lockAndRecover } from './name-lock.js';

/** A set whose members nobody else changes. */
export interface LockedSet {
  readonly set: ContainerSet;
  /** The present deployments of its members, in the order in which they start. */
  readonly members: readonly Deployment[];
}

/**
 * Runs `body` as the only one who changes a set and any of its members. What was left unfinished of any is finished first.
 *
 * @throws OperationalError BUSY if another holds one of the locks; SET_NOT_FOUND; CONTAINER_NOT_FOUND if a member is not
 * installed any more
 */
export async function withSet<T>(
  host: Host,
  name: string,
  body: (locked: LockedSet) => Promise<T>,
): Promise<T> {
  await readSet(host.paths, name); // a mistyped name is told before a lock file is made for it
  await using scope = new AsyncScope();
  scope.use(await lockAndRecover(host, setLabel(name)));
  const { members } = await readSet(host.paths, name);
  for (const member of members) scope.use(await lockAndRecover(host, member));
  const set = await readSet(host.paths, name);
  const deployments: Deployment[] = [];
  const lost: string[] = [];
  for (const member of members) {
    const deployment = await findContainer(host.paths, member);
    if (deployment === undefined) lost.push(`'${member}'`);
    else deployments.push(deployment);
  }
  if (lost.length > 0) {
    const are = lost.length === 1 ? ['belongs', 'is', 'it'] : ['belong', 'are', 'them'];
    throw new OperationalError(
      'CONTAINER_NOT_FOUND',
      `${lost.join(' and ')} ${are[0]} to it, and ${are[1]} not installed any more`,
      {
        hint: `install ${are[2]} again, or 'berth sets delete ${name}' lets the others go on by themselves`,
      },
    );
  }
  return await body({ set, members: inStartOrder(deployments) });
}

/** What is required or said to be before comes first; else as the set has it, also where they say it in a circle. */
export function inStartOrder(deployments: readonly Deployment[]): readonly Deployment[] {
  const ordered: Deployment[] = [];
  const seen = new Set<Deployment>();
  const visit = (deployment: Deployment): void => {
    if (seen.has(deployment)) return;
    seen.add(deployment);
    for (const other of deployments) if (isBefore(other, deployment)) visit(other);
    ordered.push(deployment);
  };
  for (const deployment of deployments) visit(deployment);
  return ordered;
}

function isBefore(other: Deployment, deployment: Deployment): boolean {
  const { requires, after } = deployment.dependencies;
  const names = namesOf(other);
  const own = namesOf(deployment);
  return (
    [...requires, ...after].some((name) => names.includes(name)) ||
    other.dependencies.before.some((name) => own.includes(name))
  );
}

function namesOf({ name, units, dependencies }: Deployment): readonly string[] {
  return [name, ...units, ...dependencies.provides];
}
