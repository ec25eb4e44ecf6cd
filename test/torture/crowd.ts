import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

import { PROGRAM } from './program.js';

/** How one of many commands ended. */
export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `berth --root ROOT` with each of the argument lists at once, and waits for all. */
export async function runAtOnce(
  root: string,
  commands: readonly (readonly string[])[],
): Promise<readonly Ended[]> {
  return Promise.all(commands.map((args) => runBerth(root, args)));
}

/** Runs one command, to its end or for `killAfterMs`. */
export async function runBerth(
  root: string,
  args: readonly string[],
  options: { readonly killAfterMs?: number } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [PROGRAM, '--root', root, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  const timer =
    options.killAfterMs === undefined
      ? undefined
      : setTimeout(() => child.kill('SIGKILL'), options.killAfterMs);
  const status = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve(code ?? 137);
    });
  });
  clearTimeout(timer);
  return { status, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() };
}

/** Runs `body` again and again, without a pause, until `work` has ended; gives how often, and what `work` gave. */
export async function whileRunning<T>(
  work: Promise<T>,
  body: () => Promise<void>,
): Promise<{ readonly rounds: number; readonly result: T }> {
  const state = { running: true };
  const ended = work.finally(() => {
    state.running = false;
  });
  let rounds = 0;
  try {
    while (state.running) {
      await body();
      rounds += 1;
      await delay(1);
    }
  } finally {
    await ended.catch(() => undefined); // its error is thrown below, unless a reader's came first
  }
  return { rounds, result: await ended };
}
