import type { Host } from './host.js';
import { bringsOwnUnits, placeOwnUnit, removeOwnUnit } from './own-units.js';
import { OperationalError } from '../errors/operational-error.js';
import { runJob } from './unit-verbs.js';

const TIMER = 'berth-update.timer';

/**
 * Has systemd run `berth auto-update` every hour, or no longer. The units are berth's own where no package brings them.
 *
 * @throws OperationalError USAGE for a tree that is not running
 */
export async function setUpdateTimer(host: Host, wanted: boolean): Promise<void> {
  if (!bringsOwnUnits(host.paths))
    throw new OperationalError('USAGE', "the timer is a running system's: leave out '--root'");
  const units = await host.openUnitManager();
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
