import { spawnSync } from 'node:child_process';

/** Runs a program to its end, which must be a good one. */
export function mustRun(program: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (status !== 0) throw error ?? new Error(`${program} failed: ${stderr.toString()}`);
}
