import { constants } from 'node:os';

/** A signal by its name as systemd takes it, and its number. */
export interface StopSignal {
  readonly name: string;
  readonly number: number;
}

/** The kernel's first real-time signal that programs may use, as glibc has it (musl: 35), and the last. */
const SIGRTMIN = 34;
const SIGRTMAX = 64;

/**
 * Parses `StopSignal` of an image (image-spec v1.1 config.md: `SIGKILL`, `SIGRTMIN+3`; Docker also takes `KILL` and `9`).
 * Undefined if it is no signal.
 */
export function parseStopSignal(text: string): StopSignal | undefined {
  const number = findNumber(text);
  if (number === undefined) return undefined;
  const known = Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
  if (known !== undefined) return { name: known, number };
  return number >= SIGRTMIN && number <= SIGRTMAX
    ? { name: `SIGRTMIN+${number - SIGRTMIN}`, number }
    : undefined;
}

function findNumber(text: string): number | undefined {
  if (/^\d{1,2}$/.test(text)) return Number(text);
  const name = text.toUpperCase().replace(/^(?:SIG)?/, 'SIG');
  const realTime = /^SIGRTM(IN|AX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realTime !== null) {
    const base = realTime[1] === 'IN' ? SIGRTMIN : SIGRTMAX;
    const offset = Number(realTime[3] ?? '0');
    return realTime[2] === '-' ? base - offset : base + offset;
  }
  return Object.entries(constants.signals).find(([known]) => known === name)?.[1];
}
