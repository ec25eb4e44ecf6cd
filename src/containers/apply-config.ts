import { join } from 'node:path/posix';

import type { ContainerName } from '../base/container-name.js';
import { parseContainerName } from '../base/container-name.js';
import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { stat } from '../base/quick-files.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { addContext, withContext } from '../errors/with-context.js';
import { findForeignArchitecture } from '../images/tree-platform.js';
import { MAX_RUNTIME_CONFIG_BYTES, parseRuntimeConfig } from '../oci/parse-runtime-config.js';
import { createBuiltInRuntime, LAUNCH_PLAN_FILE } from '../runtime/built-in-runtime.js';
import { createForeignRuntime } from '../runtime/foreign-runtime.js';
import { readPlanStamp } from '../runtime/read-plan-stamp.js';
import type { ImageTree } from '../store/image-store.js';
import { DROP_IN_NAME, formatDropIn } from '../systemd/drop-in.js';
import { instanceUnitName, parseUnitName } from '../systemd/unit-name.js';
import { parseUnit } from '../systemd/unit-text.js';
import {
  applySealedRoot,
  placeSealedRoot,
  removeOldRoots,
  type AppliedSealedRoot,
} from './apply-sealed.js';
import { stageApply, finishApply } from './apply-staging.js';
import { renderAppliedTmpfiles } from './applied-tmpfiles.js';
import { foreignOptions, serviceUserOf } from './choose-runtime.js';
import { compileService, type CompiledService } from './compile-service.js';
import { getContainer } from './container-directory.js';
import { formatDeployment, type DeployedFile, type Deployment } from './deployment.js';
import { describeDifference, type DeploymentDifference } from './describe-difference.js';
import { openDeploymentSide, type OpenSide } from './difference-sides.js';
import { sha256Of } from './file-state.js';
import type { Host } from './host.js';
import { findActiveInstances, statesOf } from './list-containers.js';
import { loadExports } from './load-exports.js';
import { addMountPointsToRoot } from './mount-points-on-disk.js';
import { resolveMountPoints } from './mount-points.js';
import { withNameLock } from './name-lock.js';
import { assertPrivileged } from './preflight.js';
import { dependencyDirectives, resolveDependencies } from './resolve-dependencies.js';
import { secretDirectives } from './secrets.js';
import { startedBefore } from './started-before.js';
import { isRunning } from './unit-states.js';

