import { isErrno } from '../errors/is-errno.js';
import { cgroupOf } from './container-cgroup.js';
import { isAlive } from './container-process.js';
import type { ContainerRecord, ContainerStore } from './container-record.js';
import { runHooksToTheEnd } from './run-hooks.js';
import type { RuntimeContext } from './runtime-context.js';
import { setTimeout as delay } from 'node:timers/promises';

const SIGKILL = 9;
/** Longest wait for a process that was killed: one that waits for a disk ends when the disk answers. */
const DEATH_TIMEOUT_MS = 10_000;
const POLL_MS = 2;

/**
 * Takes away all that a container is: its processes, its control group, its folder; then the poststop hooks. Each part
 * may be missing, as after a runtime that was killed.
 */
export async function destroyContainer(
  context: RuntimeContext,
  store: ContainerStore,
  record: ContainerRecord,
): Promise<void> {
  await killContainer(record);
  await cgroupOf(record).delete();
  await runHooksToTheEnd('poststop', { context, record, status: 'stopped', folder: store.path });
  await store.remove();
}

/** Kills the container's process and all that is in its group, and waits for the end of the first. */
async function killContainer(record: ContainerRecord): Promise<void> {
  if (isAlive(record)) {
    try {
      process.kill(record.pid, 'SIGKILL');
    } catch (error) {
      if (!isErrno(error, 'ESRCH')) throw error;
    }
  }
  cgroupOf(record).kill(SIGKILL);
  for (let left = DEATH_TIMEOUT_MS; isAlive(record) && left > 0; left -= POLL_MS)
    await delay(POLL_MS);
}
