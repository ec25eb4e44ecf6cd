import type { Command } from 'commander';

import type { ContainerUsage } from '../../containers/container-usage.js';
import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';

const NAMES = [
  { syntax: '[name...]', description: 'names of installed containers; all that run unless given' },
];

/** `berth top [NAME…]`. */
export function topCommand(context: CliContext): Command {
  return defineCommand(
    {
      name: 'top',
      summary: 'show the processes of running containers',
      args: NAMES,
      examples: ['berth top', 'berth top etcd'],
      notes:
        'Numbers of processes and users are those of the host. Shown once; see also systemd-cgtop(1).',
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { listContainerProcesses } = await import('../../containers/container-usage.js');
      const { escapeText } = await import('../../base/escape-text.js');
      const { printResult } = await import('../output/print.js');
      const { formatTable } = await import('../output/table.js');
      const { formatBytes, formatDuration } = await import('../output/units.js');
      const { forInstalled } = await import('../for-each-name.js');
      await withHost(context, options, async (host) => {
        const each = await forInstalled({ context, options, host }, args, (names) =>
          listContainerProcesses(host, names),
        );
        const processes = each.results;
        printResult(context, options, {
          of: 'top',
          json: processes,
          text:
            processes.length === 0
              ? 'nothing runs\n'
              : formatTable(
                  ['NAME', 'PID', 'USER', 'CPU TIME', 'MEMORY', 'COMMAND'],
                  processes.map((process) => [
                    escapeText(process.name),
                    String(process.pid),
                    String(process.uid),
                    formatDuration(process.cpuMs),
                    formatBytes(process.residentBytes),
                    escapeText(process.command, 120),
                  ]),
                ),
        });
        each.end();
      });
    },
    context,
  );
}

/** `berth stats [NAME…]`. */
export function statsCommand(context: CliContext): Command {
  return defineCommand(
    {
      name: 'stats',
      summary: 'show what containers use of processor, memory and disks',
      args: [
        { syntax: '[name...]', description: 'names of installed containers; all unless given' },
      ],
      examples: ['berth stats', 'berth stats --json etcd'],
      notes:
        'Totals since the service was started; CPU is the share of one processor on average. What systemd does not\n' +
        "account for shows as '-' (MemoryAccounting=, IOAccounting=).",
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { getContainerUsage } = await import('../../containers/container-usage.js');
      const { escapeText } = await import('../../base/escape-text.js');
      const { printResult } = await import('../output/print.js');
      const { formatTable } = await import('../output/table.js');
      const { formatBytes, formatDuration } = await import('../output/units.js');
      const bytes = (amount: bigint | undefined): string =>
        amount === undefined ? '-' : formatBytes(Number(amount));
      const { forInstalled } = await import('../for-each-name.js');
      await withHost(context, options, async (host) => {
        const each = await forInstalled({ context, options, host }, args, (names) =>
          getContainerUsage(host, names),
        );
        const all = each.results;
        const nowMs = host.nowMs();
        printResult(context, options, {
          of: 'stats',
          json: all,
          text:
            all.length === 0
              ? args.length === 0
                ? 'no containers are installed\n'
                : ''
              : formatTable(
                  ['NAME', 'STATE', 'CPU TIME', 'CPU', 'MEMORY', 'TASKS', 'READ', 'WRITTEN'],
                  all.map((usage) => [
                    escapeText(usage.name),
                    usage.state,
                    usage.cpuUs === undefined ? '-' : formatDuration(Number(usage.cpuUs) / 1000),
                    share(usage, nowMs),
                    bytes(usage.memoryBytes),
                    usage.tasks?.toString() ?? '-',
                    bytes(usage.readBytes),
                    bytes(usage.writtenBytes),
                  ]),
                ),
        });
        each.end();
      });
    },
    context,
  );
}

function share({ cpuUs, activeSinceUs }: ContainerUsage, nowMs: number): string {
  const elapsedUs = nowMs * 1000 - Number(activeSinceUs);
  if (cpuUs === undefined || activeSinceUs === 0n || elapsedUs <= 0) return '-';
  return `${((100 * Number(cpuUs)) / elapsedUs).toFixed(1)}%`;
}
