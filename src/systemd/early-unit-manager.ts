import { runProgram } from '../base/subprocess.js';
import { openOfflineUnitManager } from './offline-unit-manager.js';
import { readUnitState } from './read-unit-state.js';
import type { JobOutcome, UnitManager, UnitState } from './unit-manager.js';

/**
 * The manager of a system that is still booting: there is no D-Bus daemon yet, only systemd's own socket, which systemctl
 * knows how to speak to. Links are made and removed on the disk, as in a tree.
 *
 * Jobs are only queued: what is asked for in here runs while the boot waits for who asks, and a unit that in its turn
 * waits for him would never start.
 */
export function openEarlyUnitManager(options: { readonly unitDirectory: string }): UnitManager {
  const offline = openOfflineUnitManager({ root: '', ...options });
  const queue = async (verb: 'start' | 'stop' | 'restart', unit: string): Promise<JobOutcome> => {
    await systemctl(verb, '--no-block', '--', unit);
    return { result: 'done' };
  };
  return {
    kind: 'dbus',
    findSystemdVersion: () => offline.findSystemdVersion(),
    findUnitFile: (unit) => offline.findUnitFile(unit),
    reload: async () => {
      await systemctl('daemon-reload');
    },
    enable: (units) => offline.enable(units),
    reenable: (units) => offline.reenable(units),
    disable: (units) => offline.disable(units),
    start: (unit) => queue('start', unit),
    stop: (unit) => queue('stop', unit),
    restart: (unit) => queue('restart', unit),
    kill: async (unit) => {
      await systemctl('kill', '--signal=KILL', '--', unit);
    },
    resetFailed: (unit) => offline.resetFailed(unit),
    getStates: (units) => showStates(offline, units),
    getSummaries: (findUnits) => showStates(offline, findUnits()),
    findDependents: (unit) => offline.findDependents(unit),
    watchUnits: (units, onChange) => offline.watchUnits(units, onChange),
    listInstances: listLoaded,
    getRelations: (unit) => offline.getRelations(unit),
    createTmpfiles: async (file) => {
      await runProgram(['systemd-tmpfiles', '--create', '--', file]);
    },
    [Symbol.asyncDispose]: () => offline[Symbol.asyncDispose](),
  };
}

/**
 * Starts a unit, or of a template the instances, if something that is starting or has started wants it: what was enabled after the boot's own jobs were
 * made has none. Queued only, like everything here.
 */
export async function startIfWanted(unit: string): Promise<void> {
  if (unit.includes('@.')) {
    for (const instance of await listLoaded(unit)) await startIfWanted(instance);
    return;
  }
  const properties = await showUnit(unit);
  const wanting = ['WantedBy', 'RequiredBy'].flatMap((name) => {
    const value = properties.get(name);
    return typeof value === 'string' ? value.split(' ').filter((word) => word !== '') : [];
  });
  for (const target of wanting) {
    const state = await showUnit(target);
    if (state.get('ActiveState') === 'active' || Number(state.get('Job') ?? 0) > 0) {
      await systemctl('start', '--no-block', '--', unit);
      return;
    }
  }
}

/**
 * Has a program run once the boot is done, as a service of that name that is forgotten when it ends. Queued only; one
 * that is queued already is left.
 */
export async function runAfterBoot(
  name: string,
  command: readonly string[],
  environment: readonly (readonly [string, string])[],
): Promise<void> {
  const unit = `${name}.service`;
  if ((await showUnit(unit)).get('LoadState') !== 'not-found') return;
  await runProgram([
    'systemd-run',
    ...['--quiet', '--collect', '--no-block', '--service-type=oneshot'],
    ...[`--unit=${unit}`, '--property=After=multi-user.target'],
    ...environment.map(([name, value]) => `--setenv=${name}=${value}`),
    ...['--', ...command],
  ]);
}

/** Properties by name: texts, and numbers where the text is one. */
async function showUnit(unit: string): Promise<ReadonlyMap<string, unknown>> {
  const text = await systemctl('show', '--', unit);
  return new Map(
    text.split('\n').flatMap((line): [string, unknown][] => {
      const at = line.indexOf('=');
      if (at < 0) return [];
      const value = line.slice(at + 1);
      return [[line.slice(0, at), /^\d{1,15}$/.test(value) ? Number(value) : value]];
    }),
  );
}

async function systemctl(...args: readonly string[]): Promise<string> {
  const { stdout } = await runProgram(['systemctl', '--no-pager', '--no-ask-password', ...args]);
  return stdout.toString('utf8');
}

/** A template is never loaded itself: what there is to say of one stands on the disk. */
async function showStates(
  offline: UnitManager,
  units: readonly string[],
): Promise<readonly UnitState[]> {
  const states: UnitState[] = [];
  for (const unit of units) {
    if (unit.includes('@.')) states.push(...(await offline.getStates([unit])));
    else states.push(readUnitState(unit, await showUnit(unit)));
  }
  return states;
}

/** The instances of a template that systemd knows: those that run, and those that something else wants. */
async function listLoaded(template: string): Promise<readonly string[]> {
  const pattern = template.replace('@.', '@*.');
  const text = await systemctl('list-units', '--all', '--plain', '--no-legend', '--', pattern);
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s/)[0] ?? '')
    .filter((unit) => unit !== '' && unit !== template)
    .sort();
}
