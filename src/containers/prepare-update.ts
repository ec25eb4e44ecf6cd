import { quote } from '../base/escape-text.js';
import { parseContainerName, type ContainerName } from '../base/container-name.js';
import { suggestName } from '../base/suggest-name.js';
import type { Digest } from '../oci/digest.js';
import { readAllDeployments } from './all-deployments.js';
import { loadConfigChanges } from './config-changes.js';
import type { Consent } from './consent.js';
import { listDeploymentNumbers } from './container-directory.js';
import { readSettings } from './container-settings.js';
import { choiceOf, sameChoice, type FilterChoice } from './deployed-filter.js';
import type { Deployment } from './deployment.js';
import { describeDifference, type DeploymentDifference } from './describe-difference.js';
import { openDeploymentSide, preparedSide } from './difference-sides.js';
import { fetchImageIf, type ImageChoice } from './fetch-image.js';
import { assertNotOlder, newestSeenOf, type NewestSeen } from './freshness.js';
import { gainedNeighbours } from './gained-neighbours.js';
import { gainedPermissions } from './gained-permissions.js';
import type { Host } from './host.js';
import { findRequiredContainers, type Requiring } from './install-requirements.js';
import { permittedSide } from './permitted-side.js';
import { planKeptFiles } from './plan-kept-files.js';
import type { PlannedContainer } from './prepare-dependencies.js';
import { prepareDeployment } from './prepare-deployment.js';
import type { PreparedDeployment } from './prepared-deployment.js';
import { prepareRequired, type PreparedRequirements } from './prepare-required.js';
import { readSecrets, secretFile } from './secrets.js';
import { inBrief, type UpdateOutcome } from './update-outcome.js';
import { warnOfEdits } from './warn-of-edits.js';

/** What to update a container to; what is not given stays as it is. */
export interface UpdateRequest extends Omit<ImageChoice, 'reference'> {
  /** The image to follow from now on, instead of the one that it was installed from. */
  readonly rebase: string | undefined;
  readonly setValues: ReadonlyMap<string, string>;
  readonly fileValues: ReadonlyMap<string, string>;
  /** Variables whose values stood on the command line, where every user could read them. */
  readonly inlineValues: ReadonlySet<string>;
  /** Variables that get their default again. */
  readonly unsetValues: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly planOnly: boolean;
  /** Whether the service has to prove itself before the update counts. */
  readonly watch: boolean;
  /** Tries an image again that was not well. */
  readonly retry: boolean;
  /** Takes a signed image that is older than what was seen under the same reference. */
  readonly allowDowngrade: boolean;
  readonly allowHostPaths: readonly string[];
  /** Another filter of system calls than the one that was chosen before. */
  readonly filter?: FilterChoice | undefined;
  /** What new versions may do more than those before; nothing unless given. */
  readonly consent?: Consent | undefined;
  readonly keepExisting: boolean;
  /** How many deployments are kept, pinned ones not counted; at least 1. */
  readonly keepDeployments: number;
  /** Containers that the same command changes, too. */
  readonly planned?: readonly PlannedContainer[];
  /** Whether what the new version requires is installed, too; undefined where that is not offered. */
  readonly withDependencies?: boolean | undefined;
}

/** An update before it is carried out; without a prepared deployment there is nothing to carry out. */
export interface PreparedUpdate extends UpdateOutcome {
  readonly prepared: PreparedDeployment | undefined;
  /** What is installed before it; undefined where nothing is to be. */
  readonly required: PreparedRequirements | undefined;
}

