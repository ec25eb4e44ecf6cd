import { randomUUID } from 'node:crypto';
import { join } from 'node:path/posix';

import { isTemplateName, type ContainerName } from '../base/container-name.js';
import { quote } from '../base/escape-text.js';
import { programVersion } from '../config/version.js';
import { withContext } from '../errors/with-context.js';
import { loadConfigChanges } from './config-changes.js';
import { collectContents } from './collect-contents.js';
import { decideHealth } from './decide-health.js';
import type { Deployment } from './deployment.js';
import { decideValues } from './decide-values.js';
import type { FetchedImage } from './fetch-image.js';
import { sha256Of } from './file-state.js';
import { seenWith, type NewestSeen } from './freshness.js';
import type { Host } from './host.js';
import { readImageDependencies } from './image-dependencies.js';
import type { HostBind } from './host-binds.js';
import { assertNotThroughLent } from './lent-folders.js';
import { loadExports } from './load-exports.js';
import { completeExports } from './effective-exports.js';
import { pathsMadeByAll, pathsMadeByOthers } from './path-owners.js';
import { assertUnitNameFree } from './preflight.js';
import { ownPaths, planExportedFiles } from './plan-exported-files.js';
import type { PlannedHostFile } from './plan-host-files.js';
import { planUnitFiles } from './plan-unit-files.js';
import type { PreparedDeployment } from './prepared-deployment.js';
import { renderContainer, type RenderedContainer, type RenderRequest } from './render-container.js';
import { chooseRuntime } from './choose-runtime.js';
import { checkOrdering, resolveFor, type OrderingRequest } from './prepare-dependencies.js';
import { dependencyDirectives } from './resolve-dependencies.js';
import { decideSealing } from './sealed-root.js';
import { readSecrets, secretDirectives } from './secrets.js';
import { describeStarters } from './started-by.js';
import { DEFAULT_FILTER, describeFilter, type FilterChoice } from './deployed-filter.js';
import { findPathsToCreate, pathsOfTmpfiles } from './tmpfiles-paths.js';

/** What a deployment is prepared from. */
export interface PrepareRequest extends OrderingRequest {
  readonly name: ContainerName;
  readonly fetched: FetchedImage;
  /** The N of `NAME.N`; that of what is installed unless given, or 0. */
  readonly number?: number;
  /** What was seen of the reference before; `allowedAtMs` alone where an older image is allowed now. */
  readonly seen?: Partial<NewestSeen> | undefined;
  /** The deployment that is there already: what is its own on the host may be replaced, and its UUID is kept. */
  readonly installed: Deployment | undefined;
  readonly setValues: ReadonlyMap<string, string>;
  readonly fileValues: ReadonlyMap<string, string>;
  /** Variables whose values stood on the command line, where every user could read them. */
  readonly inlineValues?: ReadonlySet<string>;
  /** Secrets of the deployment before that are not kept. */
  readonly unsetValues?: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly rootfs: string | undefined;
  readonly runtime: string | undefined;
  readonly enable: boolean;
  readonly allowHostPaths: readonly string[];
  readonly keepExisting: boolean;
  readonly planOnly: boolean;
  /** What of the host is bound into it beside what its image asks for. */
  readonly binds?: readonly HostBind[];
  /** What the administrator chose of its filter of system calls; nothing unless given. */
  readonly filter?: FilterChoice | undefined;
}

/**
 * Renders and checks everything that an installation consists of. Reads the image and the host; changes neither.
 *
 * @throws OperationalError for whatever of the image or the values cannot be installed
 */
