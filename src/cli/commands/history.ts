import type { Command } from 'commander';

import { escapeText } from '../../base/escape-text.js';
import type { History, HistoryEntry } from '../../containers/history.js';
import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';

/** `berth history NAME`. */
export function historyCommand(context: CliContext): Command {
  return defineCommand(
    {
      name: 'history',
      summary: 'show the deployments of a container',
      args: [{ syntax: '<name>', description: 'name of an installed container' }],
      examples: ['berth history etcd'],
      notes: 'Below each deployment stand the values that were others in the one before it.',
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { getHistory } = await import('../../containers/history.js');
      const { printResult } = await import('../output/print.js');
      const { formatTable } = await import('../output/table.js');
      const { formatValue } = await import('../output/format-difference.js');
      const valuesOf = ({ values }: HistoryEntry): readonly string[] =>
        values.map((value) => `        ${escapeText(formatValue(value))}`);
      await withHost(context, options, async (host) => {
        const history = await getHistory(host, args[0] ?? '');
        const rows = history.deployments.map((entry) => [
          String(entry.number),
          stateOf(entry),
          entry.createdAt,
          entry.digest.slice(0, SHOWN_DIGEST),
          escapeText(entry.reference),
        ]);
        const table = formatTable(['NUMBER', 'STATE', 'CREATED', 'DIGEST', 'IMAGE'], rows);
        const [heading = '', ...shown] = table.trimEnd().split('\n');
        const lines = history.deployments.flatMap((entry, index) => [
          shown[index] ?? '',
          ...valuesOf(entry),
        ]);
        printResult(context, options, {
          of: 'history',
          json: history,
          text: `${[heading, ...lines].join('\n')}\n${formatRejected(history)}`,
        });
      });
    },
    context,
  );
}

/** `sha256:` and as many digits as tell images apart. */
const SHOWN_DIGEST = 'sha256:'.length + 12;

function stateOf(entry: HistoryEntry): string {
  const words = [
    entry.isCurrent ? 'current' : entry.isPrevious ? 'previous' : '',
    entry.isPinned ? 'pinned' : '',
    entry.rejected === undefined ? '' : 'rejected',
  ].filter((word) => word !== '');
  return words.length === 0 ? '-' : words.join(',');
}

function formatRejected({ rejected }: History): string {
  return rejected
    .map(({ digest, reason, at }) => `rejected ${digest} at ${at}: ${escapeText(reason)}\n`)
    .join('');
}
