import { existsSync } from 'node:fs';
import { join } from 'node:path/posix';

import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { isTemplateName, type ContainerName } from '../base/container-name.js';
import { findForeignArchitecture } from '../images/tree-platform.js';
import { encodeByteString } from '../layer/tree.js';
import { parseRuntimeConfig } from '../oci/parse-runtime-config.js';
import type { UnitDirective } from '../runtime/launch-plan.js';
import type { ServiceFile } from '../runtime/service-runtime.js';
import type { ChosenRuntime } from './choose-runtime.js';
import { compileService, INSTANCE_MARKER, type ServiceSummary } from './compile-service.js';
import type { MountPoint } from '../store/image-store.js';
import { checkTmpfiles } from '../systemd/check-tmpfiles.js';
import { checkUnit } from '../systemd/check-unit.js';
import { parseUnit } from '../systemd/unit-text.js';
import { parseTmpfiles } from '../systemd/tmpfiles-text.js';
import { generateTmpfiles } from '../templates/generate-tmpfiles.js';
import { renderUnit } from '../templates/render-unit.js';
import type { Values } from '../templates/values.js';
import { changesFilter, withConfigChanges, type ConfigChanges } from './config-changes.js';
import type { DeployedFile, Deployment } from './deployment.js';
import type { FetchedImage } from './fetch-image.js';
import type { Host } from './host.js';
import { withHostBinds, type HostBind } from './host-binds.js';
import type { EffectiveExports } from './effective-exports.js';
import { firstReach } from './loosened-directives.js';
import { assertHostPathAllowed } from './host-path-policy.js';
import { assertNotLedElsewhere } from './led-elsewhere.js';
import { isLinkedInTree } from './read-in-tree.js';
import { renderActivators, type RenderedActivator } from './render-activators.js';
import { resolveMountPoints } from './mount-points.js';
import type { DeployedFilter, FilterChoice } from './deployed-filter.js';
import { pathsOfService } from './service-places.js';
import { withSystemCallFilter } from './system-call-filter.js';
import { assertUnitPaths } from './unit-paths.js';
import { assertUnitReads } from './unit-reads.js';
import { assertUserCanMake, hostPathPolicy, usersRootLines } from './users-places.js';
import { assertNoDirectorySpecifiers } from './users-tmpfiles.js';
import { assertInstancesMade, toUsersUnit, usersStateHome } from './users-unit.js';

/** What {@link renderContainer} works from. */
export interface RenderRequest {
  readonly name: ContainerName;
  readonly fetched: FetchedImage;
  readonly effective: EffectiveExports;
  readonly chosen: ChosenRuntime;
  readonly destdir: string;
  /** Path of the root on the host. */
  readonly rootfs: string;
  /** Where the content of a sealed root is, as the host has it. */
  readonly objects: string | undefined;
  readonly values: Values;
  /** What the image brings for the host, which is not there yet. */
  readonly broughtKinds: ReadonlyMap<string, DeployedFile['kind']>;
  readonly allowHostPaths: readonly string[];
  readonly installed: Deployment | undefined;
  /** What tmpfiles lines of the version before made: there because of them. */
  readonly madeBefore: ReadonlySet<string>;
  readonly binds?: readonly HostBind[];
  readonly filter: FilterChoice;
  /** The administrator's own changes of its config.json. */
  readonly changes: ConfigChanges | undefined;
}

/** The service of a container as texts, checked. */
export interface RenderedContainer {
  readonly unit: string;
  readonly directives: readonly UnitDirective[];
  /** Units that start it. */
  readonly activators: readonly RenderedActivator[];
  readonly config: string;
  readonly filter: DeployedFilter;
  /** Modification time that the config.json gets: the plan knows it by it. */
  readonly configMtimeMs: number;
  /** Files of the runtime for the deployment. */
  readonly runtimeFiles: readonly ServiceFile[];
  /** `''` where nothing has to be made. */
  readonly tmpfiles: string;
  /** What the tmpfiles lines make. */
  readonly tmpfilesPaths: readonly string[];
  readonly mountPoints: readonly MountPoint[];
  readonly summary: ServiceSummary;
  readonly warnings: readonly string[];
  /** What the unit itself does on the host. */
  readonly notices: readonly string[];
}