/** What applying a config.json came to. */
export interface ApplyOutcome {
  readonly name: string;
  /** Files that were written, or would be; empty where plan and drop-in are those of this config.json already. */
  readonly changed: readonly string[];
  /** What the container gains and loses by it. */
  readonly difference: DeploymentDifference;
  /** Whether something runs by the old plan, until it is restarted. */
  readonly restartNeeded: boolean;
  /** The units that do: the service, or the instances of a template; of a single one where it was named. */
  readonly running: readonly string[];
  /** Files of the host that an administrator changed: left as they are. */
  readonly kept: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Compiles the config.json of an installed container as it stands on the disk: checks it, and puts the launch plan and
 * berth's drop-in that follow from it into place, both or neither. Whatever is wrong with it changes nothing.
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID naming the member; JSON_INVALID; RUNTIME_UNSUPPORTED;
 * CONTAINER_NOT_FOUND; STORE_FORMAT where a newer berth made the plan
 */
export async function applyConfig(
  host: Host,
  given: string,
  options: { readonly planOnly: boolean },
): Promise<ApplyOutcome> {
  return withContext(`cannot apply the config.json of ${quote(given)}`, async () => {
    assertPrivileged(host);
    // All instances of a template run by one config.json: whoever names one means that.
    const at = given.indexOf('@');
    const name = parseContainerName(at === -1 ? given : given.slice(0, at + 1));
    const instance = at === -1 ? '' : given.slice(at + 1);
    if (options.planOnly) return (await prepareApply(host, name, instance)).outcome;
    await getContainer(host.paths, name);
    return withNameLock(host, name, async () => {
      const prepared = await prepareApply(host, name, instance);
      if (prepared.outcome.changed.length === 0) return prepared.outcome;
      await makeMountPoints(host, prepared);
      await stageApply(host.paths, {
        name,
        number: prepared.deployment.number,
        contents: prepared.contents,
        files: prepared.files,
      });
      const finished = await finishApply(host, name).catch((error: unknown) => {
        throw addContext("it is written down but not in place: run 'berth recover'", error);
      });
      const { deployment, sealed } = prepared;
      if (sealed !== undefined) await removeOldRoots(folderOf(host, deployment), sealed.record);
      return { ...prepared.outcome, kept: finished?.kept ?? [] };
    });
  });
}

interface PreparedApply {
  readonly deployment: Deployment;
  readonly compiled: CompiledService;
  /** Of the image, where it is in the store. */
  readonly tree: ImageTree | undefined;
  readonly sealed: AppliedSealedRoot | undefined;
  readonly contents: ReadonlyMap<string, string | Uint8Array>;
  readonly files: readonly { readonly previousSha256: string; readonly file: DeployedFile }[];
  readonly outcome: ApplyOutcome;
}

async function prepareApply(
  host: Host,
  name: ContainerName,
  instance: string,
): Promise<PreparedApply> {
  const deployment = await getContainer(host.paths, name);
  if (deployment.units.length === 0) {
    throw new OperationalError(
      'USAGE',
      `${quote(name)} has no service: its image only brings files for the host`,
    );
  }
  if (deployment.adoptedFrom !== undefined) {
    throw new OperationalError(
      'RUNTIME_UNSUPPORTED',
      `${quote(name)} was adopted: its service runs by the config.json in ${quote(deployment.adoptedFrom)}`,
      { hint: `'berth update ${name}' moves it onto berth's own runtime` },
    );
  }
  using before = await openDeploymentSide(host, deployment);
  await assertPlanNotNewer(host, deployment);
  const compiled = await compileEdited(host, deployment, before);
  const contents = new Map<string, string | Uint8Array>();
  for (const { name: file, content } of compiled.launch.files) contents.set(file, content);
  const tree = before.imageConfig === undefined ? undefined : before.tree;
  const sealed = await sealedRootOf(host, { deployment, compiled, tree });
  if (sealed !== undefined) contents.set(LAUNCH_PLAN_FILE, sealed.plan);
  contents.set(DROP_IN_NAME, await dropInText(host, deployment, compiled));
  const tmpfilesName = `tmpfiles-${name}.conf`;
  const tmpfiles = await renderAppliedTmpfiles(host, {
    deployment,
    text: before.texts.get(tmpfilesName) ?? '',
    bindSources: compiled.launch.bindSources,
  });
  if (tmpfiles.text !== '') contents.set(tmpfilesName, tmpfiles.text);
  const after: Deployment = {
    ...deployment,
    sealedRoot: sealed?.record,
    files: withNewDigests(host, deployment, contents),
    createdPaths: [...new Set([...deployment.createdPaths, ...tmpfiles.createdPaths])],
    permissions: {
      ...deployment.permissions,
      capabilities: compiled.summary.capabilities,
      hostMounts: compiled.summary.hostMounts,
      sharedNamespaces: compiled.summary.sharedNamespaces,
      devices: compiled.summary.devices,
      user: compiled.summary.user,
    },
  };
  contents.set('deployment.json', formatDeployment(after));
  const changed = await changedNames(host, deployment, contents);
  const files = after.files
    .filter(({ source }) => changed.includes(source) && source !== 'deployment.json')
    .map((file) => ({
      file,
      previousSha256: deployment.files.find(({ path }) => path === file.path)?.sha256 ?? '',
    }));
  const texts = new Map(
    [...contents]
      .filter(([file]) => file === DROP_IN_NAME || file === tmpfilesName)
      .map(([file, text]) => [file, String(text)] as const),
  );
  const difference = await describeDifference(
    { ...before, tree: undefined, texts: withoutConfig(before.texts) },
    {
      ...before,
      tree: undefined,
      deployment: after,
      texts: new Map([...withoutConfig(before.texts), ...texts]),
    },
  );
  const folder = join(host.paths.stateDir, `${name}.${deployment.number}`);
  const active = await findRunning(host, deployment, instance);
  const isNew = changed.length + files.length > 0;
  const running = isNew
    ? active
    : await startedBefore(host, active, join(folder, LAUNCH_PLAN_FILE));
  return {
    deployment,
    compiled,
    tree,
    sealed,
    contents,
    files,
    outcome: {
      name,
      changed: [
        ...changed.map((file) => join(folder, file)),
        ...files.map(({ file }) => file.path),
      ],
      difference,
      restartNeeded: running.length > 0,
      running,
      kept: [],
      warnings: compiled.launch.warnings,
    },
  };
}

async function findRunning(
  host: Host,
  deployment: Deployment,
  instance: string,
): Promise<readonly string[]> {
  const [template] = deployment.units;
  if (template === undefined) return [];
  const only = instance === '' ? undefined : instanceUnitName(parseUnitName(template), instance);
  const instances = await findActiveInstances(host, deployment);
  if (instances !== undefined)
    return instances.filter((unit) => only === undefined || unit === only);
  const states = await statesOf(host, [template]);
  return [...states].filter(([, state]) => isRunning(state)).map(([unit]) => unit);
}

/** What config.json said before is known to nobody: the plan that was made of it is not read back. */
function withoutConfig(texts: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...texts].filter(([file]) => file !== 'config.json'));
}

