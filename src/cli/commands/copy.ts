import { InvalidArgumentError, Option, type Command } from 'commander';

import type { CopyProgress } from '../../images/copy-image.js';
import type { ManifestFormat } from '../../oci/convert-manifest.js';
import type { ManifestDocument } from '../../transport/image-source.js';
import type { Credentials } from '../../registry/credentials.js';
import type { CliContext, CommonOptions } from '../context.js';
import { defineCommand, type CommandCall } from '../define-command.js';
import {
  credsOption,
  hideArguments,
  maxRateOption,
  parallelOption,
  tlsVerifyOption,
} from '../registry-options.js';

interface CopyCommandOptions {
  readonly all?: boolean;
  readonly preserveDigests?: boolean;
  readonly insecurePolicy?: boolean;
  readonly format?: ManifestFormat;
  readonly platform?: string;
  readonly parallel?: number;
  readonly maxRate?: number;
  readonly srcCreds?: Credentials;
  readonly destCreds?: Credentials;
  readonly authfile?: string;
  readonly srcCertDir?: string;
  readonly destCertDir?: string;
  readonly srcTlsVerify?: boolean;
  readonly destTlsVerify?: boolean;
}

const OPTIONS = (): Option[] => [
  new Option('-a, --all', 'copy all that an index lists: every platform, attestations too'),
  new Option('--preserve-digests', 'refuse a destination that changes manifests'),
  new Option(
    '-f, --format <format>',
    'put manifests into this format: oci, or docker (v2s2)',
  ).argParser(parseFormat),
  new Option('--insecure-policy', 'take the image whatever the policy of this host says'),
  new Option('--platform <os/arch[/variant]>', 'copy the image for another platform'),
  credsOption('--src-creds <user:password>', 'the account at the registry to read from'),
  credsOption('--dest-creds <user:password>', 'the account at the registry to write to'),
  new Option('--authfile <file>', 'the file of accounts, in place of the usual ones'),
  new Option(
    '--src-cert-dir <dir>',
    'a folder with the certificates for the registry to read from',
  ),
  new Option(
    '--dest-cert-dir <dir>',
    'a folder with the certificates for the registry to write to',
  ),
  tlsVerifyOption('--src-tls-verify <bool>', 'whether the registry to read from proves who it is'),
  tlsVerifyOption('--dest-tls-verify <bool>', 'whether the registry to write to proves who it is'),
  maxRateOption(),
  parallelOption(),
];

function parseFormat(text: string): ManifestFormat {
  if (text === 'oci') return 'oci';
  if (text === 'docker' || text === 'v2s2') return 'docker';
  throw new InvalidArgumentError('It is neither oci nor docker.');
}

/** `berth copy SRC DST`. */
export function copyCommand(context: CliContext): Command {
  return defineCommand<CopyCommandOptions>(
    {
      name: 'copy',
      summary: 'copy an image from one place to another, as it is',
      args: [
        { syntax: '<source>', description: 'the image' },
        { syntax: '<destination>', description: 'where it goes, in the same words' },
      ],
      options: OPTIONS(),
      examples: [
        'berth copy registry.example/etcd:3.5 oci:/media/usb/images:etcd',
        'berth copy registry.example/etcd:3.5 ostree:registry.example/etcd:3.5@/ostree/repo',
        'berth copy --all docker-archive:etcd.tar docker://registry.example/etcd:3.5',
      ],
    },
    async (call) => {
      await copy(call, call.args[1] ?? '');
    },
    context,
  );
}

/** `berth push SRC DST`: to a registry, whatever the destination looks like. */
export function pushCommand(context: CliContext): Command {
  return defineCommand<CopyCommandOptions>(
    {
      name: 'push',
      summary: 'copy an image to a registry',
      args: [
        { syntax: '<source>', description: 'the image: a layout, an archive, another registry' },
        { syntax: '<reference>', description: 'its name in the registry' },
      ],
      options: OPTIONS(),
      examples: ['berth push oci:/media/usb/images:etcd registry.example/etcd:3.5'],
    },
    async (call) => {
      const to = call.args[1] ?? '';
      await copy(call, /^(?:docker:\/\/|https?:)/.test(to) ? to : `docker://${to}`);
    },
    context,
  );
}

