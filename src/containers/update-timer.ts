import { quote } from '../base/escape-text.js';
import type { UnitManager } from '../systemd/unit-manager.js';
import type { Host } from './host.js';
import { bringsOwnUnits, placeOwnUnit, removeOwnUnit } from './own-units.js';
import { OperationalError } from '../errors/operational-error.js';
import { runJob } from './unit-verbs.js';

const TIMER = 'berth-update.timer';

/**
 * Has systemd run `berth auto-update` every hour, or no longer. The units are berth's own where no package brings them. In a tree
 * that is not running they are those of berth's package in it.
 *
 * @throws OperationalError PROGRAM_MISSING for a tree without that
 */
export async function setUpdateTimer(host: Host, wanted: boolean): Promise<void> {
  const units = await host.openUnitManager();
  if (!bringsOwnUnits(host.paths)) {
    // Without one there is nothing to take away.
    if (wanted) await assertBrought(units, host.paths.root);
    await (wanted ? units.enable([TIMER]) : units.disable([TIMER]));
    return;
  }
  if (wanted) {
    await placeOwnUnit(host, 'berth-update.service');
    await placeOwnUnit(host, TIMER);
    await units.enable([TIMER]);
    await units.reload();
    await runJob(host, 'start', TIMER);
    return;
  }
  const [state] = await units.getStates([TIMER]);
  if (state?.activeState === 'active') await runJob(host, 'stop', TIMER);
  await units.disable([TIMER]);
  await removeOwnUnit(host, TIMER);
  await removeOwnUnit(host, 'berth-update.service');
  await units.reload();
}

/** Whether systemd runs `berth auto-update` by itself; undefined where no systemd can be asked. */
export async function isUpdateTimerEnabled(host: Host): Promise<boolean | undefined> {
  try {
    const units = await host.openUnitManager();
    return (await units.findUnitFile(TIMER))?.state === 'enabled';
  } catch (error) {
    if (error instanceof OperationalError && error.code === 'SYSTEMD_UNAVAILABLE') return undefined;
    throw error;
  }
}

async function assertBrought(units: UnitManager, root: string): Promise<void> {
  if ((await units.findUnitFile(TIMER)) !== undefined) return;
  throw new OperationalError(
    'PROGRAM_MISSING',
    `the tree ${quote(root)} has no ${TIMER}: nothing in it would update containers`,
    { hint: "install berth's package in the tree first" },
  );
}
