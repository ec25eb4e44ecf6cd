import { openOfflineUnitManager } from '../../src/systemd/offline-unit-manager.js';
import type { JobOutcome, UnitManager, UnitState } from '../../src/systemd/unit-manager.js';

/** A manager that runs nothing, but knows what would run, and notes what it is asked for. */
export interface RunningManager extends UnitManager {
  readonly running: Set<string>;
  readonly asked: string[];
  /** Asked after each start: whether the unit falls over. */
  failAfterStart: () => boolean;
}

/** Stands in for systemd over a folder; `running` are the units that are up. Links are made as offline. */
export function runningManager(root: string, running: readonly string[]): RunningManager {
  const offline = openOfflineUnitManager({ root });
  const up = new Set(running);
  const failed = new Set<string>();
  const asked: string[] = [];
  const job = (verb: string, unit: string, body: () => void): Promise<JobOutcome> => {
    asked.push(`${verb} ${unit}`);
    body();
    return Promise.resolve({ result: 'done' });
  };
  const start = (unit: string): void => {
    failed.delete(unit);
    up.add(unit);
    if (!manager.failAfterStart()) return;
    up.delete(unit);
    failed.add(unit);
  };
  const manager: RunningManager = {
    kind: 'dbus',
    findSystemdVersion: () => Promise.resolve(257),
    running: up,
    asked,
    failAfterStart: () => false,
    findUnitFolders: () => offline.findUnitFolders(),
    findUnitFile: (unit) => offline.findUnitFile(unit),
    reload: () => {
      asked.push('reload');
      return Promise.resolve();
    },
    enable: (units) => offline.enable(units),
    reenable: (units) => offline.reenable(units),
    disable: (units) => offline.disable(units),
    start: (unit) =>
      job('start', unit, () => {
        start(unit);
      }),
    stop: (unit) => job('stop', unit, () => up.delete(unit)),
    restart: (unit) =>
      job('restart', unit, () => {
        start(unit);
      }),
    kill: (unit) => {
      asked.push(`kill ${unit}`);
      return Promise.resolve();
    },
    resetFailed: (unit) => {
      asked.push(`reset ${unit}`);
      failed.delete(unit);
      return Promise.resolve();
    },
    getStates: async (units) => {
      const states = await offline.getStates(units);
      return states.map((state): UnitState => {
        const activeState = up.has(state.unit)
          ? 'active'
          : failed.has(state.unit)
            ? 'failed'
            : 'inactive';
        const subState = activeState === 'active' ? 'running' : activeState;
        return { ...state, loadState: 'loaded', activeState, subState, serviceType: 'simple' };
      });
    },
    getSummaries: (findUnits) => manager.getStates(findUnits()),
    findDependents: (unit) => offline.findDependents(unit),
    watchUnits: () =>
      Promise.resolve({
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
    listInstances: (template) => offline.listInstances(template),
    getRelations: (unit) => offline.getRelations(unit),
    createTmpfiles: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => offline[Symbol.asyncDispose](),
  };
  return manager;
}