async function copy(
  { args, options, context }: CommandCall<CopyCommandOptions>,
  to: string,
): Promise<void> {
  hideArguments({ creds: options.srcCreds }, { creds: options.destCreds });
  const { AsyncScope } = await import('../../base/scope.js');
  const { quote } = await import('../../base/escape-text.js');
  const { withContext } = await import('../../errors/with-context.js');
  const { copyImage } = await import('../../images/copy-image.js');
  const { readHostPlatform } = await import('../../images/host-platform.js');
  const { parsePlatform } = await import('../../oci/parse-platform.js');
  const { openImageSource } = await import('../../transport/open-image-source.js');
  const { openImageDestination } = await import('../../transport/open-image-destination.js');
  const { parseImageName } = await import('../../transport/parse-image-name.js');
  const { printResult } = await import('../output/print.js');
  const { formatBytes } = await import('../output/units.js');
  const { findConfPlaces, loadConf } = await import('../load-conf.js');
  const { openTransports } = await import('../transports.js');
  const { openTrust } = await import('../open-trust.js');
  const { OperationalError } = await import('../../errors/operational-error.js');
  const from = args[0] ?? '';
  const { signal } = context;
  const platform =
    options.platform === undefined ? readHostPlatform() : parsePlatform(options.platform);
  await using scope = new AsyncScope();
  const paths = await findConfPlaces(context, options);
  const conf = await loadConf(context, options, paths);
  const sides = sidesOf(options);
  const reading = await openTransports(context, scope, { ...sides.source, conf, paths }).contextFor(
    from,
  );
  const writing = await openTransports(context, scope, {
    ...sides.destination,
    conf,
    paths,
  }).contextFor(to);
  const result = await withContext(`cannot copy ${quote(from)} to ${quote(to)}`, async () => {
    await using source = await openImageSource(from, reading, { signal });
    using display = await copyDisplay(context, options);
    const shared = {
      source,
      platform: options.all === true ? undefined : platform,
      parallel: options.parallel ?? conf.network.parallel,
      format: options.format,
      signal,
      onProgress: display.onProgress,
    };
    const name = parseImageName(to, writing.workingDirectory);
    const { registryClient } = reading;
    const insecure = options.insecurePolicy === true;
    const trust = insecure ? undefined : await openTrust({ paths, conf, registryClient });
    if (name.kind === 'ostree') {
      // What is in a repository may be installed without anybody asking again.
      if (trust === undefined) {
        throw new OperationalError(
          'USAGE',
          '--insecure-policy: what goes into an OSTree repository is held to the policy',
        );
      }
      const { copyToRepository } = await import('../copy-to-repository.js');
      const { printEvent } = await import('../output/print-event.js');
      const onWarning = (text: string): void => {
        printEvent(context, options, { kind: 'warning', text });
      };
      return await copyToRepository(name, { ...shared, conf, paths, trust, onWarning });
    }
    await using destination = await openImageDestination(to, writing, {
      signal,
      from: source.repository,
    });
    const preserveDigests = options.preserveDigests === true;
    const accept =
      trust === undefined
        ? undefined
        : async (document: ManifestDocument, isTop: boolean): Promise<void> => {
            await trust.check({ ...document, source, isTop }, signal);
          };
    return await copyImage({ ...shared, destination, preserveDigests, accept });
  });
  const { copiedBlobs, blobs, copiedBytes } = result;
  printResult(context, options, {
    of: 'copy',
    json: result,
    text: `${from} copied to ${to}: ${formatBytes(copiedBytes)} in ${copiedBlobs} of ${blobs} blobs\n${result.digest}\n`,
  });
}

function sidesOf(options: CopyCommandOptions) {
  const { authfile, maxRate } = options;
  const { srcCreds, srcCertDir, srcTlsVerify, destCreds, destCertDir, destTlsVerify } = options;
  const common = authfile === undefined ? {} : { authfile };
  return {
    source: {
      ...common,
      ...(maxRate === undefined ? {} : { maxRate }),
      ...(srcCreds === undefined ? {} : { creds: srcCreds }),
      ...(srcCertDir === undefined ? {} : { certDir: srcCertDir }),
      ...(srcTlsVerify === undefined ? {} : { tlsVerify: srcTlsVerify }),
    },
    destination: {
      ...common,
      ...(destCreds === undefined ? {} : { creds: destCreds }),
      ...(destCertDir === undefined ? {} : { certDir: destCertDir }),
      ...(destTlsVerify === undefined ? {} : { tlsVerify: destTlsVerify }),
    },
  };
}

/** Shows how far each blob is, on standard error; silent under `--json`. */
async function copyDisplay(
  context: CliContext,
  options: CommonOptions,
): Promise<Disposable & { readonly onProgress: (event: CopyProgress) => void }> {
  const { ProgressDisplay } = await import('../output/progress.js');
  const { digestHex } = await import('../../oci/digest.js');
  const display = new ProgressDisplay(context.host.stderr);
  return {
    onProgress: ({ blob, phase, bytes }) => {
      if (options.json === true || phase === 'present') return;
      const id = digestHex(blob.digest).slice(0, 12);
      const finished = phase === 'done';
      display.update({
        id,
        label: id,
        doneBytes: finished ? blob.size : bytes,
        totalBytes: blob.size,
        finished,
      });
    },
    [Symbol.dispose]: () => {
      display[Symbol.dispose]();
    },
  };
}
