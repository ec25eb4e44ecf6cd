import { join } from 'node:path';

import { quote } from '../base/escape-text.js';
import { AsyncScope } from '../base/scope.js';
import { OperationalError } from '../errors/operational-error.js';
import { tryLock } from '../sys/lock-file.js';
import { findContainer } from './container-directory.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import { readDeployments } from './list-containers.js';
import { answersTo, containerNameOf } from './resolve-dependencies.js';

/** What {@link withRequiredHeld} is about. */
export interface MadeContainers {
  /** The deployments that will stand when the body has run. */
  readonly made: readonly Pick<Deployment, 'name' | 'dependencies'>[];
  /** Names whose locks the caller holds, beside those that are made. */
  readonly held?: readonly string[];
}

/**
 * Runs `body`, which makes containers, while nobody takes away what they require: of two commands that install one
 * container and uninstall another that it requires, at the same instant, one is told. Their locks are held shared, so
 * any number of containers that require the same are made side by side; locks are tried and never waited for, so there
 * is no order to keep.
 *
 * @throws {@link OperationalError} BUSY naming the one that is being changed; DEPENDENCY_MISSING for one that is gone
 */
export async function withRequiredHeld<T>(
  host: Host,
  { made, held = [] }: MadeContainers,
  body: () => Promise<T>,
): Promise<T> {
  await using scope = new AsyncScope();
  for (const name of await findRequired(host, made)) {
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
    if ((await findContainer(host.paths, name)) === undefined) {
      throw new OperationalError(
        'DEPENDENCY_MISSING',
        `it requires ${quote(name)}, which was uninstalled meanwhile`,
        { hint: `add '--with-dependencies', or run 'berth install ${name}' first` },
      );
    }
  }
  return await body();
}

/** The containers on the host that those to come require, but for those to come themselves. */
async function findRequired(
  host: Host,
  made: readonly Pick<Deployment, 'name' | 'dependencies'>[],
): Promise<readonly string[]> {
  const wanted = made.flatMap(({ dependencies }) => dependencies.requires);
  if (wanted.length === 0) return [];
  const own = new Set(made.map(({ name }) => name));
  const { deployments } = await readDeployments(host);
  const others = deployments.filter(({ name }) => !own.has(name));
  const found = wanted.flatMap((name) => {
    const named = others.find((other) => other.name === containerNameOf(name));
    const match = named ?? others.find((other) => answersTo(other, name));
    return match === undefined ? [] : [match.name];
  });
  return [...new Set(found)].sort();
}
