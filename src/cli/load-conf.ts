import { existsSync } from 'node:fs';

import { loadBerthConf, readBerthConf, type BerthConf } from '../config/berth-conf.js';
import { resolveHostPaths, type HostPaths } from '../config/host-paths.js';
import { assertInsideTree } from '../containers/inside-tree.js';
import type { CliContext, CommonOptions } from './context.js';
import { printEvent } from './output/print-event.js';

/**
 * Loads berth.conf for one command: of the tree of `--root`, where the command works on one; of a user the user's own or, where
 * there is none, the system's, whose stores are not the user's. With `lenient`, what is wrong is a warning and counts as
 * not said.
 *
 * @throws OperationalError CONFIG_INVALID
 */
export async function loadConf(
  context: CliContext,
  options: CommonOptions & { readonly lenient?: boolean },
  given?: HostPaths,
): Promise<BerthConf> {
  const { env } = context.host;
  const paths = given ?? (await findConfPlaces(context, options));
  await assertInsideTree(paths, paths.confFile);
  const own = paths.onDisk(paths.confFile);
  const isNamed = (env['BERTH_CONFIG'] ?? '') !== '';
  const shared =
    paths.mode === 'user' && !isNamed && !existsSync(own)
      ? resolveHostPaths({ mode: 'system', env }).confFile
      : undefined;
  const conf = await loadBerthConf({
    file: shared ?? own,
    env,
    onProblem:
      options.lenient === true
        ? (problem) => {
            printEvent(context, options, {
              kind: 'warning',
              text: `${problem.message}, going on without it`,
            });
          }
        : undefined,
  });
  if (shared === undefined) return conf;
  // The environment is the user's, whatever the file says.
  const { storage } = readBerthConf({}, { file: shared, env, onProblem: () => undefined });
  return { ...conf, storage };
}

/** The places of commands that do not work on a host: for them `--root` is not checked, and makes no difference. */
export async function findConfPlaces(
  context: CliContext,
  options: CommonOptions,
): Promise<HostPaths> {
  if (options.user !== true) return resolveHostPaths({ mode: 'system', env: context.host.env });
  const { findHostPlaces } = await import('./host-places.js');
  return findHostPlaces(context, options);
}
