import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

import { runOk } from '../support/run-command.js';

/** What figures depend on besides berth. */
export interface MachineFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly distribution: string;
  readonly node: string;
  /** Runnable processes, over the last minute: above the number of cores, times are those of a busy machine. */
  readonly load: number;
  /** First line of what each peer says of its version. */
  readonly peers: Readonly<Record<string, string>>;
}

/** Reads them; `peers` are the programs that berth is measured beside. */
export async function readMachineFacts(peers: readonly string[]): Promise<MachineFacts> {
  const osRelease = readFileSync('/etc/os-release', 'utf8');
  const versions: Record<string, string> = {};
  for (const program of peers) {
    const text = await runOk([program, '--version']).catch(() => 'not there');
    versions[program] = text.split('\n')[0]?.trim() ?? '';
  }
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: release(),
    distribution: /^PRETTY_NAME="?(.*?)"?$/m.exec(osRelease)?.[1] ?? 'unknown',
    node: process.version,
    load: loadavg()[0] ?? Number.NaN,
    peers: versions,
  };
}

/** The facts as lines. */
export function formatMachineFacts(facts: MachineFacts): string {
  const peers = Object.entries(facts.peers)
    .map(([program, version]) => (version.startsWith(program) ? version : `${program}: ${version}`))
    .join('; ');
  return [
    `${facts.cpu}, ${facts.cores} cores, ${(facts.memoryBytes / 2 ** 30).toFixed(0)} GiB; load ${facts.load.toFixed(1)}`,
    `${facts.distribution}, Linux ${facts.kernel}, Node ${facts.node}; ${peers}`,
    '',
  ].join('\n');
}
