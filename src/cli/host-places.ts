import { join, resolve } from 'node:path';

import { quote } from '../base/escape-text.js';
import { lstat, realpath, stat } from '../base/quick-files.js';
import { resolveHostPaths, type HostPaths } from '../config/host-paths.js';
import { assertInsideTree } from '../containers/inside-tree.js';
import { assertOwnPlaces } from '../containers/own-places.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import type { CliContext, CommonOptions } from './context.js';

/**
 * The places that the common options of a command mean: of the system, of a tree that is not running, or of a user. Those that
 * others could lead elsewhere are refused.
 *
 * @throws {@link OperationalError} USAGE for options that do not go together; CONFIG_INVALID; HOST_PATH_REFUSED
 */
export async function findHostPlaces(
  context: CliContext,
  options: CommonOptions,
): Promise<HostPaths> {
  const { env } = context.host;
  if (options.user === true) {
    assertForUsers(options);
    const paths = resolveHostPaths({ mode: 'user', env: await userEnvironment(env) });
    assertOwnPlaces(paths);
    return paths;
  }
  const root = options.root === undefined ? undefined : await existingRoot(options.root);
  const paths = resolveHostPaths({ mode: 'system', root, env });
  for (const place of [paths.stateDir, paths.runDir, paths.unitDir, paths.tmpfilesDir])
    await assertInsideTree(paths, place);
  return paths;
}

/** Root could have a service manager of its own, but what it installs runs as root all the same: there is nothing to gain. */
function assertForUsers({ root }: CommonOptions): void {
  if (root !== undefined) {
    throw new OperationalError(
      'USAGE',
      "'--user' and '--root' do not go together: the tree of '--root' has no user's service manager",
    );
  }
  if (process.geteuid?.() === 0) {
    throw new OperationalError('USAGE', "'--user' is for users other than root", {
      hint: "leave out '--user', or become the user first: machinectl shell USER@",
    });
  }
}

/**
 * The environment with what su, sudo and cron leave out or keep of somebody else's: pam_systemd says XDG_RUNTIME_DIR at a login
 * alone, and the folder is there all the time that the user's service manager is.
 */
async function userEnvironment(
  env: CliContext['host']['env'],
): Promise<Readonly<Record<string, string | undefined>>> {
  if ((env['XDG_RUNTIME_DIR'] ?? '') !== '') return env;
  const uid = process.geteuid?.() ?? 0;
  const usual = join('/run/user', String(uid));
  try {
    const found = await lstat(usual);
    if (found.isDirectory() && found.uid === uid) return { ...env, XDG_RUNTIME_DIR: usual };
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
  }
  return env;
}

async function existingRoot(text: string): Promise<string> {
  try {
    const root = await realpath(resolve(text));
    if ((await stat(root)).isDirectory()) return root;
    throw new OperationalError('USAGE', `--root: ${quote(text)} is not a folder`);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) {
      throw new OperationalError('USAGE', `--root: there is no folder ${quote(text)}`, {
        cause: error,
      });
    }
    throw error;
  }
}
