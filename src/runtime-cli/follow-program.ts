import { constants } from 'node:os';

import type { Launched } from './launch.js';
import type { TerminalRelay } from './terminal-relay.js';

/** What a caller may send us and mean the container. Others keep their meaning for Node, or cannot be caught. */
const FORWARDED = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGALRM'] as const;

/** Waits for the end of a program in the foreground, passing signals on; gives its status as a shell would. */
export async function followProgram(launched: Launched, relay: TerminalRelay): Promise<number> {
  const forward = (signal: NodeJS.Signals): void => {
    launched.launcher.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  relay.begin();
  try {
    const { status, signal } = await launched.ended;
    await relay.drain();
    return signal === null ? (status ?? 1) : 128 + constants.signals[signal];
  } finally {
    for (const signal of FORWARDED) process.off(signal, forward);
  }
}
