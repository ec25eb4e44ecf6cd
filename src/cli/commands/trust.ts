import { Command, Option } from 'commander';

import type { TrustPlaces, TrustRule } from '../../containers/change-trust.js';
import type { Host } from '../../containers/host.js';
import type { CliContext } from '../context.js';
import { collect, defineCommand, type CommandCall } from '../define-command.js';

const TYPES = ['signedBy', 'sigstoreSigned', 'insecureAcceptAnything', 'reject', 'accept'] as const;
const STORES = ['web', 'local', 'atomic'] as const;

/** `berth trust show|add|delete|default`. */
export function trustCommand(context: CliContext): Command {
  const summary = 'show and change which images are taken, and who has to have signed them';
  return new Command('trust')
    .summary(summary)
    .description(summary)
    .addHelpText(
      'after',
      '\nExamples:\n  berth trust show\n  berth trust add --pubkeysfile /etc/pki/containers/release.gpg registry.example/etcd\n  berth trust default reject',
    )
    .addCommand(showTrust(context))
    .addCommand(addTrustCommand(context))
    .addCommand(deleteTrustCommand(context))
    .addCommand(defaultTrustCommand(context));
}

function showTrust(context: CliContext): Command {
  return defineCommand<{ readonly raw?: boolean }>(
    {
      name: 'show',
      summary: 'show the policy: scopes, types, keys and where signatures are',
      options: [new Option('--raw', 'print the file of the policy as it is')],
      examples: ['berth trust show', 'berth trust show --json'],
    },
    async ({ options }) => {
      const { withHost } = await import('../open-host.js');
      const { readPolicy, loadPolicy } = await import('../../trust/load-policy.js');
      const { loadRegistriesD } = await import('../../trust/registries-d.js');
      const { describePolicy } = await import('../../trust/describe-policy.js');
      const { pathInTree } = await import('../open-trust.js');
      const { formatTrust } = await import('../output/format-trust.js');
      const { printResult } = await import('../output/print.js');
      await withHost(context, options, async (host) => {
        const { policy: place, registriesD } = await placesOf(host);
        const text = await readPolicy(place);
        if (options.raw === true) {
          context.host.stdout.write(text ?? '');
          return;
        }
        const entries = await describePolicy({
          policy: await loadPolicy(place),
          registriesD: await loadRegistriesD(registriesD),
          onDisk: (path) => pathInTree(host.paths, path),
          signal: host.signal,
        });
        const file = text === undefined ? undefined : place.path;
        const unnamed = host.conf.trust['unnamed-signatures'];
        printResult(context, options, {
          of: 'trust show',
          json: { policy: file, entries, unnamed },
          text: formatTrust(entries, { file, path: place.path, unnamed }),
        });
      });
    },
    context,
  );
}

interface AddOptions {
  readonly pubkeys?: readonly string[];
  readonly pubkeysfile?: readonly string[];
  readonly type: (typeof TYPES)[number];
  readonly sigstore?: string;
  readonly sigstoretype: (typeof STORES)[number];
}

const SCOPE = {
  syntax: '<scope>',
  description: 'REGISTRY[/NAMESPACE…][:TAG], *.DOMAIN, or with --sigstoretype local a folder',
};

const storeOption = (): Option =>
  new Option(
    '--sigstoretype <type>',
    'whether the scope is one of registries (web) or a folder of images (local)',
  )
    .choices(STORES)
    .default('web');

