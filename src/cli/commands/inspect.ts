import { Option, type Command } from 'commander';

import type { ImageInspection } from '../../images/inspect-image.js';
import type { Descriptor } from '../../oci/descriptor.js';
import type { CliContext } from '../context.js';
import { defineCommand, type CommandCall } from '../define-command.js';
import type { InspectedImage, Referrer } from '../output/json-results.js';
import { hideArguments, registryOptions, type RegistryOptionValues } from '../registry-options.js';

interface InspectOptions extends RegistryOptionValues {
  readonly remote?: boolean;
  readonly raw?: boolean;
  readonly config?: boolean;
  readonly referrers?: boolean;
  readonly platform?: string;
}

/** `berth inspect IMAGE`. */
export function inspectCommand(context: CliContext): Command {
  return defineCommand<InspectOptions>(
    {
      name: 'inspect',
      summary: 'show manifest and configuration of an image without pulling its layers',
      args: [{ syntax: '<image>', description: 'reference of the image' }],
      options: [
        new Option('--remote', 'ask where it comes from, as always (the spelling of atomic)'),
        new Option('--raw', 'print the manifest or index as it stands, byte for byte'),
        new Option('--config', 'print the configuration as it stands, byte for byte'),
        new Option(
          '--referrers',
          'list what refers to it in its registry: signatures, attestations',
        ),
        new Option('--platform <os/arch[/variant]>', 'look at the image for another platform'),
        ...registryOptions(),
      ],
      examples: [
        'berth inspect registry.example/etcd:3.5',
        'berth inspect --raw docker-archive:etcd.tar',
      ],
    },
    inspect,
    context,
  );
}

async function inspect({ args, options, context }: CommandCall<InspectOptions>): Promise<void> {
  hideArguments(options);
  const { AsyncScope } = await import('../../base/scope.js');
  const { quote } = await import('../../base/escape-text.js');
  const { withContext } = await import('../../errors/with-context.js');
  const { inspectImage } = await import('../../images/inspect-image.js');
  const { readHostPlatform } = await import('../../images/host-platform.js');
  const { parsePlatform } = await import('../../oci/parse-platform.js');
  const { openImageSource } = await import('../../transport/open-image-source.js');
  const { printResult } = await import('../output/print.js');
  const { loadConf } = await import('../load-conf.js');
  const { openTransports } = await import('../transports.js');
  const text = args[0] ?? '';
  const { signal } = context;
  const platform =
    options.platform === undefined ? readHostPlatform() : parsePlatform(options.platform);
  await withContext(`cannot inspect ${quote(text)}`, async () => {
    await using scope = new AsyncScope();
    const conf = await loadConf(context, options);
    const transports = await openTransports(context, scope, { ...options, conf }).contextFor(text);
    await using source = await openImageSource(text, transports, { signal });
    if (options.raw === true && options.config !== true) {
      const { bytes } = await source.readManifest(undefined, { signal });
      context.host.stdout.write(bytes);
      return;
    }
    const inspection = await inspectImage(source, { platform, signal });
    if (options.config === true) {
      context.host.stdout.write(inspection.configBytes);
      return;
    }
    const referrers =
      options.referrers === true
        ? await source.listReferrers?.(inspection.topDigest, { signal })
        : undefined;
    const { formatBytes } = await import('../output/units.js');
    const { escapeText } = await import('../../base/escape-text.js');
    printResult(context, options, {
      of: 'inspect',
      json: jsonOf(inspection, referrers),
      text: format(inspection, { referrers, formatBytes, escape: (text) => escapeText(text) }),
    });
  });
}

function jsonOf(
  inspection: ImageInspection,
  referrers: readonly Descriptor[] | undefined,
): InspectedImage {
  const { name, digest, topDigest, platforms, manifest, config } = inspection;
  return {
    name,
    digest,
    topDigest,
    platforms,
    mediaType: manifest.mediaType,
    layers: manifest.layers.map(({ mediaType, digest: layer, size }, index) => ({
      mediaType,
      digest: layer,
      size,
      diffId: config.diffIds[index],
    })),
    annotations: manifest.annotations,
    config,
    ...(referrers === undefined ? {} : { referrers: referrers.map(withoutData) }),
  };
}

function withoutData({ mediaType, digest, size, artifactType, annotations }: Descriptor): Referrer {
  return { mediaType, digest, size, artifactType, annotations };
}

function format(
  inspection: ImageInspection,
  using: {
    readonly referrers: readonly Descriptor[] | undefined;
    readonly formatBytes: (bytes: number) => string;
    readonly escape: (text: string) => string;
  },
): string {
  const { name, digest, topDigest, platforms, manifest, config } = inspection;
  const { escape, formatBytes, referrers } = using;
  const { platform, process, labels, created } = config;
  const words = (list: readonly string[]): string => list.map(escape).join(' ');
  const row = (label: string, value: string): string[] =>
    value === '' ? [] : [`${`${label}:`.padEnd(12)}${value}`];
  const lines = [
    ...row('Image', escape(name)),
    ...row('Digest', digest),
    ...(topDigest === digest ? [] : row('Index', topDigest)),
    ...row('Platforms', platforms.map(escape).join(', ')),
    ...row(
      'Platform',
      escape([platform.os, platform.architecture, platform.variant ?? []].flat().join('/')),
    ),
    ...row('Created', escape(created ?? '')),
    ...row('User', escape(process.user)),
    ...row('Entrypoint', words(process.entrypoint)),
    ...row('Command', words(process.cmd)),
    ...row('Directory', escape(process.workingDir)),
    ...row('Volumes', words(process.volumes)),
    ...row('Ports', words(process.exposedPorts)),
    ...process.env.flatMap((entry, index) => row(index === 0 ? 'Environment' : ' ', escape(entry))),
    ...Object.entries(labels).flatMap(([key, value]) => row('Label', escape(`${key}=${value}`))),
    ...manifest.layers.flatMap((layer) =>
      row('Layer', `${layer.digest} ${formatBytes(layer.size)} ${escape(layer.mediaType)}`),
    ),
    ...(referrers ?? []).flatMap((referrer) =>
      row('Referrer', `${referrer.digest} ${escape(referrer.artifactType ?? referrer.mediaType)}`),
    ),
  ];
  return `${lines.join('\n')}\n`;
}
