import { isErrno } from '../../errors/is-errno.js';

const SIGKILL = 9;
/** Rounds of a hunt: what forks faster than it can be killed has the limit on its processes to stop it. */
const MAX_ROUNDS = 100;

/**
 * Sends a signal to every process of a cgroup. Processes that fork meanwhile are only chased where the signal kills: a
 * second SIGTERM to those that had the first would be one too many.
 */
export function killAll(cgroup: { pids(): readonly number[] }, signal: number): void {
  const seen = new Set<number>();
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const fresh = cgroup.pids().filter((pid) => !seen.has(pid));
    if (fresh.length === 0) return;
    for (const pid of fresh) {
      seen.add(pid);
      // 0 stands for processes of a pid namespace that is not ours.
      if (pid === 0) continue;
      try {
        process.kill(pid, signal);
      } catch (error) {
        if (!isErrno(error, 'ESRCH')) throw error;
      }
    }
    if (signal !== SIGKILL) return;
  }
}
