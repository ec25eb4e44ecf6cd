import { join } from 'node:path/posix';

import { parseContainerName, type ContainerName } from '../../base/container-name.js';
import { quote } from '../../base/escape-text.js';
import { programVersion } from '../../config/version.js';
import { OperationalError } from '../../errors/operational-error.js';
import { withContext } from '../../errors/with-context.js';
import { parseDigest, type Digest } from '../../oci/digest.js';
import type { StoredImage } from '../../store/image-store.js';
import { FORCED_VARIABLES } from '../../templates/resolve-values.js';
import { NO_DEPENDENCIES } from '../container-dependencies.js';
import { findContainer, listDeploymentNumbers, loadDeployment } from '../container-directory.js';
import type { Deployment } from '../deployment.js';
import { executeTransition, type DeploymentToPlace } from '../execute-transition.js';
import { DEFAULT_HEALTH_CHECK } from '../health-check.js';
import type { Host } from '../host.js';
import { statesOf } from '../list-containers.js';
import { withNameLock } from '../name-lock.js';
import { assertPrivileged } from '../preflight.js';
import { findAdoptedFiles } from './adopted-files.js';
import { findForerunner } from './find-forerunner.js';
import { readForerunnerFile } from './forerunner-files.js';
import { MAX_INFO_BYTES, parseForerunnerInfo, type ForerunnerInfo } from './forerunner-info.js';

