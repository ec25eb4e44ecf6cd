import { Option, type Command } from 'commander';

import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';
import { registryOptions, type RegistryOptionValues } from '../registry-options.js';

interface AutoUpdateOptions extends Omit<RegistryOptionValues, 'creds'> {
  readonly plan?: boolean;
  readonly dryRun?: boolean;
}

/** `berth auto-update`. */
export function autoUpdateCommand(context: CliContext): Command {
  return defineCommand<AutoUpdateOptions>(
    {
      name: 'auto-update',
      summary: 'update containers as their policies say',
      options: [
        new Option('--plan', 'show what would be done, and change nothing'),
        new Option('--dry-run', 'the same as --plan'),
        // An account is of one registry, and the containers have images of several.
        ...registryOptions().filter(({ long }) => long !== '--creds'),
      ],
      examples: ['berth auto-update --plan'],
      notes:
        'This is what berth-update.timer runs; see berth policy. What may do more on the host than what is\ninstalled is held until somebody runs berth update and allows it.',
    },
    async ({ options }) => {
      const { withHost } = await import('../open-host.js');
      const { autoUpdate } = await import('../../containers/auto-update.js');
      const { listContainerNames } = await import('../../containers/container-directory.js');
      const { isTargetGone } = await import('../../containers/container-sets.js');
      const { listRepositoryTags } = await import('../../transport/list-repository-tags.js');
      const { AsyncScope } = await import('../../base/scope.js');
      const { forEachName } = await import('../for-each-name.js');
      const { printResult } = await import('../output/print.js');
      const { formatAutoUpdate } = await import('../output/format-update.js');
      const { openTransports } = await import('../transports.js');
      const { assertPrivileged } = await import('../../containers/preflight.js');
      const dryRun = options.plan === true || options.dryRun === true;
      await using scope = new AsyncScope();
      await withHost(context, options, async (host) => {
        const transports = openTransports(context, scope, { ...options, conf: host.conf });
        assertPrivileged(host);
        const names = await listContainerNames(host.paths);
        const isGone = (name: string): Promise<boolean> => isTargetGone(host.paths, name);
        const each = await forEachName({ context, options, host, isGone }, names, (name) =>
          autoUpdate(host, name, {
            dryRun,
            listTags: async (reference) => {
              const from = await transports.contextFor(reference);
              return (await listRepositoryTags(reference, from, context.signal)).tags;
            },
            request: {
              setValues: new Map(),
              fileValues: new Map(),
              inlineValues: new Set(),
              unsetValues: [],
              env: context.host.env,
              platform: undefined,
              planOnly: false,
              watch: true,
              retry: false,
              allowDowngrade: false,
              allowHostPaths: [],
              keepExisting: false,
              keepDeployments: host.conf.deployments.keep,
              onProgress: () => undefined,
            },
          }),
        );
        printResult(context, options, {
          of: 'auto-update',
          json: each.results,
          text:
            dryRun && each.results.every(({ action }) => action === 'off')
              ? "no container is updated by itself; 'berth policy NAME' says how it may be\n"
              : each.results
                  .filter(({ action }) => action !== 'off')
                  .map((outcome) => formatAutoUpdate(outcome, options))
                  .join(''),
        });
        each.end();
      });
    },
    context,
  );
}