function addTrustCommand(context: CliContext): Command {
  return defineCommand<AddOptions>(
    {
      name: 'add',
      summary: 'set what has to hold for the images of a scope',
      args: [SCOPE],
      options: [
        new Option(
          '-k, --pubkeys <key>',
          'a key to copy into the policy: a file, or what gpg knows it by',
        ).argParser(collect),
        new Option(
          '-f, --pubkeysfile <file>',
          'a file with a key for the policy to name',
        ).argParser(collect),
        new Option('--keytype <type>', 'the kind of the keys of signedBy').choices(['GPGKeys']),
        new Option('-t, --type <type>', 'what has to hold').choices(TYPES).default('signedBy'),
        new Option('-s, --sigstore <url>', 'where the signatures are: https://… or file:///…'),
        storeOption(),
      ],
      examples: [
        'berth trust add --pubkeysfile /etc/pki/containers/release.gpg --sigstore https://sigs.example registry.example/etcd',
        'berth trust add --type insecureAcceptAnything registry.example/free',
        'berth trust add --type sigstoreSigned --pubkeys cosign.pub registry.example/etcd',
      ],
      notes: 'Each key makes a requirement of its own: all of them have to have signed.',
    },
    async (call) => {
      const { args, options } = call;
      const { addTrust } = await import('../../containers/change-trust.js');
      const { type } = options;
      const rule: TrustRule = {
        transport: await transportOf(options.sigstoretype),
        scope: args[0] ?? '',
        type: type === 'accept' ? 'insecureAcceptAnything' : type,
        pubkeys: options.pubkeys ?? [],
        pubkeyFiles: options.pubkeysfile ?? [],
        sigstore: options.sigstore,
      };
      const done = `${rule.scope} is ${rule.type} now`;
      await changing(call, { of: 'trust add', done }, (host, places) =>
        addTrust(host, places, rule),
      );
    },
    context,
  );
}

function deleteTrustCommand(context: CliContext): Command {
  return defineCommand<{
    readonly saveSigstore?: boolean;
    readonly sigstoretype: (typeof STORES)[number];
  }>(
    {
      name: 'delete',
      summary: 'forget what has to hold for a scope: a wider one counts then',
      args: [SCOPE],
      options: [
        new Option('--save-sigstore', 'keep what is said of where the signatures are'),
        storeOption(),
      ],
      examples: ['berth trust delete registry.example/etcd'],
    },
    async (call) => {
      const { args, options } = call;
      const { deleteTrust } = await import('../../containers/change-trust.js');
      const at = { transport: await transportOf(options.sigstoretype), scope: args[0] ?? '' };
      const done = `${at.scope} is forgotten`;
      await changing(call, { of: 'trust delete', done }, (host, places) =>
        deleteTrust(host, places, { ...at, keepPlaces: options.saveSigstore === true }),
      );
    },
    context,
  );
}

function defaultTrustCommand(context: CliContext): Command {
  return defineCommand(
    {
      name: 'default',
      summary: 'set what holds for all images that no scope speaks of',
      args: [{ syntax: '<verdict>', description: 'accept or reject' }],
      examples: ['berth trust default reject'],
    },
    async (call) => {
      const { args } = call;
      const { setDefaultTrust } = await import('../../containers/change-trust.js');
      const { OperationalError } = await import('../../errors/operational-error.js');
      const [verdict = ''] = args;
      if (verdict !== 'accept' && verdict !== 'reject')
        throw new OperationalError('USAGE', 'the default is accept or reject');
      const type = verdict === 'accept' ? 'insecureAcceptAnything' : 'reject';
      const done = `the default is ${type} now`;
      await changing(call, { of: 'trust default', done }, (host, places) =>
        setDefaultTrust(host, places, type),
      );
    },
    context,
  );
}

type TrustChange = 'trust add' | 'trust delete' | 'trust default';

async function changing(
  { context, options }: Pick<CommandCall<object>, 'context' | 'options'>,
  { of, done }: { readonly of: TrustChange; readonly done: string },
  change: (host: Host, places: TrustPlaces) => Promise<void>,
): Promise<void> {
  const { withHost } = await import('../open-host.js');
  const { assertPrivileged } = await import('../../containers/preflight.js');
  const { printResult } = await import('../output/print.js');
  await withHost(context, options, async (host) => {
    assertPrivileged(host);
    const places = await placesOf(host, { forChange: true });
    await change(host, places);
    printResult(context, options, {
      of,
      json: { policy: places.policy.path },
      text: `${done}, by ${places.policy.path}\n`,
    });
  });
}

async function placesOf(
  host: Host,
  options: { readonly forChange?: boolean } = {},
): Promise<TrustPlaces> {
  const { trustPlaces } = await import('../open-trust.js');
  return await trustPlaces(host.paths, host.conf, options);
}

async function transportOf(store: (typeof STORES)[number]): Promise<'docker' | 'dir'> {
  if (store !== 'atomic') return store === 'web' ? 'docker' : 'dir';
  const { OperationalError } = await import('../../errors/operational-error.js');
  throw new OperationalError('USAGE', '--sigstoretype atomic: the API of OpenShift is not spoken');
}
