import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';

import { projectRoot } from './cache-folder.js';
import { hostNode } from './host-node.js';
import { controlGroupOf } from './host-record.js';
import type { Suite } from './suites.js';

/** The host that {@link startNspawn} boots. */
export interface NspawnOptions {
  /** Names its control group. */
  readonly id: string;
  readonly root: string;
  readonly suite: Suite;
  /** Path of its network namespace. */
  readonly network: string;
  /** The file that its console is added to. */
  readonly console: string;
  readonly cgroupVersion: 1 | 2;
  /** Leaves it the Node of its tree. */
  readonly hasOwnNode: boolean;
}

/** Boots a tree in systemd-nspawn, in a control group of its own; it ends with this process. */
export async function startNspawn(options: NspawnOptions): Promise<ChildProcess> {
  const group = controlGroupOf(options.id);
  await mkdir(group, { recursive: true });
  const argv = containerArguments(options, await hostNode());
  const console = openSync(options.console, 'a');
  try {
    return spawn(
      'sh',
      // SIGTERM for a parent that died, and SIGKILL for PID 1 in its turn: nothing of the host outlives the test.
      [
        '-c',
        `echo $$ >${group}/cgroup.procs && exec setpriv --pdeathsig TERM "$@"`,
        'sh',
        'systemd-nspawn',
        ...argv,
      ],
      {
        stdio: ['ignore', console, console],
        env: {
          ...process.env,
          SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: options.cgroupVersion === 1 ? '0' : '1',
          // Settings below /proc/sys/net are those of the host's own namespace, so it may write them.
          SYSTEMD_NSPAWN_API_VFS_WRITABLE: 'network',
        },
        detached: true,
      },
    );
  } finally {
    closeSync(console);
  }
}

function containerArguments(options: NspawnOptions, node: string): readonly string[] {
  return [
    '--quiet',
    `--directory=${options.root}`,
    '--boot',
    '--register=no',
    '--keep-unit',
    '--kill-signal=SIGKILL',
    '--capability=all',
    // What a host without a wall around it has: a runtime fetches terminals by pidfd_getfd(2).
    '--system-call-filter=@keyring bpf pidfd_getfd',
    `--machine=${options.suite}`,
    `--network-namespace-path=${options.network}`,
    '--resolv-conf=off',
    '--timezone=off',
    '--link-journal=no',
    `--bind-ro=${projectRoot}:/opt/berth`,
    ...(options.hasOwnNode ? [] : [`--bind-ro=${node}:/usr/bin/node`]),
  ];
}
