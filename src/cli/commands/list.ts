import { Command, Option } from 'commander';

import { isWaiting } from '../../containers/activators.js';
import type { ListedContainer } from '../../containers/list-containers.js';
import type { CliContext, CommonOptions } from '../context.js';
import { collect, defineCommand } from '../define-command.js';
import type { ContainerRow } from '../output/json-results.js';
import { shortenImage } from '../output/shorten-image.js';
import { rollbackCommand } from './rollback.js';
import { uninstallCommand } from './uninstall.js';
import { updateCommand } from './update.js';

interface ListOptions {
  readonly all?: boolean;
  readonly quiet?: boolean;
  readonly trunc?: boolean;
  readonly noheading?: boolean;
  readonly filter?: readonly string[];
}

/** `berth list`. */
export function listCommand(context: CliContext): Command {
  return createListCommand(context);
}

/** `berth containers list`, the forerunner's spelling. */
export function containersCommand(context: CliContext): Command {
  return new Command('containers')
    .summary('list, delete, update, roll back containers (the spelling of atomic)')
    .description('list, delete, update, roll back containers (the spelling of atomic)')
    .addHelpText('after', '\nExamples:\n  berth containers list\n  berth containers update etcd')
    .addCommand(createListCommand(context))
    .addCommand(uninstallCommand(context, 'delete'))
    .addCommand(updateCommand(context))
    .addCommand(rollbackCommand(context));
}

function createListCommand(context: CliContext): Command {
  return defineCommand<ListOptions>(
    {
      name: 'list',
      summary: 'list the installed containers',
      options: [
        new Option(
          '-a, --all',
          'all containers, running or not (the default; taken for old scripts)',
        ),
        new Option('-q, --quiet', 'print names only'),
        new Option('-n, --noheading', 'print no heading'),
        new Option('--no-trunc', 'do not shorten image names'),
        new Option(
          '-f, --filter <key=value>',
          'only those with name= (or container=), image=, state=, runtime= or created= containing VALUE',
        ).argParser(collect),
      ],
      examples: ['berth list', 'berth list --filter state=failed', 'berth list -q'],
    },
    async ({ options }) => {
      const { withHost } = await import('../open-host.js');
      const { listContainers } = await import('../../containers/list-containers.js');
      const { printResult } = await import('../output/print.js');
      const { parseFilters } = await import('../filters.js');
      const filters = parseFilters(options.filter ?? [], {
        name: 'name',
        container: 'name',
        image: 'image',
        state: 'state',
        runtime: 'runtime',
        created: 'createdAt',
      });
      await withHost(context, options, async (host) => {
        const listing = await listContainers(host);
        for (const { name, error } of listing.damaged) {
          host.onEvent({
            kind: 'warning',
            text: `cannot read '${name}', leaving it out: ${error instanceof Error ? error.message : String(error)}`,
          });
        }
        const rows = listing.containers
          .map(describe)
          .filter((row) => filters.every((filter) => filter(row)));
        printResult(context, options, {
          of: 'list',
          json: rows,
          text: await formatRows(rows, options),
        });
      });
    },
    context,
  );
}

function describe(container: ListedContainer): ContainerRow {
  const { deployment, state, activators, instances, offline } = container;
  const enabled = [state, ...activators].map((unit) => unit?.unitFileState ?? '');
  const withoutState =
    deployment.units.length === 0 ? 'files only' : offline === undefined ? 'unknown' : 'offline';
  return {
    name: deployment.name,
    image: deployment.image.reference,
    digest: deployment.image.digest,
    state:
      instances === undefined
        ? (stateOf(state, activators) ?? withoutState)
        : `${instances.length} instances`,
    // Of a service that its socket starts, the socket is what a boot starts.
    enabled:
      offline?.enabled ?? enabled.find((one) => one.startsWith('enabled')) ?? enabled[0] ?? '',
    preset: offline?.preset,
    deployment: deployment.number,
    runtime: deployment.runtime,
    createdAt: deployment.createdAt,
  };
}

function stateOf(
  state: ListedContainer['state'],
  activators: ListedContainer['activators'],
): string | undefined {
  return state !== undefined && isWaiting(state, activators) ? 'waiting' : state?.activeState;
}

async function formatRows(
  rows: readonly ContainerRow[],
  options: ListOptions & CommonOptions,
): Promise<string> {
  if (options.quiet === true) return rows.map((row) => `${row.name}\n`).join('');
  if (rows.length === 0)
    return options.filter === undefined
      ? 'no containers are installed\n'
      : 'no container is what the filters say\n';
  const { formatTable } = await import('../output/table.js');
  return formatTable(
    options.noheading === true ? undefined : ['NAME', 'STATE', 'BOOT', 'DEPLOYMENT', 'IMAGE'],
    rows.map((row) => [
      row.name,
      row.state.replace(/^1 instances$/, '1 instance'),
      row.preset === undefined ? row.enabled : `${row.enabled} (preset: ${row.preset})`,
      String(row.deployment),
      options.trunc === false ? row.image : shortenImage(row.image),
    ]),
  );
}
