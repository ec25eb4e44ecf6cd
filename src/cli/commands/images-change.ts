import { Option, type Command } from 'commander';

import type { DeletePlan } from '../../containers/delete-image.js';
import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';
import { NOTHING_CHANGED } from '../output/nothing-changed.js';
import { storageOption } from '../storage-option.js';
import { infoCommand } from './info.js';

interface StorageOptions {
  readonly storage?: string;
}

const IMAGE = 'name, reference, digest, or the start of one (7 digits or more)';

/** `berth images info`: the same as `berth info`. */
export function imagesInfoCommand(context: CliContext): Command {
  return infoCommand(context);
}

/** `berth images delete IMAGE…`. */
export function imagesDeleteCommand(context: CliContext): Command {
  return defineCommand<StorageOptions & { plan?: boolean }>(
    {
      name: 'delete',
      summary: 'delete images from the store',
      args: [{ syntax: '<image...>', description: IMAGE }],
      options: [
        new Option('-f, --force', 'taken for old scripts; what a deployment was made of stays'),
        new Option('--plan', 'show what would go, and change nothing'),
        storageOption(),
      ],
      examples: [
        'berth images delete --plan 0f3a2b1c4d5e',
        'berth images delete registry.example/etcd:3.4',
      ],
      notes:
        'An image with several names loses the one that is given. What a deployment was made of is refused.',
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { deleteImage, planDelete } = await import('../../containers/delete-image.js');
      const { forEachName } = await import('../for-each-name.js');
      const { printResult, printStep } = await import('../output/print.js');
      const { formatBytes } = await import('../output/units.js');
      await withHost(context, options, async (host) => {
        const planned: DeletePlan[] = [];
        const each = await forEachName({ context, options, host }, args, async (image) => {
          if (options.plan === true) {
            const plan = await planDelete(host, image, planned);
            planned.push(plan);
            const { digest, names, removes, contentBytes } = plan;
            const line = removes
              ? `would delete ${digest} ${names.join(', ') || '(no name)'}, ${formatBytes(contentBytes)} at most`
              : `would remove the name ${names.join(', ')} of ${digest}`;
            printStep(context, options, `${line}\n`);
            return plan;
          }
          const deleted = await deleteImage(host, image);
          const { digest, names, removed } = deleted;
          const line =
            removed === undefined
              ? `removed the name ${names.join(', ')} of ${digest}`
              : `deleted ${digest}, ${formatBytes(removed.freedBytes)} freed`;
          printStep(context, options, `${line}\n`);
          return deleted;
        });
        printResult(context, options, {
          of: 'images delete',
          json: each.results,
          text: options.plan === true ? `${NOTHING_CHANGED}\n` : '',
        });
        each.end();
      });
    },
    context,
  );
}

interface PruneOptions extends StorageOptions {
  readonly all?: boolean;
  readonly plan?: boolean;
}

/** `berth images prune`. */
export function imagesPruneCommand(context: CliContext): Command {
  return defineCommand<PruneOptions>(
    {
      name: 'prune',
      summary: 'remove the images that have no name, and what no image needs',
      options: [
        new Option('-a, --all', 'remove every image that no deployment was made of'),
        new Option('--plan', 'show which images would go, and change nothing'),
        storageOption(),
      ],
      examples: ['berth images prune', 'berth images prune --all --plan'],
      notes:
        'What any deployment was made of stays: the present one, earlier ones, pinned ones. Waits for commands that bring\n' +
        'something into the store.',
    },
    async ({ options }) => {
      const { withHost } = await import('../open-host.js');
      const { planPrune, pruneImages } = await import('../../containers/prune-images.js');
      const { printResult } = await import('../output/print.js');
      const { formatBytes } = await import('../output/units.js');
      const all = options.all === true;
      await withHost(context, options, async (host) => {
        if (options.plan === true) {
          const images = await planPrune(host, { all });
          const lines = images.map(
            ({ digest, names, contentBytes }) =>
              `${digest} ${names.join(', ') || '(no name)'}, ${formatBytes(contentBytes)} at most`,
          );
          printResult(context, options, {
            of: 'images prune',
            json: images.map(({ digest, names, contentBytes }) => ({
              digest,
              names,
              contentBytes,
            })),
            text:
              lines.length === 0
                ? 'no image would go\n'
                : `${lines.join('\n')}\n${NOTHING_CHANGED}\n`,
          });
          return;
        }
        const pruned = await pruneImages(host, { all });
        printResult(context, options, {
          of: 'images prune',
          json: pruned,
          text: `removed ${pruned.images} images, ${pruned.layers} layers and ${pruned.objects} objects; ${formatBytes(pruned.freedBytes)} freed\n`,
        });
      });
    },
    context,
  );
}

/** `berth images tag IMAGE NAME`. */
export function imagesTagCommand(context: CliContext): Command {
  return defineCommand(
    {
      name: 'tag',
      summary: 'give an image in the store a further name',
      args: [
        { syntax: '<image>', description: IMAGE },
        { syntax: '<name>', description: 'the name, as install and pull take it' },
      ],
      examples: ['berth images tag 0f3a2b1c4d5e registry.example/etcd:known-good'],
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { tagImage } = await import('../../containers/tag-image.js');
      const { printResult } = await import('../output/print.js');
      await withHost(context, options, async (host) => {
        const tagged = await tagImage(host, args[0] ?? '', args[1] ?? '');
        printResult(context, options, {
          of: 'images tag',
          json: tagged,
          text: `${tagged.digest} is ${tagged.name}\n`,
        });
      });
    },
    context,
  );
}

/** `berth images verify [IMAGE…]`. */
export function imagesVerifyCommand(context: CliContext): Command {
  return defineCommand(
    {
      name: 'verify',
      summary: 'read images in the store again, and compare them with their digests',
      args: [{ syntax: '[image...]', description: `${IMAGE}; all unless given` }],
      examples: ['berth images verify', 'berth images verify registry.example/etcd:3.5'],
      notes:
        "Changes nothing. Exits with 1 if something is damaged; 'berth fsck --repair' repairs it.",
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { verifyImages } = await import('../../containers/verify/verify-images.js');
      const { printResult } = await import('../output/print.js');
      const { escapeText } = await import('../../base/escape-text.js');
      const { CommandExit } = await import('../command-exit.js');
      await withHost(context, options, async (host) => {
        const report = await verifyImages(host, args);
        const lines = report.problems.map(
          ({ kind, id, problem }) => `! ${kind} ${id}: ${escapeText(problem, 1000)}\n`,
        );
        const count = report.problems.length;
        printResult(context, options, {
          of: 'images verify',
          json: report,
          text: `${lines.join('')}${report.checkedObjects} objects checked: ${count === 0 ? 'all sound' : `${count} problems`}\n`,
        });
        if (count > 0) throw new CommandExit(1);
      });
    },
    context,
  );
}
