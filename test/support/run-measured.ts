import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** What a program took. */
export interface Usage {
  /** Most memory that it had at a time (VmHWM), in bytes; 0 if it was over too quickly to be looked at. */
  readonly peakBytes: number;
  /** Of its own and of the system for it, in milliseconds, by the clock tick. */
  readonly cpuMs: number;
}

/** How often a running program is looked at: its high-water mark only grows, so that no peak is missed but one of the last moment. */
const LOOK_MS = 10;

/** Ticks of /proc/PID/stat; 100 on every Linux that Node runs on. */
const MS_PER_TICK = 10;

/** Runs a program to its end, which must be a good one, and gives what it took. */
export function runMeasured(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Usage> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env });
    let words = '';
    child.stderr.on('data', (bytes: Buffer) => (words += bytes.toString()));
    let usage: Usage = { peakBytes: 0, cpuMs: 0 };
    const look = setInterval(() => {
      usage = readUsage(child.pid) ?? usage;
    }, LOOK_MS);
    child.once('error', (error) => {
      clearInterval(look);
      reject(error);
    });
    child.once('close', (status) => {
      clearInterval(look);
      if (status === 0) resolve(usage);
      else reject(new Error(`${program} failed: ${words}`));
    });
  });
}

/** Undefined once the process has given its memory back. */
function readUsage(pid: number | undefined): Usage | undefined {
  try {
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name may hold anything; the fields behind it are numbers (proc_pid_stat(5): utime and stime are the 14th and 15th).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (peak === undefined) return undefined;
    return {
      peakBytes: Number(peak) * 1024,
      cpuMs: (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK,
    };
  } catch {
    return undefined; // it is over
  }
}