/** What adopting a container came to. */
export interface AdoptOutcome {
  readonly name: string;
  /** `nothing` where it was adopted before; `planned` with `--plan`. */
  readonly action: 'adopted' | 'nothing' | 'planned';
  /** The forerunner's deployment. */
  readonly from: string;
  readonly image: string;
  /** In the forerunner's OSTree repository, which berth leaves alone; undefined where it is not known. */
  readonly ostreeCommit: string | undefined;
  /** Its unit, tmpfiles lines and files of the host, which count as its own from then on; empty where it was adopted before. */
  readonly files: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Makes a container that atomic installed one of berth's. Its unit, its files and its service stay exactly as they are:
 * berth only writes down what is there. Adopting again changes nothing, and nor does `planOnly`.
 *
 * @throws {@link OperationalError} CONTAINER_NOT_FOUND where atomic has none of that name; CONTAINER_EXISTS where berth
 * installed one itself; CONTAINER_STATE_INVALID, JSON_INVALID, LIMIT_EXCEEDED, RUNTIME_UNSUPPORTED for what cannot be adopted
 */
export async function adopt(
  host: Host,
  given: string,
  { planOnly }: { readonly planOnly: boolean },
): Promise<AdoptOutcome> {
  return withContext(`cannot adopt ${quote(given)}`, async () => {
    assertPrivileged(host);
    if (host.paths.mode !== 'system')
      throw new OperationalError('USAGE', 'only system containers are adopted');
    const name = parseContainerName(given);
    const from = await findForerunner(host.paths, name); // a mistyped name is told before a lock file is made for it
    const look = (): Promise<AdoptOutcome> => adoptFrom(host, { name, from, planOnly });
    return planOnly ? look() : withNameLock(host, name, look);
  });
}

async function adoptFrom(
  host: Host,
  {
    name,
    from,
    planOnly,
  }: { readonly name: ContainerName; readonly from: string; readonly planOnly: boolean },
): Promise<AdoptOutcome> {
  const info = await readInfo(host, from);
  const outcome = { name, from, image: info.image, ostreeCommit: info.ostreeCommit };
  const installed = await findContainer(host.paths, name);
  if (installed !== undefined) {
    if (!(await wasAdopted(host, name))) throw taken(name);
    return { ...outcome, action: 'nothing', files: [], warnings: [] };
  }
  const prepared = await prepare(host, { name, from, info });
  const { warnings } = prepared.deployment;
  const files = prepared.deployment.files.map(({ path }) => path);
  for (const text of warnings) host.onEvent({ kind: 'warning', text });
  if (planOnly) return { ...outcome, action: 'planned', files, warnings };
  await carryOut(host, prepared);
  return { ...outcome, action: 'adopted', files, warnings };
}

async function readInfo(host: Host, from: string): Promise<ForerunnerInfo> {
  const path = join(from, 'info');
  const bytes = await readForerunnerFile(host.paths, path, MAX_INFO_BYTES);
  if (bytes !== undefined) return parseForerunnerInfo(bytes, quote(path));
  throw new OperationalError('CONTAINER_STATE_INVALID', `${quote(path)} is missing`);
}

/** Also after an update, for as long as the adopted deployment is kept. */
async function wasAdopted(host: Host, name: string): Promise<boolean> {
  for (const number of await listDeploymentNumbers(host.paths, name)) {
    const { adoptedFrom } = await loadDeployment(host.paths, `${name}.${number}`);
    if (adoptedFrom !== undefined) return true;
  }
  return false;
}

function taken(name: string): OperationalError {
  return new OperationalError(
    'CONTAINER_EXISTS',
    `berth has a container of that name already, which it did not adopt`,
    { hint: `'berth uninstall ${name}' makes room for it` },
  );
}

/**
 * The transition names no files and no units: what is on the host is neither placed nor, should this be taken back,
 * removed.
 */
async function carryOut(host: Host, prepared: DeploymentToPlace): Promise<void> {
  const { name, number, image, units } = prepared.deployment;
  const wasStale = await needsReload(host, units);
  const to = {
    ...{ number, digest: image.digest, files: [], units: [], enabled: [], up: [] },
    createdPaths: [],
  };
  await executeTransition(
    host,
    {
      operation: 'adopt',
      name,
      transitions: [
        {
          name,
          from: undefined,
          to,
          builds: true,
          starts: false,
          dependents: [],
          rejected: undefined,
        },
      ],
      purge: false,
      keep: 1,
      watch: false,
    },
    [prepared],
  );
  // Enabling the unit of `berth recover` makes systemd call all units outdated; what was so before is not berth's to change.
  if (!wasStale && (await needsReload(host, units))) await (await host.openUnitManager()).reload();
}

async function needsReload(host: Host, units: readonly string[]): Promise<boolean> {
  const states = await statesOf(host, units);
  return [...states.values()].some((state) => state.needDaemonReload);
}

async function prepare(
  host: Host,
  { name, from, info }: { name: ContainerName; from: string; info: ForerunnerInfo },
): Promise<DeploymentToPlace> {
  const taken = await listDeploymentNumbers(host.paths, name);
  const { files, contents, warnings } = await findAdoptedFiles(host, {
    name,
    directory: from,
    info,
  });
  const { digest, isKnown } = digestOf(info);
  const deployment: Deployment = {
    name,
    number: taken.length === 0 ? 0 : Math.max(...taken) + 1,
    image: { reference: info.image, storeName: info.image, digest },
    values: info.values,
    setValues: setValuesOf(host, info),
    runtime: info.runtime ?? 'foreign',
    storage: (await findStored(host, info))?.storage ?? 'embedded',
    rootfs: join(from, 'rootfs'),
    launcher: undefined,
    files,
    units: info.hasService ? [`${name}.service`] : [],
    createdPaths: [],
    foreignPaths: [],
    allowedHostPaths: [],
    permissions: {
      capabilities: [],
      hostMounts: [],
      sharedNamespaces: [],
      devices: [],
      hostPaths: files.filter(({ role }) => role === 'host-file').map(({ path }) => path),
      user: 'not recorded: it was adopted',
    },
    dependencies: NO_DEPENDENCIES,
    health: DEFAULT_HEALTH_CHECK,
    labels: {},
    secrets: [],
    warnings: [
      ...warnings,
      ...(isKnown ? [] : [`the digest of its image is not known: atomic noted none`]),
    ],
    adoptedFrom: from,
    createdAt: new Date(host.nowMs()).toISOString(),
    version: programVersion(),
  };
  return {
    deployment,
    tree: undefined,
    mountPoints: [],
    sealing: undefined,
    contents,
    launcher: undefined,
  };
}

/** The image where the host has it, mostly in atomic's own repository: it is in use from now on, and updates stay there. */
async function findStored(host: Host, info: ForerunnerInfo): Promise<StoredImage | undefined> {
  const { digest, isKnown } = digestOf(info);
  try {
    const store = await host.openStore();
    const found = isKnown ? await store.findImage(digest) : undefined;
    return found ?? (await store.findImage(info.image));
  } catch (error) {
    // What a store has is of no account for taking over what runs.
    if (error instanceof OperationalError) return undefined;
    throw error;
  }
}

/** No content has this digest: it stands where none is known. */
const UNKNOWN_DIGEST = parseDigest(`sha256:${'0'.repeat(64)}`);

function digestOf({ revision }: ForerunnerInfo): { digest: Digest; isKnown: boolean } {
  return revision !== undefined && /^[0-9a-f]{64}$/.test(revision)
    ? { digest: parseDigest(`sha256:${revision}`), isKnown: true }
    : { digest: UNKNOWN_DIGEST, isKnown: false };
}

/** What the host decides for itself is decided anew by an update; everything else it takes along, as atomic did. */
function setValuesOf(host: Host, { values }: ForerunnerInfo): Readonly<Record<string, string>> {
  const { run, state, configuration } = host.paths.templateDirectories;
  const decided = new Set<string>([
    ...FORCED_VARIABLES,
    'UUID',
    'PIDFILE',
    'RUNTIME',
    'ALL_PROCESS_CAPABILITIES',
  ]);
  const usual = new Map([
    ['RUN_DIRECTORY', run],
    ['STATE_DIRECTORY', state],
    ['CONF_DIRECTORY', configuration],
  ]);
  return Object.fromEntries(
    Object.entries(values).filter(([key, value]) => !decided.has(key) && usual.get(key) !== value),
  );
}
