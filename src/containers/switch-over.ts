import { join } from 'node:path';

import { readFileBounded } from '../base/bounded-read.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { getWords, parseUnit } from '../systemd/unit-text.js';
import type { UnitManager } from '../systemd/unit-manager.js';
import { removeUnneededUnits } from './begin-change.js';
import { readNameLink } from './container-directory.js';
import type { DeployedFile } from './deployment.js';
import { filesNotLed } from './files-not-led.js';
import type { Host } from './host.js';
import { withHostFiles } from './host-files-lock.js';
import type { JournalEntry } from './journal.js';
import { pointNameTo, removeNameLink } from './name-link.js';
import { newVersionsOf } from './new-versions.js';
import { pathsThatStay } from './path-owners.js';
import { placeFiles } from './place-files.js';
import { removeFiles, type RemovedFiles } from './remove-files.js';
import { activatorsFirst, activatorsOf } from './activators.js';
import { stopUnits, type StopOptions } from './stop-units.js';
import {
  changesUnits,
  directoryOf,
  unitsStayingUp,
  type Transition,
  type TransitionSide,
} from './transition.js';

/** What switching containers over came to. */
export interface SwitchedOver extends RemovedFiles {
  /** Names of the containers whose services were stopped for it: what runs of them by now may be of either version. */
  readonly stopped: ReadonlySet<string>;
}

/**
 * Makes the host show the deployments that the transitions lead to: services stopped, links, files, systemd told once,
 * units enabled as they are to be. The files of a container are on the host only while its link is, so the link is the
 * first thing that comes and the last that goes; renaming it is the commit point. Every step may find that it was done
 * already: the same call finishes what was interrupted.
 */
export async function switchOver(host: Host, entry: JournalEntry): Promise<SwitchedOver> {
  const units = await host.openUnitManager();
  const stopped = await stopAll(host, entry);
  for (const { name, to } of entry.transitions) {
    const directory = directoryOf(name, to);
    if (directory !== undefined && (await readNameLink(host.paths, name)) !== directory)
      await pointNameTo(host, name, directory);
  }
  const kept: string[] = [];
  const saved: string[] = [];
  let isStale = entry.transitions.some(changesUnits);
  for (const transition of entry.transitions) {
    const gone = unitsToDisable(transition);
    if (gone.length > 0) await units.disable(gone);
    const switched = await switchFiles(host, { entry, transition });
    kept.push(...switched.kept);
    saved.push(...switched.saved);
    const fresh = unitsToEnable(transition);
    if (fresh.length > 0) await units.enable(fresh);
    // Never disabled and enabled: whoever boots between the two would not start the service.
    const changed = await unitsToReenable(host, transition);
    if (changed.length > 0) await units.reenable(changed);
    isStale ||= gone.length + fresh.length + changed.length > 0;
  }
  for (const { to } of entry.transitions) {
    for (const file of to?.files ?? [])
      if (file.role === 'tmpfiles') await units.createTmpfiles(file.path);
  }
  if (entry.transitions.some(({ to }) => to === undefined)) {
    const leaving = [entry.name, ...entry.transitions.map(({ name }) => name)];
    isStale = (await removeUnneededUnits(host, leaving)) || isStale;
  }
  // After the links of enabling, too: systemd calls every unit outdated that was loaded before them.
  if (units.kind === 'dbus' && isStale) await units.reload();
  if (entry.operation === 'install' || entry.operation === 'update')
    await assertActivatorsLoaded(host, entry.transitions);
  await stopWaitedFor(host, entry);
  for (const transition of entry.transitions) await forgetUnits(host, { transition, units });
  return { kept, saved, stopped };
}

/** Stops what is not switched yet, dependents first. */
async function stopAll(host: Host, entry: JournalEntry): Promise<ReadonlySet<string>> {
  const stopped = new Set<string>();
  const units = await host.openUnitManager();
  for (const transition of [...entry.transitions].reverse()) {
    const { name, from, to } = transition;
    const isSwitched =
      to !== undefined && (await readNameLink(host.paths, name)) === directoryOf(name, to);
    if (isSwitched || units.kind !== 'dbus') continue;
    const staying = unitsStayingUp(transition);
    const leaving = activatorsFirst(from?.units ?? []).slice(
      0,
      staying.length === 0 ? undefined : -1,
    );
    await stopUnits(host, leaving, { ...stopOptions(entry), except: staying });
    if (staying.length === 0) stopped.add(name);
  }
  return stopped;
}

/**
 * Stops the services that something stays up for: only now, or who connects meanwhile would have the version before started
 * again. Whatever starts one from here on starts what the host shows by now. What was switched by a command that was killed may
 * run in either version, and is stopped, too.
 */
async function stopWaitedFor(host: Host, entry: JournalEntry): Promise<void> {
  const units = await host.openUnitManager();
  if (units.kind !== 'dbus') return;
  for (const transition of [...entry.transitions].reverse()) {
    if (unitsStayingUp(transition).length === 0) continue;
    await stopUnits(host, transition.from?.units.slice(0, 1) ?? [], stopOptions(entry));
  }
}

/**
 * What systemd cannot read it passes over, and a timer or socket of which nothing is left is refused when it is to start: at a boot,
 * when nobody looks. So it is asked now, while everything can be taken back.
 *
 * @throws OperationalError UNIT_INVALID
 */
