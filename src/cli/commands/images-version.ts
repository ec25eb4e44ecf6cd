import type { Command } from 'commander';

import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';

/** Characters of a digest that tell images apart to the eye. */
const SHOWN_DIGEST = 12;

/** `berth images version NAME|IMAGE…`. */
export function imagesVersionCommand(context: CliContext): Command {
  return defineCommand(
    {
      name: 'version',
      summary: 'show the versions that images give themselves in their labels',
      args: [
        {
          syntax: '<name-or-image...>',
          description: 'an installed container, or an image in the store',
        },
      ],
      examples: ['berth images version etcd', 'berth images version registry.example/etcd:3.5'],
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { getImageVersion } = await import('../../containers/image-version.js');
      const { printResult } = await import('../output/print.js');
      const { forEachName } = await import('../for-each-name.js');
      const { formatTable } = await import('../output/table.js');
      const { escapeText } = await import('../../base/escape-text.js');
      await withHost(context, options, async (host) => {
        const each = await forEachName({ context, options, host }, args, (name) =>
          getImageVersion(host, name),
        );
        const versions = each.results;
        const rows = versions.map(({ names, version, digest }) => [
          names.join(', ') || '(no name)',
          version === undefined ? '(none)' : escapeText(version),
          digest.slice(digest.indexOf(':') + 1).slice(0, SHOWN_DIGEST),
        ]);
        printResult(context, options, {
          of: 'images version',
          json: versions,
          text: rows.length === 0 ? '' : formatTable(['IMAGE', 'VERSION', 'DIGEST'], rows),
        });
        each.end();
      });
    },
    context,
  );
}
