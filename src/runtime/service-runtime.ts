import type { RuntimeConfig } from '../oci/runtime-config.js';
import type { CompiledLaunch, LaunchPlanOptions, UnitDirective } from './launch-plan.js';

/**
 * What starts an installed container. Two stand behind this: the built-in one, whose launcher carries out a plan that was
 * compiled at install, and a foreign one, where the unit runs crun, runc or another OCI runtime on the deployment.
 *
 * ```
 * config.json ──prepare──▶ unit lines (EXEC_START …), files for the deployment, settings for the drop-in
 * ```
 * Nothing here touches the host: the caller places the files, writes the drop-in and makes the mount points.
 */
export interface ServiceRuntime {
  /** `built-in`, or the name or path of the foreign runtime; recorded in the deployment. */
  readonly name: string;

  /** The values of the EXEC_ variables, which a template may use before its config.json is known. */
  execLines(options: ServiceExecOptions): ServiceExecLines;

  /** The config.json that is written for a container, from what its image says: changed where the runtime needs it. */
  configText(text: string, name: string): string;

  /**
   * Looks whether this host lets the runtime start anything, by a trial; `launcher` is one that can be run now.
   *
   * @throws {@link OperationalError} NAMESPACES_FORBIDDEN, PROGRAM_MISSING
   */
  checkHost(launcher: string): Promise<void>;

  /**
   * Checks and compiles the config.json of a container.
   *
   * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID, RUNTIME_UNSUPPORTED, LIMIT_EXCEEDED, LIBRARY_MISSING
   */
  prepare(config: RuntimeConfig, options: LaunchPlanOptions): PreparedService;
}

/** What the lines of a unit depend on. */
export interface ServiceExecOptions {
  readonly name: string;
  /** `/var/lib/berth/NAME`: the deployment by its lasting name. */
  readonly deployment: string;
  /** The forking form (the template has both PIDFILE and EXEC_STOPPOST): where the pid goes. */
  readonly pidFile?: string;
  /** Whether the unit is a template (`NAME@.service`). */
  readonly instances?: boolean;
}

/** Texts for a unit; words are quoted and escaped as a unit wants it. Empty ones render to nothing. */
export interface ServiceExecLines {
  readonly start: string;
  readonly stop: string;
  readonly startPre: string;
  readonly stopPost: string;
}

/** A container that is ready to be placed. */
export interface PreparedService extends Omit<CompiledLaunch, 'plan'> {
  /** Files for the deployment beside config.json, by name. */
  readonly files: readonly ServiceFile[];
  readonly directives: readonly UnitDirective[];
}

/** A file of a deployment; root's, mode 0644. */
export interface ServiceFile {
  readonly name: string;
  readonly content: Buffer;
}

/** One word of a command line in a unit (systemd.service(5), "Command lines"): `$` and `%` mean themselves. */
export function execWord(text: string): string {
  const escaped = text.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[\w@%+,./:=$-]+$/.test(escaped)
    ? escaped
    : `"${escaped.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