/**
 * Renders the unit, the config.json and the tmpfiles lines of a container, compiles the config.json, and checks each.
 *
 * @throws OperationalError TEMPLATE_INVALID, VALUE_INVALID, RUNTIME_CONFIG_INVALID, UNIT_INVALID, TMPFILES_INVALID, …
 */
export async function renderContainer(
  host: Host,
  request: RenderRequest,
): Promise<RenderedContainer> {
  const { name, effective, values, chosen, destdir, fetched } = request;
  const unitValues = withInstance(values, { name, text: '%i' });
  const written = renderUnit(effective.service, unitValues);
  const { text: unit, warnings: unitWarnings } =
    host.paths.mode === 'user' ? toUsersUnit(written) : { text: written, warnings: [] };
  const { text, droppedAnnotations } = effective.renderConfig(
    withInstance(values, { name, text: INSTANCE_MARKER }),
  );
  const filtered = await completeConfig(host, text, request);
  const config = chosen.runtime.configText(filtered.text, name);
  // Whole seconds: what is set through a floating-point number and what the plan records have to be the same nanoseconds.
  const configMtimeMs = Math.floor(host.nowMs() / 1000) * 1000;
  const document = parseUnit(unit);
  const parsed = parseRuntimeConfig(config);
  const systemdVersion = await (await host.openUnitManager()).findSystemdVersion();
  const checked = checkUnit(document, {
    name,
    systemdVersion,
    ...(chosen.launcher === undefined ? {} : { command: values.get('EXEC_START')?.text ?? '' }),
  });
  const { launch, directives, summary } = await compileService(host, {
    name,
    unit: document,
    config: parsed,
    configStamp: {
      path: join(destdir, 'config.json'),
      sizeBytes: Buffer.byteLength(config),
      mtimeNs: BigInt(configMtimeMs) * 1_000_000n,
    },
    rootfs: request.rootfs,
    objects: request.objects,
    tree: fetched.tree,
    runtime: chosen.runtime,
    pidFile: chosen.pidFile,
    tmpfiles: effective.renderTmpfiles(values),
  });
  if (host.paths.mode === 'user') {
    assertInstancesMade(document, {
      sources: launch.bindSources.map(({ path }) => path),
      state: host.paths.templateDirectories.state,
      managers: usersStateHome(host.paths, systemdVersion),
    });
  }
  const writable = launch.bindSources
    .filter(({ readonly }) => !readonly)
    .map(({ path }) => path.replaceAll(INSTANCE_MARKER, 'i').replace(/^\/var\/run(?=\/)/, '/run'));
  const activators = await renderActivators(host, {
    ...request,
    templates: effective.activators,
    values: unitValues,
    writable,
  });
  const checkedUnit = {
    ...request,
    ...{ unit: `${name}.service`, document, values: unitValues, writable },
  };
  await assertUnitPaths(host, { ...checkedUnit, pathsOf: pathsOfService });
  await assertUnitReads(host, checkedUnit);
  assertSecretsReach({ chosen, values, config, credentialsPath: launch.summary.credentialsPath });
  const tmpfiles = renderTmpfilesLines(host, {
    ...{ request, values, writable },
    bindSources: launch.bindSources,
  });
  return {
    unit,
    directives,
    activators,
    config,
    filter: filtered.filter,
    configMtimeMs,
    runtimeFiles: launch.files,
    tmpfiles: tmpfiles.text,
    tmpfilesPaths: tmpfiles.paths,
    mountPoints: [
      ...resolveMountPoints(host.paths, launch.mountPoints, request.broughtKinds),
      ...effective.directories.map((path) => ({
        path: encodeByteString(path),
        kind: 'directory' as const,
      })),
    ],
    summary,
    notices: [
      ...checked.notices,
      ...firstReach(document, name),
      ...activators.flatMap(({ notices }) => notices),
    ],
    warnings: [
      ...[...unitWarnings, ...checked.warnings].map((warning) => `${name}.service: ${warning}`),
      ...activators.flatMap((activator) => activator.warnings),
      ...droppedAnnotations.map(
        (key) =>
          `config.json: the annotation ${quote(key)} gives orders to other runtimes, leaving it out`,
      ),
      ...launch.warnings,
      ...tmpfiles.warnings,
    ],
  };
}

