import type { Command } from 'commander';

import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';
import { hideArguments, registryOptions, type RegistryOptionValues } from '../registry-options.js';

/** `berth tags REPOSITORY`. */
export function tagsCommand(context: CliContext): Command {
  return defineCommand<RegistryOptionValues>(
    {
      name: 'tags',
      summary: 'list the tags of a repository',
      args: [{ syntax: '<repository>', description: 'a repository of a registry' }],
      options: registryOptions(),
      examples: ['berth tags registry.example/etcd'],
    },
    async ({ args, options }) => {
      hideArguments(options);
      const { AsyncScope } = await import('../../base/scope.js');
      const { listRepositoryTags } = await import('../../transport/list-repository-tags.js');
      const { printResult } = await import('../output/print.js');
      const { loadConf } = await import('../load-conf.js');
      const { openTransports } = await import('../transports.js');
      const text = args[0] ?? '';
      await using scope = new AsyncScope();
      const conf = await loadConf(context, options);
      const transports = await openTransports(context, scope, { ...options, conf }).contextFor(
        text,
      );
      const { repository, tags } = await listRepositoryTags(text, transports, context.signal);
      printResult(context, options, {
        of: 'tags',
        json: { repository, tags },
        text: tags.map((tag) => `${tag}\n`).join(''),
      });
    },
    context,
  );
}
