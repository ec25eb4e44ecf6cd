import { Command, Option } from 'commander';

import type { CliContext, CommonOptions } from '../context.js';
import { collect, defineCommand } from '../define-command.js';
import type { ImageRow } from '../output/json-results.js';
import { storageOption } from '../storage-option.js';
import {
  imagesDeleteCommand,
  imagesInfoCommand,
  imagesPruneCommand,
  imagesTagCommand,
  imagesVerifyCommand,
} from './images-change.js';
import { imagesVersionCommand } from './images-version.js';

interface ImagesListOptions {
  readonly quiet?: boolean;
  readonly trunc?: boolean;
  readonly noheading?: boolean;
  readonly filter?: readonly string[];
  readonly storage?: string;
}

/** `berth images list`. */
export function imagesCommand(context: CliContext): Command {
  return new Command('images')
    .summary('look at and change the images in the store')
    .description('look at and change the images in the store')
    .addHelpText('after', '\nExamples:\n  berth images list\n  berth images prune')
    .addCommand(createListCommand(context))
    .addCommand(imagesInfoCommand(context))
    .addCommand(imagesDeleteCommand(context))
    .addCommand(imagesPruneCommand(context))
    .addCommand(imagesTagCommand(context))
    .addCommand(imagesVerifyCommand(context))
    .addCommand(imagesVersionCommand(context));
}

function createListCommand(context: CliContext): Command {
  return defineCommand<ImagesListOptions>(
    {
      name: 'list',
      summary: "list the images in the store; '>' marks those in use",
      options: [
        new Option('-a, --all', 'all images (the default; taken for old scripts)'),
        new Option('-q, --quiet', 'print digests only'),
        new Option('-n, --noheading', 'print no heading'),
        new Option('--no-trunc', 'print digests whole, and all names of each image'),
        storageOption(),
        new Option(
          '-f, --filter <key=value>',
          'only those with name= (or image=, repo=), digest= (or id=) or storage= (or type=) containing VALUE',
        ).argParser(collect),
      ],
      examples: ['berth images list', 'berth images list --filter name=etcd'],
    },
    async ({ options }) => {
      const { withHost } = await import('../open-host.js');
      const { listImages } = await import('../../containers/list-images.js');
      const { printResult } = await import('../output/print.js');
      const { parseFilters } = await import('../filters.js');
      const filters = parseFilters(options.filter ?? [], FILTER_KEYS);
      await withHost(context, options, async (host) => {
        const rows = (await listImages(host))
          .map(({ image, usedBy }) => ({
            name: image.names.join(', '),
            storage: image.storage,
            digest: image.digest,
            usedBy,
            storedAt: new Date(image.storedAtMs).toISOString(),
            contentBytes: image.contentBytes,
            platform: image.config.platform,
          }))
          .filter((row) => filters.every((filter) => filter(row)));
        printResult(context, options, {
          of: 'images list',
          json: rows,
          text: await formatRows(rows, options, host.nowMs()),
        });
      });
    },
    context,
  );
}

const FILTER_KEYS = {
  name: 'name',
  image: 'name',
  repo: 'name',
  digest: 'digest',
  id: 'digest',
  storage: 'storage',
  type: 'storage',
} as const;

async function formatRows(
  rows: readonly ImageRow[],
  options: ImagesListOptions & CommonOptions,
  nowMs: number,
): Promise<string> {
  if (options.quiet === true) return rows.map((row) => `${row.digest}\n`).join('');
  if (rows.length === 0)
    return options.filter === undefined
      ? 'the store has no images\n'
      : 'no image is what the filters say\n';
  const { formatTable } = await import('../output/table.js');
  const { shortenNames } = await import('../output/shorten-image.js');
  const { formatAge, formatBytes } = await import('../output/units.js');
  const { soughtIn } = await import('../filters.js');
  const sought = soughtIn(options.filter ?? [], FILTER_KEYS, 'name');
  const isWhole = options.trunc === false;
  const heading = [' ', 'IMAGE', 'DIGEST', 'STORE', 'STORED', 'SIZE', 'USED BY'];
  return formatTable(
    options.noheading === true ? undefined : heading,
    rows.map((row) => [
      row.usedBy.length > 0 ? '>' : '',
      row.name === '' ? '(no name)' : isWhole ? row.name : shortenNames(row.name, sought),
      isWhole ? row.digest : row.digest.slice('sha256:'.length, 'sha256:'.length + 12),
      row.storage,
      formatAge(nowMs - Date.parse(row.storedAt)),
      formatBytes(row.contentBytes),
      row.usedBy.join(', '),
    ]),
  );
}