export async function prepareDeployment(
  host: Host,
  request: PrepareRequest,
): Promise<PreparedDeployment> {
  const { paths } = host;
  const { name, fetched, installed } = request;
  const exports = await loadExports(fetched.tree);
  const destdir = join(paths.stateDir, name);
  const rootfs = request.rootfs ?? join(destdir, 'rootfs');
  const service = !exports.manifest.noContainerService;
  const { dependencies } = readImageDependencies(exports.manifest, fetched.config.labels);
  const resolved = await resolveFor(host, { request, dependencies });
  const effective = await completeExports(host, { ...request, exports });
  const chosen = await chooseRuntime(host, {
    ...request,
    destdir,
    service: effective.service,
    needed: service,
  });
  const sealing = service
    ? await decideSealing(host, { ...request, tree: fetched.tree })
    : undefined;
  const uuid = installed?.values['UUID'] ?? randomUUID();
  const { values, secrets, warnings, unknown } = await decideValues(host, {
    ...request,
    keptSecrets: await keptSecrets(host, request),
    exports,
    effective,
    chosen,
    destdir,
    uuid,
  });
  const inline = [...secrets.keys()].filter((key) => request.inlineValues?.has(key));
  const valueWarnings = [...warnings, ...inline.map(warnOfInline)];
  const hostFiles = await planExportedFiles(host, { request, exports, values });
  const broughtKinds = new Map(
    hostFiles.files.map(({ deployed }) => [deployed.path, deployed.kind]),
  );
  const changes = service ? await loadConfigChanges(host.paths, name) : undefined;
  const rendered = service
    ? withDirectives(
        await renderChanged(host, {
          ...request,
          effective,
          chosen,
          destdir,
          rootfs,
          objects: sealing?.objects,
          values,
          filter: request.filter ?? DEFAULT_FILTER,
          changes,
          broughtKinds,
          madeBefore: await pathsOfTmpfiles(host, installed),
        }),
        [
          ...dependencyDirectives(resolved),
          ...secretDirectives(destdir, [...secrets.keys()].sort()),
        ],
      )
    : undefined;
  assertNotThroughLent(broughtKinds.keys(), {
    hostMounts: [rendered?.summary, installed?.permissions].flatMap((of) => of?.hostMounts ?? []),
    allowed: request.allowHostPaths,
  });
  const activators = rendered?.activators ?? [];
  for (const { unit } of activators)
    if (installed?.units.includes(unit) !== true) await assertUnitNameFree(host, unit);
  const ordering = await checkOrdering(host, { request, rendered, resolved });
  const shown = new Set([
    ...effective.variables,
    ...request.setValues.keys(),
    ...request.fileValues.keys(),
  ]);
  for (const name of [
    'DESTDIR',
    'NAME',
    'EXEC_START',
    'EXEC_STOP',
    'EXEC_STARTPRE',
    'EXEC_STOPPOST',
    'ALL_PROCESS_CAPABILITIES',
  ])
    shown.delete(name);
  const unitFiles =
    rendered === undefined
      ? []
      : await planUnitFiles(host, { name, rendered, own: ownPaths(request) });
  const files = mergeFiles([...unitFiles, ...hostFiles.files]);
  return {
    deployment: {
      name,
      number: request.number ?? installed?.number ?? 0,
      image: {
        reference: fetched.reference,
        storeName: fetched.storeName,
        digest: fetched.digest,
        trust: fetched.trust,
        newest: seenWith(fetched.reference, request.seen, fetched.freshness),
      },
      values: Object.fromEntries(
        [...values].filter(([, value]) => !value.secret).map(([key, value]) => [key, value.text]),
      ),
      setValues: Object.fromEntries(
        [...request.fileValues, ...request.setValues].filter(
          ([key]) => !secrets.has(key) && (!unknown.has(key) || wasKnown(request, key)),
        ),
      ),
      runtime: request.runtime ?? 'berth',
      storage: fetched.storage,
      rootfs: request.rootfs ?? 'checkout',
      launcher: chosen.launcher?.path,
      files: files.map((file) => file.deployed),
      units: service ? [`${name}.service`, ...activators.map(({ unit }) => unit)] : [],
      createdPaths: await findCreatedPaths(host, { request, made: rendered?.tmpfilesPaths ?? [] }),
      foreignPaths: hostFiles.foreign,
      allowedHostPaths: request.allowHostPaths,
      permissions: {
        capabilities: rendered?.summary.capabilities ?? [],
        hostMounts: rendered?.summary.hostMounts ?? [],
        sharedNamespaces: rendered?.summary.sharedNamespaces ?? [],
        devices: rendered?.summary.devices ?? [],
        hostPaths: hostFiles.files
          .filter(({ deployed }) => deployed.kind !== 'directory')
          .map(({ deployed }) => deployed.path),
        user: rendered?.summary.user ?? 'nobody: it has no service',
      },
      dependencies,
      health: decideHealth({
        declared: exports.manifest.health,
        image: fetched.config,
        hasExports: exports.present,
        soakMs: host.conf.health.soak,
      }),
      labels: fetched.config.labels,
      secrets: [...secrets.keys()].sort(),
      filter: rendered?.filter,
      configChanges: changes?.sha256,
      configSha256: rendered === undefined ? undefined : sha256Of(rendered.config),
      warnings: [
        ...effective.warnings,
        ...valueWarnings,
        ...(rendered?.warnings ?? []),
        ...hostFiles.warnings,
      ],
      createdAt: new Date(host.nowMs()).toISOString(),
      version: programVersion(),
    },
    tree: fetched.tree,
    sealing,
    mountPoints: request.rootfs === undefined ? (rendered?.mountPoints ?? []) : [],
    contents: collectContents(name, { rendered, files: hostFiles.files, secrets }),
    launcher: chosen.launcher,
    files,
    namespaces: rendered?.summary.namespaces ?? [],
    changes,
    systemCalls:
      rendered === undefined
        ? undefined
        : describeFilter(rendered.filter, rendered.summary.filtered),
    notices: rendered?.notices ?? [],
    startedBy:
      rendered === undefined
        ? []
        : describeStarters([{ unit: `${name}.service`, text: rendered.unit }, ...activators], {
            enable: request.enable && !isTemplateName(name),
          }),
    ordering,
    dependencyNotes: resolved.notes,
    valueWarnings,
    shownValues: Object.fromEntries(
      [...values]
        .filter(([key]) => shown.has(key))
        .map(([key, value]) => [key, value.secret ? '(secret)' : value.text]),
    ),
  };
}