/** Looks for what is new and prepares the deployment of it. Changes nothing but the store. */
export async function prepareUpdate(
  host: Host,
  installed: Deployment,
  request: UpdateRequest,
): Promise<PreparedUpdate> {
  const name: ContainerName = parseContainerName(installed.name);
  const setValues = carryOver(new Map(Object.entries(installed.setValues)), request);
  const settings = await readSettings(host.paths, name);
  const before = new Map([
    ...Object.entries(installed.setValues),
    ...(await readSecrets(host.paths, installed)),
  ]);
  for (const key of request.unsetValues) warnOfUnset(host, key, before);
  const chosen = choiceOf(installed.filter);
  const filter = request.filter ?? chosen;
  const hasSameValues =
    sameEntries(before, carryOver(before, request)) &&
    sameChoice(filter, chosen) &&
    (await hasSameChanges(host, installed));
  const isSameButForValues = (digest: Digest, reference: string): boolean =>
    digest === installed.image.digest &&
    reference === installed.image.reference &&
    // What was adopted moves onto berth's own checkout and runtime with its first update.
    installed.adoptedFrom === undefined;
  const isSame = (digest: Digest, reference: string): boolean =>
    hasSameValues && isSameButForValues(digest, reference);
  const { deployments } = await readAllDeployments(host, { of: name });
  const seenOf = (reference: string): NewestSeen | undefined => newestSeen(deployments, reference);
  let found: Digest = installed.image.digest;
  const rejection = (): string | undefined =>
    request.retry || found === installed.image.digest
      ? undefined
      : settings.rejected.find(({ digest }) => digest === found)?.reason;
  const fetched = await fetchImageIf(
    host,
    { ...request, reference: request.rebase ?? installed.image.reference },
    {
      preview: request.planOnly,
      previewPackages: true,
      fresh: true,
      // atomic updated to what its repository had, and the registries of its time are gone in part.
      orStored: installed.adoptedFrom !== undefined && request.rebase === undefined,
      wants: (digest, reference) => {
        found = digest;
        return !isSame(digest, reference) && rejection() === undefined;
      },
      judge: (offered, reference) => {
        if (!request.allowDowngrade && found !== installed.image.digest)
          assertNotOlder(reference, { seen: seenOf(reference), offered });
      },
    },
  );
  const from = inBrief(installed);
  const unchanged = {
    name,
    from,
    gained: [],
    asks: [],
    restarted: false,
    kept: [],
    saved: [],
    rejected: rejection(),
    installs: [],
    required: undefined,
  };
  if (fetched === undefined) {
    const action = unchanged.rejected === undefined ? 'nothing' : 'rejected';
    return { ...unchanged, action, to: from, difference: undefined, prepared: undefined };
  }
  const required =
    request.withDependencies === true
      ? await prepareRequiredBy(host, { name, fetched }, request)
      : undefined;
  const prepared = await prepareDeployment(host, {
    ...request,
    name,
    planned: required?.planned ?? request.planned ?? [],
    number: await freeNumber(host, name),
    installed,
    fetched,
    setValues,
    filter,
    fileValues: new Map(),
    ...carriedPlaces(installed),
    seen: request.allowDowngrade ? { allowedAtMs: host.nowMs() } : seenOf(fetched.reference),
    enable: true,
    allowHostPaths: [...new Set([...installed.allowedHostPaths, ...request.allowHostPaths])],
  });
  for (const text of prepared.deployment.warnings) host.onEvent({ kind: 'warning', text });
  if (
    isSameButForValues(found, fetched.reference) &&
    (await changesNoValue(host, installed, prepared))
  )
    return {
      ...unchanged,
      action: 'nothing',
      to: from,
      difference: undefined,
      prepared: undefined,
    };
  await warnOfEdits(host, installed);
  const sides = [await permittedSide(host, installed), preparedSide(prepared, name)] as const;
  const neighbours = await gainedNeighbours(
    host,
    { before: sides[0], after: sides[1] },
    (required?.planned ?? request.planned ?? []).map(({ neighbour }) => neighbour),
  );
  const gained = [...gainedPermissions(...sides), ...neighbours];
  const files = { name, from: installed.files, to: prepared.deployment.files };
  const allowed = request.allowHostPaths;
  const asked =
    allowed.length === 0 ? gained : [...gainedPermissions(...sides, allowed), ...neighbours];
  return {
    ...unchanged,
    ...(request.planOnly ? await planKeptFiles(host, files) : {}),
    action: 'planned',
    to: inBrief(prepared.deployment),
    gained,
    // The same image with other values: what it gains by them, whoever gave them has asked for.
    asks: isSameButForValues(found, fetched.reference) ? [] : asked,
    difference: request.planOnly
      ? await compareWith(host, installed, { prepared, bytesToFetch: fetched.fetch.missingBytes })
      : undefined,
    installs: required?.plans ?? [],
    prepared,
    required,
  };
}

