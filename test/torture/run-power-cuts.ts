import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { TempDir } from '../support/temp-dir.js';
import type { PowerCutResult } from './power-cuts.js';
import type { FileSystemName } from './power/file-systems.js';
import type { VerbSize } from './tortured-verb.js';

/** Which powers are cut. */
export interface PowerCutPlan {
  /** How many states in all, shared out among the verbs and file systems. */
  readonly states: number;
  readonly fileSystems: readonly FileSystemName[];
  /** What the names of the verbs begin with; all of them unless given. */
  readonly verbs?: readonly string[];
  readonly size: VerbSize;
  readonly seed: number;
  /** Put before each command: what makes it one that cannot hold. */
  readonly wrapper?: readonly string[];
  /** Nobody else syncs meanwhile. */
  readonly quiet?: boolean;
}

const WORKER = fileURLToPath(new URL('power/worker.js', import.meta.url));

/**
 * Cuts the power of every verb on every file system; gives what each pair came to, `onResult` as soon as it is known. The
 * work is done by a process with a mount namespace of its own: programs that make one meanwhile would take a copy of
 * what is mounted, and a file system is unmounted only when its last copy is.
 */
export async function runPowerCuts(
  plan: PowerCutPlan,
  onResult: (result: PowerCutResult) => void = () => undefined,
): Promise<readonly PowerCutResult[]> {
  using folder = new TempDir();
  const argv = ['--pdeathsig', 'KILL', 'unshare', '--mount', process.execPath, WORKER, folder.path];
  const worker = spawn('setpriv', [...argv, JSON.stringify(plan)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const results: PowerCutResult[] = [];
  const ended = once(worker, 'close');
  for await (const line of createInterface({ input: worker.stdout })) {
    const result = JSON.parse(line) as PowerCutResult;
    results.push(result);
    onResult(result);
  }
  const [status] = (await ended) as [number | null];
  if (status !== 0) throw new Error(`the power cuts ended with ${status ?? 'a signal'}`);
  return results;
}

/** Makes a program believe that what it wrote is on the disk: it is then as naive as one that never asked. */
export const WITHOUT_SYNC: readonly string[] = [
  ...['strace', '--follow-forks', '--quiet=all', '-o', '/dev/null'],
  ...['--trace=fsync,fdatasync,syncfs', '--inject=fsync,fdatasync,syncfs:retval=0'],
];
