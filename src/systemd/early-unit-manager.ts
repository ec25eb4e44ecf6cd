import { runProgram } from '../base/subprocess.js';
import { openOfflineUnitManager } from './offline-unit-manager.js';
import { readUnitState } from './read-unit-state.js';
import { USER_VENDOR_DIRECTORIES } from './unit-tree.js';
import type { JobOutcome, UnitManager, UnitState } from './unit-manager.js';

/** Which manager is meant while it still starts what it starts first: the system's, or that of the user with that environment. */
export interface EarlyManager {
  readonly mode: 'system' | 'user';
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * The manager of a system that is still booting, or of a user that is still starting: there is no D-Bus daemon yet, only systemd's own socket, which systemctl
 * knows how to speak to. Links are made and removed on the disk, as in a tree.
 *
 * Jobs are only queued: what is asked for in here runs while the boot waits for who asks, and a unit that in its turn
 * waits for him would never start.
 */
export function openEarlyUnitManager(
  options: EarlyManager & { readonly unitDirectory: string },
): UnitManager {
  const { unitDirectory, mode, environment: env } = options;
  const vendors = mode === 'user' ? { vendorDirectories: USER_VENDOR_DIRECTORIES } : {};
  const offline = openOfflineUnitManager({ root: '', unitDirectory, ...vendors });
  const queue = async (verb: 'start' | 'stop' | 'restart', unit: string): Promise<JobOutcome> => {
    await systemctl(options, verb, '--no-block', '--', unit);
    return { result: 'done' };
  };
  return {
    kind: 'dbus',
    findSystemdVersion: () => offline.findSystemdVersion(),
    findUnitFolders: () => offline.findUnitFolders(),
    findUnitFile: (unit) => offline.findUnitFile(unit),
    reload: async () => {
      await systemctl(options, 'daemon-reload');
    },
    enable: (units) => offline.enable(units),
    reenable: (units) => offline.reenable(units),
    disable: (units) => offline.disable(units),
    start: (unit) => queue('start', unit),
    stop: (unit) => queue('stop', unit),
    restart: (unit) => queue('restart', unit),
    kill: async (unit) => {
      await systemctl(options, 'kill', '--signal=KILL', '--', unit);
    },
    resetFailed: (unit) => offline.resetFailed(unit),
    getStates: (units) => showStates(options, offline, units),
    getSummaries: (findUnits) => showStates(options, offline, findUnits()),
    findDependents: (unit) => offline.findDependents(unit),
    watchUnits: (units, onChange) => offline.watchUnits(units, onChange),
    listInstances: (template) => listLoaded(options, template),
    getRelations: (unit) => offline.getRelations(unit),
    createTmpfiles: async (file) => {
      await runProgram(['systemd-tmpfiles', ...scopeOf(options), '--create', '--', file], { env });
    },
    [Symbol.asyncDispose]: () => offline[Symbol.asyncDispose](),
  };
}

/**
 * Starts a unit, or of a template the instances, if something that is starting or has started wants it: what was enabled after the boot's own jobs were
 * made has none. Queued only, like everything here.
 */
export async function startIfWanted(manager: EarlyManager, unit: string): Promise<void> {
  if (unit.includes('@.')) {
    for (const instance of await listLoaded(manager, unit)) await startIfWanted(manager, instance);
    return;
  }
  const properties = await showUnit(manager, unit);
  const wanting = ['WantedBy', 'RequiredBy'].flatMap((name) => {
    const value = properties.get(name);
    return typeof value === 'string' ? value.split(' ').filter((word) => word !== '') : [];
  });
  for (const target of wanting) {
    const state = await showUnit(manager, target);
    if (state.get('ActiveState') === 'active' || Number(state.get('Job') ?? 0) > 0) {
      await systemctl(manager, 'start', '--no-block', '--', unit);
      return;
    }
  }
}

/**
 * Has a program run once the boot is done, as a service of that name that is forgotten when it ends. Queued only; one
 * that is queued already is left.
 */
export async function runAfterBoot(
  manager: EarlyManager,
  name: string,
  { command, environment }: ProgramToRun,
): Promise<void> {
  const unit = `${name}.service`;
  const booted = manager.mode === 'user' ? 'default.target' : 'multi-user.target';
  if ((await showUnit(manager, unit)).get('LoadState') !== 'not-found') return;
  const argv: readonly [string, ...string[]] = [
    'systemd-run',
    ...scopeOf(manager),
    ...['--quiet', '--collect', '--no-block', '--service-type=oneshot'],
    ...[`--unit=${unit}`, `--property=After=${booted}`],
    ...environment.map(([name, value]) => `--setenv=${name}=${value}`),
    ...['--', ...command],
  ];
  await runProgram(argv, { env: manager.environment });
}

/** A program with what is added to its environment. */
export interface ProgramToRun {
  readonly command: readonly string[];
  readonly environment: readonly (readonly [string, string])[];
}

function scopeOf({ mode }: EarlyManager): readonly string[] {
  return mode === 'user' ? ['--user'] : [];
}

/** Properties by name: texts, and numbers where the text is one. */
async function showUnit(
  manager: EarlyManager,
  unit: string,
): Promise<ReadonlyMap<string, unknown>> {
  const text = await systemctl(manager, 'show', '--', unit);
  return new Map(
    text.split('\n').flatMap((line): [string, unknown][] => {
      const at = line.indexOf('=');
      if (at < 0) return [];
      const value = line.slice(at + 1);
      return [[line.slice(0, at), /^\d{1,15}$/.test(value) ? Number(value) : value]];
    }),
  );
}

async function systemctl(manager: EarlyManager, ...args: readonly string[]): Promise<string> {
  const { stdout } = await runProgram(
    ['systemctl', ...scopeOf(manager), '--no-pager', '--no-ask-password', ...args],
    { env: manager.environment },
  );
  return stdout.toString('utf8');
}

/** A template is never loaded itself: what there is to say of one stands on the disk. */
async function showStates(
  manager: EarlyManager,
  offline: UnitManager,
  units: readonly string[],
): Promise<readonly UnitState[]> {
  const states: UnitState[] = [];
  for (const unit of units) {
    if (unit.includes('@.')) states.push(...(await offline.getStates([unit])));
    else states.push(readUnitState(unit, await showUnit(manager, unit)));
  }
  return states;
}

/** The instances of a template that systemd knows: those that run, and those that something else wants. */
async function listLoaded(manager: EarlyManager, template: string): Promise<readonly string[]> {
  const pattern = template.replace('@.', '@*.');
  const text = await systemctl(
    manager,
    'list-units',
    '--all',
    '--plain',
    '--no-legend',
    '--',
    pattern,
  );
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s/)[0] ?? '')
    .filter((unit) => unit !== '' && unit !== template)
    .sort();
}