async function compileEdited(
  host: Host,
  deployment: Deployment,
  side: OpenSide,
): Promise<CompiledService> {
  const { name } = deployment;
  const destdir = join(host.paths.stateDir, name);
  const path = join(destdir, 'config.json');
  const { text, mtimeNs } = await readWhole(host, path);
  const unit = side.texts.get(`${name}.service`);
  if (unit === undefined || side.tree === undefined) {
    throw new OperationalError(
      'CONTAINER_STATE_INVALID',
      `the deployment ${name}.${deployment.number} has lost its unit`,
      { hint: `see 'berth verify ${name}'` },
    );
  }
  const { service } = await loadExports(side.tree);
  const forks = service?.uses('PIDFILE') === true && service.uses('EXEC_STOPPOST');
  return compileService(host, {
    name,
    unit: parseUnit(unit),
    config: parseRuntimeConfig(text, quote(path)),
    configStamp: { path, sizeBytes: text.length, mtimeNs },
    rootfs: deployment.rootfs === 'checkout' ? join(destdir, 'rootfs') : deployment.rootfs,
    objects: deployment.sealedRoot?.objects,
    tree: side.tree,
    runtime:
      deployment.runtime === 'berth'
        ? createBuiltInRuntime({
            launcher: deployment.launcher ?? '',
            user: serviceUserOf(host.paths),
            architecture: findForeignArchitecture(host.paths),
          })
        : createForeignRuntime(deployment.runtime, foreignOptions(host.paths)),
    pidFile: forks ? deployment.values['PIDFILE'] : undefined,
    tmpfiles: side.texts.get(`tmpfiles-${name}.conf`) ?? '',
  });
}

/** The text and its time belong together, or an editor is at it at present. */
async function readWhole(
  host: Host,
  path: string,
): Promise<{ readonly text: Buffer; readonly mtimeNs: bigint }> {
  const onDisk = host.paths.onDisk(path);
  try {
    const before = await stat(onDisk, { bigint: true });
    const text = await readFileBounded(onDisk, { maxBytes: MAX_RUNTIME_CONFIG_BYTES });
    const after = await stat(onDisk, { bigint: true });
    if (before.mtimeNs === after.mtimeNs && after.size === BigInt(text.length))
      return { text, mtimeNs: after.mtimeNs };
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    throw new OperationalError('CONTAINER_STATE_INVALID', `${quote(path)} is missing`, {
      cause: error,
    });
  }
  throw new OperationalError('BUSY', `${quote(path)} is being changed at present`, {
    hint: 'run the command again when the editor is done',
  });
}

