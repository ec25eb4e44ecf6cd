import type { ChildProcess } from 'node:child_process';

import type { CliContext } from './context.js';

const PASSED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

/** Passes signals on to a program that runs for the user, which decides what they mean, until it is disposed of. */
export function passSignals(context: CliContext, child: ChildProcess): Disposable {
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of PASSED) context.host.on(signal, pass);
  return {
    [Symbol.dispose]() {
      for (const signal of PASSED) context.host.off(signal, pass);
    },
  };
}