/** Where it has no service there is no config.json either. */
async function hasSameChanges(
  { paths }: Host,
  { name, units, configChanges }: Deployment,
): Promise<boolean> {
  if (units.length === 0) return true;
  return (await loadConfigChanges(paths, name))?.sha256 === configChanges;
}

function warnOfUnset(host: Host, key: string, set: ReadonlyMap<string, string>): void {
  if (set.has(key)) return;
  const other = suggestName(key, [...set.keys()]);
  const suggestion = other === undefined ? '' : `; did you mean ${quote(other)}?`;
  host.onEvent({ kind: 'warning', text: `${quote(key)} has no value that was set${suggestion}` });
}

/** The newest that any deployment on disk knows of a reference. */
function newestSeen(deployments: readonly Deployment[], reference: string): NewestSeen | undefined {
  return newestSeenOf(
    reference,
    deployments.map(({ image }) => image.newest),
  );
}

async function prepareRequiredBy(
  host: Host,
  container: Requiring,
  request: UpdateRequest,
): Promise<PreparedRequirements> {
  const requirements = await findRequiredContainers(host, container, {
    choice: request,
    preview: request.planOnly,
  });
  return prepareRequired(host, requirements, { ...request, enable: true });
}

/** Values were given, and all of them for variables that the image does not have. */
async function changesNoValue(
  host: Host,
  installed: Deployment,
  { deployment, contents }: PreparedDeployment,
): Promise<boolean> {
  const entries = (values: Deployment['setValues']): ReadonlyMap<string, string> =>
    new Map(Object.entries(values));
  const secrets = await readSecrets(host.paths, installed);
  return (
    sameEntries(entries(installed.setValues), entries(deployment.setValues)) &&
    sameChoice(choiceOf(installed.filter), choiceOf(deployment.filter)) &&
    installed.configChanges === deployment.configChanges &&
    deployment.secrets.length === secrets.size &&
    deployment.secrets.every(
      (name) => contents.get(secretFile(name))?.content === secrets.get(name),
    )
  );
}

/** Root and runtime of their own are kept over updates; those of the forerunner are not. */
function carriedPlaces({ adoptedFrom, rootfs, runtime }: Deployment): {
  rootfs: string | undefined;
  runtime: string | undefined;
} {
  return {
    rootfs: adoptedFrom !== undefined || rootfs === 'checkout' ? undefined : rootfs,
    runtime: adoptedFrom !== undefined || runtime === 'berth' ? undefined : runtime,
  };
}

async function compareWith(
  host: Host,
  installed: Deployment,
  next: { readonly prepared: PreparedDeployment; readonly bytesToFetch: number },
): Promise<DeploymentDifference> {
  using before = await openDeploymentSide(host, installed);
  const { name, number } = next.prepared.deployment;
  const after = preparedSide(next.prepared, `${name}.${number}`);
  return await describeDifference(before, after, {
    bytesToFetch: next.bytesToFetch,
    signal: host.signal,
  });
}

function carryOver(
  before: ReadonlyMap<string, string>,
  request: UpdateRequest,
): ReadonlyMap<string, string> {
  const values = new Map(before);
  for (const key of request.unsetValues) values.delete(key);
  for (const [key, value] of [...request.fileValues, ...request.setValues]) values.set(key, value);
  return values;
}

function sameEntries(
  one: ReadonlyMap<string, string>,
  other: ReadonlyMap<string, string>,
): boolean {
  return one.size === other.size && [...one].every(([key, value]) => other.get(key) === value);
}

/** The lowest number that no deployment on disk has: numbers are used again. */
async function freeNumber(host: Host, name: string): Promise<number> {
  const taken = new Set(await listDeploymentNumbers(host.paths, name));
  let number = 0;
  while (taken.has(number)) number++;
  return number;
}
