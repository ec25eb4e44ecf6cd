import type { BootedHost } from '../support/booted-host.js';
import { messageIds } from '../support/host-journal.js';

/** When a service was started in a boot, in milliseconds after systemd itself was. */
export interface ServiceStart {
  readonly name: string;
  readonly startingMs: number;
  readonly readyMs: number;
  /** Memory of its processes that is its own, in KiB. */
  readonly memoryKib: number;
  readonly mainPid: number;
}

/** Reads from a host's journal when services were started in its present boot, earliest first. */
export async function readBootChain(
  host: BootedHost,
  names: readonly string[],
): Promise<readonly ServiceStart[]> {
  const shown = await host.runOk(['systemctl', 'show', '--property=UserspaceTimestampMonotonic']);
  const originUs = Number(shown.trim().split('=')[1]);
  const starts: ServiceStart[] = [];
  for (const name of names) {
    const about = (await host.journal(`${name}.service`)).filter(
      (entry) => entry.aboutUnit === `${name}.service`,
    );
    const at = (messageId: string): number => {
      const entry = about.find((candidate) => candidate.messageId === messageId);
      if (entry === undefined) throw new Error(`the journal does not say when ${name} was started`);
      return (entry.monotonicUs - originUs) / 1000;
    };
    const unit = await host.unit(`${name}.service`);
    const mainPid = Number(unit['MainPID']);
    starts.push({
      name,
      startingMs: at(messageIds.unitStarting),
      readyMs: at(messageIds.unitStarted),
      mainPid,
      memoryKib: await memoryOfUnit(host, unit['ControlGroup'] ?? ''),
    });
  }
  return starts.sort((a, b) => a.startingMs - b.startingMs);
}

/** Proportional set size of all processes of a control group. */
async function memoryOfUnit(host: BootedHost, group: string): Promise<number> {
  const script =
    'for pid in $(find "/sys/fs/cgroup$1" -name cgroup.procs -exec cat {} +); do cat "/proc/$pid/smaps_rollup" 2>/dev/null; done | sed -n "s/^Pss: *\\([0-9]*\\).*/\\1/p"';
  const text = await host.runOk(['sh', '-c', script, 'sh', group]);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .reduce((sum, line) => sum + Number(line), 0);
}

/** Draws the chain: a row for each service, on one scale of time. */
export function drawBootChain(
  starts: readonly ServiceStart[],
  options: { readonly columns: number; readonly notes: Readonly<Record<string, string>> },
): readonly string[] {
  const endMs = Math.max(...starts.map((start) => start.readyMs), 1);
  const step = niceStep(endMs / 4);
  const totalMs = Math.ceil((endMs * 1.08) / step) * step;
  const column = (ms: number): number => Math.round((ms / totalMs) * options.columns);
  const nameWidth = Math.max(...starts.map((start) => start.name.length));
  const indent = ' '.repeat(nameWidth + 2);

  let scale = '';
  for (let ms = 0; ms <= totalMs; ms += step) scale = scale.padEnd(column(ms)) + String(ms);
  const lines = [`${indent}${scale} ms`];
  for (const start of starts) {
    const from = column(start.startingMs);
    const width = Math.max(1, column(start.readyMs) - from);
    const rest = Math.max(0, options.columns - from - width);
    lines.push(
      `${start.name.padEnd(nameWidth)}  ${' '.repeat(from)}${'█'.repeat(width)}${'─'.repeat(rest)}`,
      `${indent}${' '.repeat(from)}${describeStart(start)}${note(options.notes[start.name])}`,
    );
  }
  return lines;
}

function describeStart(start: ServiceStart): string {
  const took = start.readyMs - start.startingMs;
  return `started at ${start.startingMs.toFixed(0)}, ready after ${took.toFixed(0)} ms`;
}

function note(text: string | undefined): string {
  return text === undefined ? '' : `: ${text}`;
}

/** The smallest of 1, 2, 5, 10, 20, … that is not below `value`. */
function niceStep(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return (
    [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= value) ?? power
  );
}
