import { loadBerthConf, type BerthConf } from '../config/berth-conf.js';
import { resolveHostPaths, type HostPaths } from '../config/host-paths.js';
import { assertInsideTree } from '../containers/inside-tree.js';
import type { CliContext, CommonOptions } from './context.js';
import { printEvent } from './output/print-event.js';

/**
 * Loads berth.conf for one command: of the tree of `--root`, where the command works on one. With `lenient`, what is
 * wrong is a warning and counts as not said.
 *
 * @throws OperationalError CONFIG_INVALID
 */
export async function loadConf(
  context: CliContext,
  options: CommonOptions & { readonly lenient?: boolean },
  paths: HostPaths = resolveHostPaths({ mode: 'system', env: context.host.env }),
): Promise<BerthConf> {
  const { env } = context.host;
  const file = paths.onDisk(paths.confFile);
  await assertInsideTree(paths, paths.confFile);
  return loadBerthConf({
    file,
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
}
