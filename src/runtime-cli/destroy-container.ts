import { setTimeout as delay } from 'node:timers/promises';

import { cgroupOf, removeUnfinishedCgroup } from './container-cgroup.js';
import { isAlive, signalIfAlive } from './container-process.js';
import type { ContainerRecord, ContainerStore } from './container-record.js';
import { runHooksToTheEnd } from './run-hooks.js';
import type { RuntimeContext } from './runtime-context.js';

const SIGKILL = 9;
/** Longest wait for a process that was killed: one that waits for a disk ends when the disk answers. */
const DEATH_TIMEOUT_MS = 10_000;
const POLL_MS = 2;

/**
 * Takes away all that a container is: its processes and its control group; then the poststop hooks run, and its folder
 * goes. Each part may be missing, as after a runtime that was killed.
 */
export async function destroyContainer(
  context: RuntimeContext,
  store: ContainerStore,
  record: ContainerRecord,
): Promise<void> {
  await killContainer(record);
  if (record.hasCgroup) await cgroupOf(record).delete();
  else removeUnfinishedCgroup(record);
  await runHooksToTheEnd('poststop', { context, record, status: 'stopped', folder: store.path });
  await store.remove();
}

/** Kills the container's process and all that is in its own group, and waits for the end of the first. */
async function killContainer(record: ContainerRecord): Promise<void> {
  signalIfAlive(record, SIGKILL);
  if (record.hasCgroup) cgroupOf(record).kill(SIGKILL);
  for (let left = DEATH_TIMEOUT_MS; isAlive(record) && left > 0; left -= POLL_MS)
    await delay(POLL_MS);
}
