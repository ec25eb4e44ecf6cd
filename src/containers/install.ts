import type { ContainerName } from '../base/container-name.js';
import { parseContainerName } from '../base/container-name.js';
import { OperationalError } from '../errors/operational-error.js';
import { withContext } from '../errors/with-context.js';
import { asksToRunOnce } from './asks-to-run-once.js';
import { findContainer, readNameLink } from './container-directory.js';
import type { Deployment } from './deployment.js';
import { executeInstalls } from './execute-installs.js';
import { withRequiredHeld } from './hold-required.js';
import { TIMES_VARIABLE } from './effective-exports.js';
import type { Host } from './host.js';
import type { InstallPlan } from './install-plan.js';
import { defaultContainerName } from './default-name.js';
import { fetchImage, type FetchedImage, type ImageChoice } from './fetch-image.js';
import { findRequiredContainers, withNewNames, type Requirements } from './install-requirements.js';
import { prepareRequired } from './prepare-required.js';
import type { HostBind } from './host-binds.js';
import { describeInstall } from './describe-install.js';
import { finishOthers, withNameLock } from './name-lock.js';
import { assertPrivileged, assertRootFolder, preflightInstall } from './preflight.js';
import { prepareDeployment } from './prepare-deployment.js';
import type { PreparedDeployment } from './prepared-deployment.js';
import { lookAgain } from './second-look.js';
import { readSecrets, secretFile } from './secrets.js';
import { choiceOf, sameChoice, type FilterChoice } from './deployed-filter.js';
import { runVerb, type VerbOutcome } from './unit-verbs.js';

/** What to install and how. */
export interface InstallRequest extends ImageChoice {
  /** Taken from the reference unless given. */
  readonly name: string | undefined;
  readonly setValues: ReadonlyMap<string, string>;
  readonly fileValues: ReadonlyMap<string, string>;
  /** Variables whose values stood on the command line, where every user could read them. */
  readonly inlineValues?: ReadonlySet<string>;
  /** An existing root file system to use instead of a checkout. */
  readonly rootfs: string | undefined;
  /** `crun`, `runc` or a path; berth's own unless given. */
  readonly runtime: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly planOnly: boolean;
  readonly enable: boolean;
  readonly start: boolean;
  readonly allowHostPaths: readonly string[];
  readonly keepExisting: boolean;
  /** Whether what it requires is installed, too. */
  readonly withDependencies?: boolean;
  /** What of the host is bound into it beside what its image asks for. */
  readonly binds?: readonly HostBind[];
  /** What the administrator chose of its filter of system calls; nothing unless given. */
  readonly filter?: FilterChoice | undefined;
  /** When its service runs, as systemd.time(7) has it, where the image does not say: a timer starts it then. */
  readonly onCalendar?: string | undefined;
  /** Called with what is about to be installed, before anything changes. */
  readonly beforeInstall?: (deployment: Deployment) => Promise<void>;
}

/** What installing came to. */
export interface InstallOutcome {
  readonly plan: InstallPlan;
  readonly started: boolean;
  /** With `started`, where its service is up no more without having failed: its work is done, or a condition kept it from starting. */
  readonly ended?: true;
}

/**
 * Installs an image as a systemd service, or with `planOnly` says what that would do. Installing what is installed
 * already (same name, digest and values) changes nothing and is success.
 *
 * @throws {@link OperationalError} CONTAINER_EXISTS if the name is taken by something else; what pulling, rendering and
 * activating throw; UNIT_JOB_FAILED if it was installed but did not start
 */
export async function install(host: Host, given: InstallRequest): Promise<InstallOutcome> {
  const request = withTimes(given);
  const name = parseContainerName(request.name ?? defaultContainerName(request.reference));
  return withContext(`cannot install '${name}'`, async () => {
    assertPrivileged(host);
    if (request.start && host.paths.root !== '') {
      throw new OperationalError(
        'USAGE',
        "'--start' needs a running systemd, which the tree of '--root' has not",
      );
    }
    if (request.rootfs !== undefined) await assertRootFolder(host, request.rootfs);
    if (request.planOnly) {
      const found = await lookAround(host, name, request);
      return { plan: (await prepareAll(host, found, request)).plan, started: false };
    }
    const { fresh, ...outcome } = await withNameLock(host, name, async () => {
      // Half of this very command may have been done: what it installed first would else count as installed.
      if (request.withDependencies === true) await finishOthers(host, name);
      const found = await lookAround(host, name, request);
      const newNames = (found.requirements?.ordered ?? []).map((container) => container.name);
      return withNewNames(host, newNames, async () => {
        const { plan, steps } = await prepareAll(host, found, request);
        const made = steps.map(({ deployment }) => deployment);
        const last = made.at(-1);
        if (last !== undefined) await request.beforeInstall?.(last);
        await withRequiredHeld(host, { made, wasWhole: true }, () =>
          executeInstalls(host, steps, { enable: request.enable }),
        );
        const units = steps.at(-1)?.deployment.units ?? [];
        const start = request.start && units.length > 0;
        const done = start ? await startInstalled(host, { name, units }) : undefined;
        return { plan, started: start, fresh: done?.fresh };
      });
    });
    // When all else is done: a service that systemd calls active at once has had the more time to fail.
    if (fresh === undefined) return outcome;
    const seen = await withContext(`${fresh.unit} is installed, but did not stay up`, () =>
      lookAgain(host, fresh),
    );
    return seen === 'up' ? outcome : { ...outcome, ended: true };
  });
}

