import { constants } from 'node:os';

import { OperationalError } from '../errors/operational-error.js';
import { quote } from '../base/escape-text.js';

/** The first real-time signal that glibc leaves to programs. */
const SIGRTMIN = 34;
const SIGRTMAX = 64;

/**
 * The number of a signal: `SIGTERM`, `term`, `15`, `SIGRTMIN+3`, `RTMAX-1` (image-spec config.md, "StopSignal").
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID
 */
export function parseSignal(text: string): number {
  const name = text.toUpperCase().replace(/^SIG/, '');
  const realTime = /^RT(MIN\+|MAX-)(\d{1,2})$|^RT(MIN|MAX)$/.exec(name);
  const offset = Number(realTime?.[2] ?? 0);
  const number =
    realTime !== null
      ? name.startsWith('RTMIN')
        ? SIGRTMIN + offset
        : SIGRTMAX - offset
      : /^\d{1,2}$/.test(name)
        ? Number(name)
        : (constants.signals as Readonly<Record<string, number>>)[`SIG${name}`];
  if (
    number === undefined ||
    number < 1 ||
    number > SIGRTMAX ||
    (realTime !== null && number < SIGRTMIN)
  ) {
    throw new OperationalError('RUNTIME_CONFIG_INVALID', `${quote(text)} is not a signal`);
  }
  return number;
}

/** The name of a signal as systemd takes it: `SIGQUIT`, `RTMIN+3`. */
export function formatSignal(number: number): string {
  const name = Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
  return name ?? (number >= SIGRTMIN ? `RTMIN+${number - SIGRTMIN}` : String(number));
}
