import { quote } from '../base/escape-text.js';
import { isTemplateName, type ContainerName } from '../base/container-name.js';
import type { HostPaths } from '../config/host-paths.js';
import { OperationalError } from '../errors/operational-error.js';
import { findForeignArchitecture } from '../images/tree-platform.js';
import { createBuiltInRuntime } from '../runtime/built-in-runtime.js';
import {
  createForeignRuntime,
  foreignRuntimePath,
  type ForeignRuntimeOptions,
} from '../runtime/foreign-runtime.js';
import { findServiceUser, type ServiceUser } from '../runtime/service-user.js';
import type { ServiceExecLines, ServiceRuntime } from '../runtime/service-runtime.js';
import type { Template } from '../templates/template.js';
import type { Host } from './host.js';
import { chooseLauncher, isExecutable, type ChosenLauncher } from './place-launcher.js';

/** What starts a container, and how its unit says so. */
export interface ChosenRuntime {
  readonly runtime: ServiceRuntime;
  readonly exec: ServiceExecLines;
  /** The forking form's pid file; undefined for the other form. */
  readonly pidFile: string | undefined;
  /** Undefined for a foreign runtime, or where the image has no service. */
  readonly launcher: ChosenLauncher | undefined;
}

/** What {@link chooseRuntime} decides by. */
export interface ChooseRuntimeRequest {
  readonly name: ContainerName;
  readonly destdir: string;
  readonly service: Template;
  /** `--runtime`; berth's own unless given. */
  readonly runtime: string | undefined;
  /** Whether the image has a service at all. */
  readonly needed: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly setValues: ReadonlyMap<string, string>;
  readonly fileValues: ReadonlyMap<string, string>;
}

/**
 * Chooses the runtime and the command lines of the unit. A template that names both PIDFILE and EXEC_STOPPOST is of the
 * forking kind, as the forerunner had it.
 *
 * @throws {@link OperationalError} LAUNCHER_MISSING, PROGRAM_MISSING, USAGE, NAMESPACES_FORBIDDEN
 */
export async function chooseRuntime(
  host: Host,
  request: ChooseRuntimeRequest,
): Promise<ChosenRuntime> {
  const { name, destdir, service } = request;
  const pidFile =
    service.uses('PIDFILE') && service.uses('EXEC_STOPPOST')
      ? pidFilePath(host, request)
      : undefined;
  if (pidFile !== undefined && isTemplateName(name)) {
    throw new OperationalError(
      'RUNTIME_UNSUPPORTED',
      'instances would share one PIDFILE: a template unit cannot be of the forking kind',
    );
  }
  const launcher =
    request.runtime === undefined && request.needed
      ? await chooseLauncher(host, request.env)
      : undefined;
  const runtime =
    request.runtime === undefined
      ? createBuiltInRuntime({
          launcher: launcher?.path ?? '',
          user: serviceUserOf(host.paths),
          architecture: findForeignArchitecture(host.paths),
        })
      : await findForeignRuntime(host, request.runtime);
  if (launcher !== undefined && host.paths.root === '') {
    await runtime.checkHost(launcher.copyFrom ?? launcher.path);
  }
  const exec = runtime.execLines({
    name,
    deployment: destdir,
    instances: isTemplateName(name),
    ...(pidFile === undefined ? {} : { pidFile }),
  });
  return { runtime, exec, pidFile, launcher };
}

/** A unit whose program is not there would fail at its start, long after the person who could install it has gone. */
async function findForeignRuntime(host: Host, runtime: string): Promise<ServiceRuntime> {
  if (host.paths.mode === 'user') {
    throw new OperationalError(
      'RUNTIME_UNSUPPORTED',
      "a user's containers are run by berth's own runtime only",
      { hint: "leave out '--runtime'" },
    );
  }
  const found = createForeignRuntime(runtime, foreignOptions(host.paths));
  const program = foreignRuntimePath(runtime);
  if (await isExecutable(host.paths.onDisk(program))) return found;
  throw new OperationalError(
    'PROGRAM_MISSING',
    `the runtime ${quote(runtime)} is not there: no program at ${quote(program)}`,
    { hint: "install it, or leave out '--runtime' for berth's own" },
  );
}

/** Who starts the containers, if that is not root: the user whose service manager berth works with. */
export function serviceUserOf({ mode }: HostPaths): ServiceUser | undefined {
  return mode === 'user' ? findServiceUser() : undefined;
}

/** Where a foreign runtime keeps what is berth's. */
export function foreignOptions(paths: HostPaths): ForeignRuntimeOptions {
  return {
    states: paths.runtimeStateDir,
    slice: 'system.slice',
  };
}

/** As `resolveValues` decides PIDFILE, of which the command line is a part. */
function pidFilePath(host: Host, request: ChooseRuntimeRequest): string {
  const given = (variable: string): string | undefined =>
    request.setValues.get(variable) ?? request.fileValues.get(variable);
  const run = given('RUN_DIRECTORY') ?? host.paths.templateDirectories.run;
  return given('PIDFILE') ?? `${run}/container-${request.name}.pid`;
}