/** What there is before anything is rendered: the images, and what is installed. */
interface Found {
  readonly name: ContainerName;
  readonly installed: Deployment | undefined;
  readonly fetched: FetchedImage;
  /** Undefined where they are not to be installed. */
  readonly requirements: Requirements | undefined;
}

async function lookAround(
  host: Host,
  name: ContainerName,
  request: InstallRequest,
): Promise<Found> {
  const installed = await findContainer(host.paths, name);
  if (installed === undefined && (await readNameLink(host.paths, name)) === undefined) {
    await preflightInstall(host, name);
  }
  const fetched = await fetchImage(host, request, {
    preview: request.planOnly,
    acceptDigest: (digest) => {
      if (installed !== undefined && installed.image.digest !== digest)
        throw taken(name, 'another image');
    },
  });
  const root = { name, fetched };
  const requirements =
    request.withDependencies === true && installed === undefined
      ? await findRequiredContainers(host, root, { choice: request, preview: request.planOnly })
      : undefined;
  return { name, installed, fetched, requirements };
}

async function prepareAll(
  host: Host,
  found: Found,
  request: InstallRequest,
): Promise<{ plan: InstallPlan; steps: readonly PreparedDeployment[] }> {
  const { name, installed, fetched } = found;
  const { plans, steps, planned } =
    found.requirements === undefined
      ? { plans: [], steps: [], planned: [] }
      : await prepareRequired(host, found.requirements, request);
  const prepared = await prepareDeployment(host, {
    ...request,
    name,
    fetched,
    installed,
    planned,
    requirements: installed === undefined ? 'refuse' : 'keep',
    // A host file that was edited since the installation is no reason to refuse what changes nothing.
    keepExisting: request.keepExisting || installed !== undefined,
  });
  assertTimesTaken(prepared.deployment, request);
  if (installed !== undefined) {
    const secrets = await readSecrets(host.paths, installed);
    if (!sameValues(installed, prepared.deployment) || !sameSecrets(secrets, prepared))
      throw taken(name, 'other values');
    // All else that there is to warn of was told when it was installed.
    for (const text of prepared.valueWarnings) host.onEvent({ kind: 'warning', text });
    return {
      plan: await describeInstall(host, prepared, { request, fetched, action: 'nothing' }),
      steps: [],
    };
  }
  assertStays(host, prepared.deployment, request);
  const plan = await describeInstall(host, prepared, { request, fetched, action: 'install' });
  for (const text of plan.warnings) host.onEvent({ kind: 'warning', text });
  return { plan: { ...plan, installs: plans }, steps: [...steps, prepared] };
}

function withTimes(request: InstallRequest): InstallRequest {
  const { onCalendar } = request;
  if (onCalendar === undefined) return request;
  const setValues = new Map([...request.setValues, [TIMES_VARIABLE, onCalendar]]);
  return { ...request, setValues };
}

function assertTimesTaken({ setValues }: Deployment, { onCalendar }: InstallRequest): void {
  if (onCalendar === undefined || setValues[TIMES_VARIABLE] === onCalendar) return;
  throw new OperationalError(
    'USAGE',
    "'--on-calendar' is for images without units of their own, and this one's say when it runs",
    { hint: "'berth info IMAGE' shows the variables that it has" },
  );
}

/** In a tree nothing is run, and at boot a service would do again and again what its image means to be done once. */
function assertStays(host: Host, deployment: Deployment, { enable }: InstallRequest): void {
  if (host.paths.root === '' || !enable || !asksToRunOnce(deployment)) return;
  throw new OperationalError(
    'USAGE',
    "its image asks to be run once and removed (label atomic.run=once), and nothing is run in the tree of '--root'",
    { hint: "'--no-enable' installs it as a service that does not start at boot" },
  );
}

function sameValues(installed: Deployment, wanted: Deployment): boolean {
  const entries = (values: Deployment['setValues']): string =>
    JSON.stringify(Object.entries(values).sort());
  return (
    entries(installed.setValues) === entries(wanted.setValues) &&
    installed.runtime === wanted.runtime &&
    installed.rootfs === wanted.rootfs &&
    installed.configChanges === wanted.configChanges &&
    sameChoice(choiceOf(installed.filter), choiceOf(wanted.filter))
  );
}

function sameSecrets(
  installed: ReadonlyMap<string, string>,
  { deployment, contents }: PreparedDeployment,
): boolean {
  return (
    deployment.secrets.length === installed.size &&
    deployment.secrets.every(
      (name) => contents.get(secretFile(name))?.content === installed.get(name),
    )
  );
}

function taken(name: string, what: string): OperationalError {
  return new OperationalError(
    'CONTAINER_EXISTS',
    `a container of that name is installed from ${what}`,
    {
      hint: `change it with 'berth update ${name}' ('--rebase IMAGE', '--set KEY=VALUE'), or choose another name with '--name'`,
    },
  );
}

async function startInstalled(
  host: Host,
  started: { readonly name: string; readonly units: readonly string[] },
): Promise<VerbOutcome> {
  return withContext(`${started.units[0] ?? ''} is installed, but did not start`, () =>
    runVerb(host, 'start', started),
  );
}
