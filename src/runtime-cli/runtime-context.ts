import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { ownFile } from '../base/own-files.js';
import { OperationalError } from '../errors/operational-error.js';
import type { ConfinedCaller } from '../runtime/confined-caller.js';
import { PACKAGED_LAUNCHER } from '../runtime/packaged-launcher.js';
import { ContainerStore } from './container-record.js';
import { logLine, type LogOptions } from './report.js';
import { userFolder } from './user-folder.js';

/** What every command has: runc's global options, worked out. */
export interface RuntimeContext {
  /** Where the states of containers are. */
  readonly root: string;
  readonly log: LogOptions;
  readonly systemdCgroup: boolean;
  /** `--cgroup-manager disabled`: the container stays in its caller's. */
  readonly withoutCgroup: boolean;
  /** Who calls, if that is not root of the host. */
  readonly caller: ConfinedCaller | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** One container's folder below the root. @throws {@link OperationalError} NAME_INVALID, USAGE */
export function openContainer(context: RuntimeContext, id: string | undefined): ContainerStore {
  if (id === undefined || id === '') {
    throw new OperationalError('USAGE', 'container id cannot be empty');
  }
  return new ContainerStore(context.root, id);
}

/** A warning for the log. */
export function warn(context: RuntimeContext, text: string): void {
  logLine(context.log, 'warning', text);
}

/** Where the build puts the launcher. */
const BUILT = ownFile('dist/launcher/launch');

/** The launcher: `BERTH_LAUNCHER`, a package's, or the build's. @throws {@link OperationalError} LAUNCHER_MISSING */
export function findLauncher(context: RuntimeContext): string {
  const configured = context.env['BERTH_LAUNCHER'];
  const found = [configured, BUILT, PACKAGED_LAUNCHER].find(
    (path) => path !== undefined && path !== '' && existsSync(path),
  );
  if (found === undefined) {
    throw new OperationalError(
      'LAUNCHER_MISSING',
      'the launcher is not built, nor is it installed',
    );
  }
  return found;
}

/**
 * `/run/berth-runtime`, or the user's own place.
 *
 * @throws {@link OperationalError} NEEDS_ROOT if a user has none
 */
export function defaultRoot({ env, caller }: Pick<RuntimeContext, 'env' | 'caller'>): string {
  if (caller?.isRootless !== true) return '/run/berth-runtime';
  const folder = userFolder(env, caller);
  if (folder !== undefined) return join(folder, 'berth-runtime');
  throw new OperationalError('NEEDS_ROOT', "XDG_RUNTIME_DIR is not set, and /run is root's", {
    hint: 'log in as this user with systemd, or say where states are to be: --root DIR',
  });
}
