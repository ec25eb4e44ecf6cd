import { Option, type Command } from 'commander';

import type { UpdateRequest } from '../../containers/prepare-update.js';
import type { CliContext } from '../context.js';
import { collect, defineCommand, type CommandCall } from '../define-command.js';
import { seccompOption } from '../seccomp-option.js';
import {
  hideArguments,
  noPullOption,
  registryOptions,
  type RegistryOptionValues,
} from '../registry-options.js';

interface UpdateOptions extends RegistryOptionValues {
  readonly set?: readonly string[];
  readonly unset?: readonly string[];
  readonly values?: string;
  readonly rebase?: string;
  readonly all?: boolean;
  readonly plan?: boolean;
  readonly wait?: boolean;
  readonly retry?: boolean;
  readonly force?: boolean;
  readonly pull?: boolean;
  readonly platform?: string;
  readonly allowHostPath?: readonly string[];
  readonly allowDowngrade?: boolean;
  readonly allowNewPermissions?: boolean;
  readonly keepExisting?: boolean;
  readonly seccomp?: string;
  readonly withDependencies?: boolean;
}

/** `berth update NAME…`. */
export function updateCommand(context: CliContext): Command {
  return defineCommand<UpdateOptions>(
    {
      name: 'update',
      summary: 'update containers to what their images are now, or to other values',
      args: [{ syntax: '[name...]', description: 'names of installed containers, or @SET' }],
      options: [
        new Option(
          '--set <key=value>',
          'give a variable of the image another value (may be repeated)',
        ).argParser(collect),
        new Option(
          '--unset <key>',
          'give a variable its default again (may be repeated)',
        ).argParser(collect),
        new Option(
          '--values <file>',
          'read values from a file of KEY=VALUE lines or a JSON object',
        ),
        new Option('--rebase <image>', 'follow another image from now on'),
        new Option(
          '--with-dependencies',
          'install what the new version requires and nobody on the host is, too',
        ),
        new Option('-a, --all', 'update all sets and containers; goes on where one fails'),
        new Option('--plan', 'show what would change and change nothing'),
        new Option('--no-wait', 'do not wait to see whether the new version stays well'),
        new Option('--retry', 'try an image again that was not well, or was rolled back'),
        new Option('-f, --force', 'the same as --retry'),
        new Option(
          '--allow-downgrade',
          'take a signed image that is older than one that was installed',
        ),
        noPullOption(),
        new Option(
          '--allow-new-permissions',
          'let new versions do more than the installed ones, without asking (also -y)',
        ),
        new Option('--platform <os/arch[/variant]>', 'take the image for another platform'),
        new Option(
          '--allow-host-path <path>',
          'allow the image a guarded path on the host (may be repeated)',
        ).argParser(collect),
        new Option(
          '--keep-existing',
          'keep files of the host that differ from those the image brings',
        ),
        seccompOption(),
        ...registryOptions(),
      ],
      examples: [
        'berth update etcd',
        'berth update --plan etcd',
        'berth update --set PORT=8081 --unset DEBUG web',
        'berth update --no-pull --set PORT=8081 web',
        'berth update --rebase registry.example/etcd:3.6 etcd',
        'berth update @shop',
        'berth update --all',
      ],
      notes:
        'A container that runs is stopped and started; if the new version does not start, or does not\nstay well, the version before runs again by itself. One that does not run is not started.\n\nA new image that may do more on the host than the installed one is shown, and you are asked.',
    },
    (call) => runUpdate(call),
    context,
  );
}

async function runUpdate({ args, options, context }: CommandCall<UpdateOptions>): Promise<void> {
  hideArguments(options);
  const { withHost } = await import('../open-host.js');
  const { update } = await import('../../containers/update.js');
  const { RegistriesAhead } = await import('../../containers/ask-ahead.js');
  const { updateSet } = await import('../../containers/update-set.js');
  const { isTargetGone, listUpdateTargets, setNameOf } =
    await import('../../containers/container-sets.js');
  const { OperationalError } = await import('../../errors/operational-error.js');
  const { withConsent } = await import('../ask-consent.js');
  const { forEachName } = await import('../for-each-name.js');
  const { printResult, printStep } = await import('../output/print.js');
  const { formatUpdate, formatSetUpdate } = await import('../output/format-update.js');
  const { pullDisplay } = await import('../pull-display.js');
  const { readValueOptions } = await import('../value-options.js');
  const { readSeccompOption } = await import('../seccomp-option.js');
  if (args.length > 0 === (options.all === true))
    throw new OperationalError('USAGE', "give names of containers, or '--all'");
  const values = await readValueOptions(options);
  const filter = await readSeccompOption(options);
  await withHost(context, options, async (host) => {
    const all = options.all === true ? await listUpdateTargets(host.paths) : undefined;
    for (const set of all?.unreadable ?? []) {
      const text = `any container may belong to the set '${set}', whose record cannot be read: only other sets are updated until 'berth sets delete ${set}'`;
      host.onEvent({ kind: 'warning', text });
    }
    const names = all?.targets ?? args;
    const isGone =
      all === undefined ? undefined : (target: string) => isTargetGone(host.paths, target);
    // What another image is asked for, or only the store, is not known before.
    const isPlain = options.rebase === undefined && options.pull !== false;
    await using ahead = new RegistriesAhead(host, isPlain ? names : []);
    const each = await forEachName({ context, options, host, isGone }, names, async (name) => {
      ahead.goOn(name);
      const request: Omit<UpdateRequest, 'onProgress'> = {
        rebase: options.rebase,
        ...values,
        unsetValues: options.unset ?? [],
        env: context.host.env,
        noPull: options.pull === false,
        platform: options.platform,
        planOnly: options.plan === true,
        watch: options.wait !== false,
        retry: options.retry === true || options.force === true,
        allowDowngrade: options.allowDowngrade === true,
        allowHostPaths: options.allowHostPath ?? [],
        keepExisting: options.keepExisting === true,
        filter,
        withDependencies: options.withDependencies === true,
        keepDeployments: host.conf.deployments.keep,
      };
      const set = setNameOf(name);
      const outcome = await withConsent({ context, options }, async (consent) => {
        using display = pullDisplay(context, options);
        const now = { ...request, consent, onProgress: display.onProgress };
        return set === undefined ? await update(host, name, now) : await updateSet(host, set, now);
      });
      const change = { how: 'updated', place: options } as const;
      const text =
        'set' in outcome ? formatSetUpdate(outcome, change) : formatUpdate(outcome, change);
      printStep(context, options, text);
      return outcome;
    });
    printResult(context, options, { of: 'update', json: each.results, text: '' });
    each.end();
  });
}
