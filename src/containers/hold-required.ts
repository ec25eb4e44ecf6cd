import { join } from 'node:path';

import { quote } from '../base/escape-text.js';
import { AsyncScope } from '../base/scope.js';
import { OperationalError } from '../errors/operational-error.js';
import { tryLock } from '../sys/lock-file.js';
import { findContainer } from './container-directory.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import { readDeployments } from './list-containers.js';
import { answersTo, containerNameOf, unitOf } from './resolve-dependencies.js';

/** What {@link withRequiredHeld} is about. */
export interface MadeContainers {
  /** The deployments that will stand when the body has run. */
  readonly made: readonly Pick<Deployment, 'name' | 'units' | 'dependencies'>[];
  /** Names whose locks the caller holds, beside those that are made. */
  readonly held?: readonly string[];
  /** That nothing was missing when they were prepared: what nobody fulfils now went meanwhile. */
  readonly wasWhole: boolean;
}

/**
 * Runs `body`, which makes containers, while nobody takes away what they require: of two commands that install one
 * container and uninstall another that it requires, at the same instant, one is told. Their locks are held shared, so
 * any number of containers that require the same are made side by side; locks are tried and never waited for, so there
 * is no order to keep.
 *
 * @throws {@link OperationalError} BUSY naming the one that is being changed; DEPENDENCY_MISSING for one that went meanwhile
 */
export async function withRequiredHeld<T>(
  host: Host,
  { made, held = [], wasWhole }: MadeContainers,
  body: () => Promise<T>,
): Promise<T> {
  await using scope = new AsyncScope();
  const { containers, others } = await findRequired(host, made);
  // What went before it could be held is in nobody's hands any more.
  if (wasWhole) for (const wanted of others) await assertUnitThere(host, wanted);
  for (const name of containers) {
    if (held.includes(name)) continue;
    const path = host.paths.onDisk(join(host.paths.lockDir, `${name}.lock`));
    const lock = tryLock(path, 'shared');
    if (lock === undefined) {
      throw new OperationalError(
        'BUSY',
        `another berth is changing ${quote(name)}, which it requires, at present`,
        { hint: 'wait for it to end, then run the command again' },
      );
    }
    scope.use({
      [Symbol.asyncDispose]: () => {
        lock.release();
        return Promise.resolve();
      },
    });
    // It may have gone between being found and being held.
    if ((await findContainer(host.paths, name)) === undefined) throw wasUninstalled(name);
  }
  return await body();
}

/** What those to come require, but for those to come themselves. */
interface Required {
  /** Containers on the host. */
  readonly containers: readonly string[];
  /** Names that no container has: units of the host, or nothing any more. */
  readonly others: readonly string[];
}

async function findRequired(
  host: Host,
  made: readonly Pick<Deployment, 'name' | 'units' | 'dependencies'>[],
): Promise<Required> {
  const wanted = new Set(made.flatMap(({ dependencies }) => dependencies.requires));
  if (wanted.size === 0) return { containers: [], others: [] };
  const own = new Set(made.map(({ name }) => name));
  const { deployments } = await readDeployments(host);
  const neighbours = deployments.filter(({ name }) => !own.has(name));
  const containers = new Set<string>();
  const others: string[] = [];
  for (const name of wanted) {
    const named = neighbours.find((other) => other.name === containerNameOf(name));
    const match = named ?? neighbours.find((other) => answersTo(other, name));
    if (match !== undefined) containers.add(match.name);
    else if (!made.some((one) => answersTo(one, name))) others.push(name);
  }
  return { containers: [...containers].sort(), others };
}

async function assertUnitThere(host: Host, wanted: string): Promise<void> {
  const manager = await host.openUnitManager();
  if ((await manager.findUnitFile(unitOf(wanted))) === undefined) throw wasUninstalled(wanted);
}

function wasUninstalled(name: string): OperationalError {
  return new OperationalError(
    'DEPENDENCY_MISSING',
    `it requires ${quote(name)}, which was uninstalled meanwhile`,
    { hint: `add '--with-dependencies', or run 'berth install ${name}' first` },
  );
}
