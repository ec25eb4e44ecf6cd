import { join } from 'node:path';

import { OperationalError } from '../errors/operational-error.js';
import { quote } from '../base/escape-text.js';
import { NO_USER_MANAGER_HINT } from '../base/user-manager-hint.js';

/** Whether berth works for the whole system or for one user's service manager. */
export type HostMode = 'system' | 'user';

/**
 * Where berth keeps what on a host (DESIGN: "On the host"). These are paths as the running host sees them: they go into
 * units and plans as they stand. For file access inside a tree that is not running, {@link HostPaths.onDisk} puts the
 * tree in front.
 */
export interface HostPaths {
  readonly mode: HostMode;
  /** The tree that is worked on; `''` for the running host. */
  readonly root: string;
  /** Deployments: `NAME.N` and the link `NAME`. */
  readonly stateDir: string;
  /** The embedded store. */
  readonly storeDir: string;
  /** Beginnings of blobs whose download broke off. */
  readonly partialDir: string;
  /** Signatures of what the stores have, as they were found good. */
  readonly signaturesDir: string;
  /** Journal of changes under way. */
  readonly journalDir: string;
  /** What is kept of containers beside their deployments. */
  readonly settingsDir: string;
  /** Containers that change versions together. */
  readonly setsDir: string;
  /** Checkouts of images that are mounted somewhere. */
  readonly mountsDir: string;
  /** Lock files, one a name; only who holds one removes it, where nothing has its name any more. */
  readonly lockDir: string;
  /** Copies of the launchers that deployments refer to. */
  readonly launcherDir: string;
  /** Run-time state. */
  readonly runDir: string;
  /** Where other OCI runtimes keep their records of berth's containers; no container's name begins with a dot. */
  readonly runtimeStateDir: string;
  readonly unitDir: string;
  readonly tmpfilesDir: string;
  /** berth.conf. */
  readonly confFile: string;
  /** Values of STATE_DIRECTORY, CONF_DIRECTORY and RUN_DIRECTORY in templates. */
  readonly templateDirectories: {
    readonly state: string;
    readonly configuration: string;
    readonly run: string;
  };
  /** What programs of the user find the same places by, those of the user's service manager too; empty in system mode. */
  readonly userEnvironment: Readonly<Record<string, string>>;
  /** A path of the host as a path for this process to open. */
  onDisk(path: string): string;
}

/** What decides the locations. */
export interface HostPathsOptions {
  readonly mode: HostMode;
  /** `--root DIR`, absolute. */
  readonly root?: string | undefined;
  /** The environment of the process. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Finds the locations for system, user and `--root` mode; the environment moves each (`BERTH_STATE_DIR`, …). */
export function resolveHostPaths(options: HostPathsOptions): HostPaths {
  const { mode, env } = options;
  const root = options.root === undefined || options.root === '/' ? '' : options.root;
  const base = mode === 'system' ? systemLocations() : userLocations(env);
  const stateDir = absolute(env, 'BERTH_STATE_DIR') ?? base.stateDir;
  const runDir = absolute(env, 'BERTH_RUN_DIR') ?? base.runDir;
  return {
    mode,
    root,
    stateDir,
    storeDir: join(stateDir, '.store'),
    partialDir: join(stateDir, '.store/partial'),
    signaturesDir: join(stateDir, '.store/signatures'),
    journalDir: join(stateDir, '.journal'),
    settingsDir: join(stateDir, '.settings'),
    setsDir: join(stateDir, '.sets'),
    mountsDir: join(stateDir, '.mounts'),
    lockDir: join(stateDir, '.locks'),
    launcherDir: join(stateDir, '.launch'),
    runDir,
    runtimeStateDir: join(runDir, '.runtime'),
    unitDir: absolute(env, 'BERTH_UNIT_DIR') ?? base.unitDir,
    tmpfilesDir: absolute(env, 'BERTH_TMPFILES_DIR') ?? base.tmpfilesDir,
    confFile: absolute(env, 'BERTH_CONFIG') ?? base.confFile,
    templateDirectories: base.templateDirectories,
    userEnvironment: base.userEnvironment,
    onDisk: (path) => (root === '' ? path : join(root, path)),
  };
}

type Locations = Pick<
  HostPaths,
  | 'stateDir'
  | 'runDir'
  | 'unitDir'
  | 'tmpfilesDir'
  | 'confFile'
  | 'templateDirectories'
  | 'userEnvironment'
>;

function systemLocations(): Locations {
  return {
    stateDir: '/var/lib/berth',
    runDir: '/run/berth',
    unitDir: '/etc/systemd/system',
    tmpfilesDir: '/etc/tmpfiles.d',
    confFile: '/etc/berth/berth.conf',
    templateDirectories: { state: '/var/lib', configuration: '/etc', run: '/run' },
    userEnvironment: {},
  };
}

function userLocations(env: HostPathsOptions['env']): Locations {
  const home = absolute(env, 'HOME');
  const dataHome = absolute(env, 'XDG_DATA_HOME') ?? (home && join(home, '.local/share'));
  const configHome = absolute(env, 'XDG_CONFIG_HOME') ?? (home && join(home, '.config'));
  const stateHome = absolute(env, 'XDG_STATE_HOME') ?? (home && join(home, '.local/state'));
  const runtimeDir = absolute(env, 'XDG_RUNTIME_DIR');
  if (!home || !dataHome || !configHome || !stateHome) {
    throw new OperationalError(
      'CONFIG_INVALID',
      'cannot find the places of user mode: HOME has to be set to an absolute path',
    );
  }
  if (runtimeDir === undefined) {
    throw new OperationalError(
      'SYSTEMD_UNAVAILABLE',
      'this user has no service manager running: XDG_RUNTIME_DIR is not set',
      { hint: NO_USER_MANAGER_HINT },
    );
  }
  return {
    stateDir: join(dataHome, 'berth'),
    runDir: join(runtimeDir, 'berth'),
    unitDir: join(configHome, 'systemd/user'),
    tmpfilesDir: join(configHome, 'user-tmpfiles.d'),
    confFile: join(configHome, 'berth/berth.conf'),
    // Folders of berth alone: an image whose name is `systemd` or `autostart` must not have those of other programs.
    templateDirectories: {
      state: join(stateHome, 'berth'),
      configuration: join(configHome, 'berth/etc'),
      run: join(runtimeDir, 'berth-run'),
    },
    userEnvironment: {
      HOME: home,
      XDG_DATA_HOME: dataHome,
      XDG_CONFIG_HOME: configHome,
      XDG_STATE_HOME: stateHome,
      XDG_RUNTIME_DIR: runtimeDir,
    },
  };
}

/** A location from the environment; an empty variable counts as unset, a relative one is refused. */
function absolute(env: HostPathsOptions['env'], name: string): string | undefined {
  const value = env[name];
  if (value === undefined || value === '') return undefined;
  if (!value.startsWith('/')) {
    throw new OperationalError(
      'CONFIG_INVALID',
      `${name} is not an absolute path: ${quote(value)}`,
    );
  }
  // What Node reads as U+FFFD was no UTF-8: the place that it names is another one.
  if (/[\u0000-\u001f\u007f\ufffd]/.test(value)) {
    throw new OperationalError(
      'CONFIG_INVALID',
      `${name} has control characters or is not UTF-8: ${quote(value)}`,
    );
  }
  if (/["'\\$]/.test(value)) {
    throw new OperationalError(
      'CONFIG_INVALID',
      `${name} has a quote, a backslash or '$', which systemd takes in no path of a program: ${quote(value)}`,
    );
  }
  return join(value);
}