/** What the host adds to a config.json, and changes in it; the filter is for the capabilities that come of all of it. */
async function completeConfig(
  host: Host,
  text: string,
  { binds = [], changes, filter, effective }: RenderRequest,
): Promise<{ readonly text: string; readonly filter: DeployedFilter }> {
  const changed = withConfigChanges(withHostBinds(text, binds), changes);
  const filtered = await withSystemCallFilter(changed, {
    choice: filter,
    ownConfig: effective.ownConfig,
    architecture: findForeignArchitecture(host.paths),
  });
  if (!changesFilter(changes)) return filtered;
  return {
    text: withConfigChanges(filtered.text, changes),
    // What was chosen stays so: it holds again where the changes are taken back.
    filter: filter.kind === 'default' ? { kind: 'image' } : filtered.filter,
  };
}

/** The variable INSTANCE of a template, in the form that the file wants. */
function withInstance(
  values: Values,
  { name, text }: { readonly name: string; readonly text: string },
): Values {
  if (!isTemplateName(name)) return values;
  const value = { text, typed: text, source: 'forced', secret: false, isUnitSyntax: true } as const;
  return new Map([...values, ['INSTANCE', value]]);
}

/** @throws OperationalError RUNTIME_UNSUPPORTED if the container would not find its secrets, or not where it looks for them */
function assertSecretsReach(from: {
  readonly chosen: ChosenRuntime;
  readonly values: Values;
  readonly config: string;
  readonly credentialsPath: string | undefined;
}): void {
  const { chosen, values, config, credentialsPath } = from;
  const secrets = [...values].filter(([, value]) => value.secret);
  if (secrets.length > 0 && chosen.launcher === undefined) {
    throw new OperationalError(
      'RUNTIME_UNSUPPORTED',
      `${secrets.map(([name]) => name).join(', ')}: secrets reach containers of berth's own runtime only`,
    );
  }
  if (credentialsPath !== undefined) return;
  const unreachable = secrets.find(([, { text }]) => config.includes(text));
  if (unreachable === undefined) return;
  throw new OperationalError(
    'RUNTIME_UNSUPPORTED',
    `config.json names the path of the secret ${unreachable[0]}, which has none there: the container shares /run with the host`,
    { hint: 'its program finds secrets in $CREDENTIALS_DIRECTORY' },
  );
}

function renderTmpfilesLines(
  host: Host,
  from: {
    readonly request: RenderRequest;
    readonly values: Values;
    /** Folders of the host that its container may write in. */
    readonly writable: readonly string[];
    readonly bindSources: readonly { readonly path: string; readonly optional: boolean }[];
  },
): { text: string; paths: readonly string[]; warnings: readonly string[] } {
  const { request, values, writable, bindSources } = from;
  const policy = hostPathPolicy(host.paths, {
    name: request.name,
    allowed: request.allowHostPaths,
  });
  const own = request.effective.renderTmpfiles(values);
  if (host.paths.mode === 'user') assertNoDirectorySpecifiers(own);
  const checked = checkTmpfiles(own, {
    name: request.name,
    values,
    allowed: request.allowHostPaths,
    writable,
    isLinked: (path) => isLinkedInTree(request.fetched.tree.root, path),
    assertAllowed: (path) => {
      assertHostPathAllowed(path, policy);
      if (!request.madeBefore.has(path)) assertNotLedElsewhere(host.paths, path, policy);
    },
  });
  const generated = generateTmpfiles({
    // What an instance binds is made by its unit (StateDirectory=web/%i): here nobody knows its name.
    bindSources: bindSources
      .filter((source) => !source.optional && !source.path.includes(INSTANCE_MARKER))
      .map((source) => source.path),
    exists: (path) =>
      request.broughtKinds.has(path) ||
      (!request.madeBefore.has(path) && existsSync(host.paths.onDisk(path))),
    madeElsewhere: new Set(checked.paths),
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
  });
  // An empty folder of root's gives nobody anything; what is bound into the container is shown as a mount of the host.
  const made = [...checked.paths, ...parseTmpfiles(generated).map(({ path }) => path)];
  for (const path of made) assertUserCanMake(host.paths, path, 'the container needs');
  const { pidFile } = request.chosen;
  const roots = usersRootLines(host.paths, pidFile === undefined ? made : [...made, pidFile]);
  const text = `${roots}${own}${own === '' || own.endsWith('\n') || generated === '' ? '' : '\n'}${generated}`;
  const paths = [...parseTmpfiles(roots).map(({ path }) => path), ...made];
  return { text, paths, warnings: checked.warnings };
}