async function assertActivatorsLoaded(
  host: Host,
  transitions: readonly Transition[],
): Promise<void> {
  const units = await host.openUnitManager();
  const activators = transitions
    .flatMap(({ to }) => activatorsOf(to?.units ?? []))
    .filter((unit) => !unit.includes('@.'));
  if (units.kind !== 'dbus' || activators.length === 0) return;
  for (const { unit, loadState } of await units.getStates(activators)) {
    if (loadState !== 'bad-setting' && loadState !== 'error') continue;
    const hint = `'berth install --plan' shows its text; 'journalctl -u ${unit}' says what systemd passed over`;
    throw new OperationalError('UNIT_INVALID', `systemd refuses ${unit} (${loadState})`, { hint });
  }
}

function stopOptions({ operation }: JournalEntry): StopOptions {
  return {
    // What goes back has shown that it is no good; the version before waits for its place.
    impatient: operation === 'undo',
    mayFail: operation === 'undo' || operation === 'uninstall',
  };
}

async function switchFiles(
  host: Host,
  { entry, transition }: { readonly entry: JournalEntry; readonly transition: Transition },
): Promise<RemovedFiles> {
  const { name, from, to } = transition;
  const kept: string[] = [];
  if (to !== undefined) {
    const isWayBack = entry.operation === 'undo' || entry.operation === 'rollback';
    const labels = await host.openLabels();
    const files = await filesNotLed(host, transition, isWayBack ? 'warn' : 'refuse');
    const placed = await withHostFiles(host, 'place', () =>
      placeFiles(host.paths, join(host.paths.stateDir, `${name}.${to.number}`), {
        files,
        previous: from?.files ?? [],
        onForeign: isWayBack ? 'keep' : 'refuse',
        labels,
      }),
    );
    kept.push(...placed);
  }
  const staying = new Set(to?.files.map(({ path }) => path));
  const gone = (from?.files ?? []).filter(({ path }) => !staying.has(path));
  // What stands beside a file that goes would keep its folder.
  const leaving = entry.operation === 'undo' ? gone : [...gone, ...newVersionsOf(gone)];
  if (leaving.length === 0) return { kept, saved: [] };
  const removed = await withHostFiles(host, 'remove', async () =>
    removeFiles(host.paths, leaving, {
      shared: await pathsThatStay(host, name),
      // What is taken back may never have been placed: what stands there may be somebody else's.
      saveChanged: entry.operation !== 'undo',
    }),
  );
  return { kept: [...kept, ...removed.kept], saved: removed.saved };
}

async function forgetUnits(
  host: Host,
  { transition, units }: { readonly transition: Transition; readonly units: UnitManager },
): Promise<void> {
  const { name, from, to } = transition;
  const staying = new Set(to?.units);
  if (units.kind === 'dbus') {
    for (const unit of from?.units ?? []) if (!staying.has(unit)) await units.resetFailed(unit);
  }
  if (to === undefined) await removeNameLink(host, name);
}

/** Units that are not enabled any more. */
function unitsToDisable({ from, to }: Transition): readonly string[] {
  const staying = new Set(to?.enabled);
  // Uninstalling takes every link away, also one of a unit that was enabled meanwhile.
  const known = to === undefined ? (from?.units ?? []) : (from?.enabled ?? []);
  return known.filter((unit) => !staying.has(unit));
}

function unitsToEnable({ from, to }: Transition): readonly string[] {
  const before = new Set(from?.enabled);
  return (to?.enabled ?? []).filter((unit) => !before.has(unit));
}

/** Units that stay enabled and whose `[Install]` says something else than before. */
async function unitsToReenable(host: Host, transition: Transition): Promise<readonly string[]> {
  const before = new Set(transition.from?.enabled);
  const units: string[] = [];
  for (const unit of transition.to?.enabled ?? []) {
    if (before.has(unit) && (await hasOtherRules(host, { transition, unit }))) units.push(unit);
  }
  return units;
}

async function hasOtherRules(
  host: Host,
  { transition, unit }: { readonly transition: Transition; readonly unit: string },
): Promise<boolean> {
  const { name, from, to } = transition;
  const rules = async (side: TransitionSide | undefined): Promise<string> =>
    side === undefined ? '' : rulesOf(host, `${name}.${side.number}`, findUnit(side, unit));
  return (await rules(from)) !== (await rules(to));
}

function findUnit(side: TransitionSide, unit: string): DeployedFile | undefined {
  return side.files.find(({ role, path }) => role === 'unit' && path.endsWith(`/${unit}`));
}

/** Largest unit that is read; the renderer's own limit is smaller. */
const MAX_UNIT_BYTES = 1024 * 1024;

const INSTALL_KEYS = ['Alias', 'Also', 'WantedBy', 'RequiredBy', 'UpheldBy', 'DefaultInstance'];

/** What a unit of a deployment says in `[Install]`, as text to compare; `''` where its deployment is gone already. */
async function rulesOf(
  host: Host,
  directory: string,
  file: DeployedFile | undefined,
): Promise<string> {
  if (file === undefined) return '';
  const path = host.paths.onDisk(join(host.paths.stateDir, directory, file.source));
  try {
    const text = (await readFileBounded(path, { maxBytes: MAX_UNIT_BYTES })).toString('utf8');
    const document = parseUnit(text);
    return JSON.stringify(INSTALL_KEYS.map((key) => getWords(document, 'Install', key)));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return '';
    throw error;
  }
}