/** As {@link renderContainer}: what is wrong with a config.json may be the administrator's own change. */
async function renderChanged(host: Host, request: RenderRequest): Promise<RenderedContainer> {
  const { changes } = request;
  if (changes === undefined) return renderContainer(host, request);
  return withContext(`with the changes of ${quote(changes.path)}`, () =>
    renderContainer(host, request),
  );
}

/** A value of the version before is kept for a later one that knows it again. */
function wasKnown({ installed }: PrepareRequest, name: string): boolean {
  return installed !== undefined && Object.hasOwn(installed.setValues, name);
}

async function keptSecrets(
  host: Host,
  { installed, unsetValues }: PrepareRequest,
): Promise<ReadonlyMap<string, string>> {
  if (installed === undefined) return new Map();
  const secrets = new Map(await readSecrets(host.paths, installed));
  for (const name of unsetValues ?? []) secrets.delete(name);
  return secrets;
}

function warnOfInline(variable: string): string {
  return `${variable} is a secret, and on the command line every user of this host could read it; write --set ${variable}=@FILE`;
}

function withDirectives(
  rendered: RenderedContainer,
  directives: RenderedContainer['directives'],
): RenderedContainer {
  return { ...rendered, directives: [...directives, ...rendered.directives] };
}

/** What earlier versions made is carried over: it is state, and goes with the container. */
async function findCreatedPaths(
  host: Host,
  { request, made }: { readonly request: PrepareRequest; readonly made: readonly string[] },
): Promise<readonly string[]> {
  const { name } = request;
  const carried = await pathsMadeByAll(host, name);
  const removable = new Set([...(await pathsMadeByOthers(host, name)), ...carried]);
  const found = findPathsToCreate(host.paths, made, removable);
  return [...new Set([...carried, ...found])].sort();
}

/** Two lists may both need a folder; it is made once, and stands before everything in it. */
function mergeFiles(files: readonly PlannedHostFile[]): readonly PlannedHostFile[] {
  const seen = new Set<string>();
  return files.filter(({ deployed }) => !seen.has(deployed.path) && seen.add(deployed.path));
}