/** The launcher of the deployment reads the plans of the berth that installed it, and no newer ones. */
async function assertPlanNotNewer(host: Host, deployment: Deployment): Promise<void> {
  if (deployment.runtime !== 'berth') return;
  const path = join(host.paths.stateDir, deployment.name, LAUNCH_PLAN_FILE);
  try {
    const bytes = await readFileBounded(host.paths.onDisk(path), { maxBytes: 16 * 1024 * 1024 });
    const reading = readPlanStamp(bytes);
    if (reading.kind !== 'newer') return;
    throw new OperationalError('STORE_FORMAT', `${quote(path)} was made by a newer berth`, {
      hint: 'use the newer berth that wrote it',
    });
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

async function dropInText(
  host: Host,
  deployment: Deployment,
  compiled: CompiledService,
): Promise<string> {
  const { name, dependencies } = deployment;
  const resolved = await resolveDependencies(host, { name, dependencies, planned: [] });
  const destdir = join(host.paths.stateDir, deployment.name);
  const directives = [
    ...dependencyDirectives(resolved),
    ...secretDirectives(destdir, deployment.secrets),
    ...compiled.directives,
  ];
  return formatDropIn(directives.map(([section, key, value]) => ({ section, key, value })));
}

/** The record's files with the digests of the new texts, and the tmpfiles file where there was none. */
function withNewDigests(
  host: Host,
  deployment: Deployment,
  contents: ReadonlyMap<string, string | Uint8Array>,
): readonly DeployedFile[] {
  const files = deployment.files.map((file) => {
    const text = contents.get(file.source);
    return text === undefined ? file : { ...file, sha256: sha256Of(text) };
  });
  const source = `tmpfiles-${deployment.name}.conf`;
  const text = contents.get(source);
  if (text === undefined || files.some((file) => file.source === source)) return files;
  return [
    ...files,
    {
      role: 'tmpfiles',
      path: join(host.paths.tmpfilesDir, source),
      kind: 'file',
      sha256: sha256Of(text),
      mode: 0o644,
      source,
    },
  ];
}

/** Names of the deployment's files that would not stay as they are. */
async function changedNames(
  host: Host,
  deployment: Deployment,
  contents: ReadonlyMap<string, string | Uint8Array>,
): Promise<readonly string[]> {
  const folder = join(host.paths.stateDir, `${deployment.name}.${deployment.number}`);
  const changed: string[] = [];
  for (const [file, content] of contents) {
    let present: Buffer | undefined;
    try {
      present = await readFileBounded(host.paths.onDisk(join(folder, file)), {
        maxBytes: 16 * 1024 * 1024,
      });
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
    if (present?.equals(Buffer.from(content)) !== true) changed.push(file);
  }
  return changed;
}

/** In a root that is not ours nothing is made: the start then says which mount point is missing. */
async function makeMountPoints(host: Host, prepared: PreparedApply): Promise<void> {
  const { deployment, compiled, tree, sealed } = prepared;
  if (deployment.rootfs !== 'checkout') return;
  const wanted = resolveMountPoints(host.paths, compiled.launch.mountPoints, new Map());
  const folder = folderOf(host, deployment);
  await addMountPointsToRoot(join(folder, 'rootfs'), wanted, tree?.root);
  if (sealed !== undefined) await placeSealedRoot(folder, sealed);
}

async function sealedRootOf(
  host: Host,
  { deployment, compiled, tree }: Pick<PreparedApply, 'deployment' | 'compiled' | 'tree'>,
): Promise<AppliedSealedRoot | undefined> {
  const plan = compiled.launch.files.find(({ name }) => name === LAUNCH_PLAN_FILE)?.content;
  const record = deployment.sealedRoot;
  if (record === undefined || plan === undefined) return undefined;
  const mountPoints = resolveMountPoints(host.paths, compiled.launch.mountPoints, new Map());
  return applySealedRoot(host, { deployment, record, plan, mountPoints, tree });
}

function folderOf(host: Host, { name, number }: Deployment): string {
  return host.paths.onDisk(join(host.paths.stateDir, `${name}.${number}`));
}
