import { Option, type Command } from 'commander';

import type { ChangesState } from '../../containers/config-changes.js';
import { describeSigners } from '../../containers/describe-signers.js';
import type { ImageInfo, ImageVariable } from '../../containers/image-info.js';
import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';
import { formatHealth } from '../output/format-health.js';
import { hideArguments, registryOptions, type RegistryOptionValues } from '../registry-options.js';

/** `berth info NAME|IMAGE`. */
export function infoCommand(context: CliContext): Command {
  return defineCommand<RegistryOptionValues & { readonly remote?: boolean }>(
    {
      name: 'info',
      summary: 'show the labels and variables of an image',
      args: [
        {
          syntax: '<name-or-image>',
          description: 'an installed container, or an image in the store',
        },
      ],
      options: [
        new Option('--remote', 'what the name means where it comes from now, without its layers'),
        ...registryOptions(),
      ],
      examples: [
        'berth info etcd',
        'berth info registry.example/etcd:3.5',
        'berth info --remote etcd',
      ],
      notes:
        'With --remote variables and dependencies are not told: they stand in the layers, which are not fetched.',
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      hideArguments(options);
      const { getImageInfo, getRemoteImageInfo } = await import('../../containers/image-info.js');
      const { printResult } = await import('../output/print.js');
      await withHost(context, options, async (host) => {
        const get = options.remote === true ? getRemoteImageInfo : getImageInfo;
        const info = await get(host, args[0] ?? '');
        const { escapeText } = await import('../../base/escape-text.js');
        printResult(context, options, {
          of: 'info',
          json: info,
          text: formatInfo(info, (text) => escapeText(text)),
        });
      });
    },
    context,
  );
}

function formatInfo(info: ImageInfo, escape: (text: string) => string): string {
  const { platform, labels } = info.config ?? { platform: undefined, labels: {} };
  const lines = [
    `Image:     ${info.names.join(', ') || '(no name)'}`,
    `Digest:    ${info.digest}`,
    ...(platform === undefined
      ? []
      : [
          `Platform:  ${escape([platform.os, platform.architecture, platform.variant ?? []].flat().join('/'))}`,
        ]),
    ...(info.exports === undefined
      ? []
      : [
          `Exports:   ${info.exports ? 'yes: unit and configuration come from the image' : 'no: unit and configuration come from berth'}`,
        ]),
    ...(info.ports.length === 0 ? [] : [`Ports:     ${info.ports.map(escape).join(', ')}`]),
    ...(info.health?.command === undefined
      ? []
      : [`Well:      ${escape(formatHealth(info.health))}`]),
  ];
  if (info.container !== undefined)
    lines.push(
      `Container: ${info.container.name}, deployment ${info.container.number}`,
      ...(info.configChanges === undefined
        ? []
        : [`Changes:   ${describeChanges(info.configChanges, info.container.name)}`]),
      ...describeSigners(info.container.image.trust).map((signer) => `Signed:    ${signer}`),
    );
  const labelLines = Object.entries(labels).map(
    ([key, value]) => `  ${escape(key)}: ${escape(value)}`,
  );
  if (labelLines.length > 0) lines.push('Labels:', ...labelLines);
  const missing = info.variables.filter((variable) => variable.default === undefined);
  const given = info.variables.filter((variable) => variable.default !== undefined);
  if (missing.length > 0) {
    lines.push('Variables without a default (give them with --set):');
    lines.push(...missing.map((variable) => `  ${variable.name}${describe(variable, escape)}`));
  }
  if (given.length > 0) {
    lines.push('Variables with a default:');
    lines.push(
      ...given.map(
        (variable) =>
          `  ${variable.name}=${escape(variable.default ?? '')}${describe(variable, escape)}`,
      ),
    );
  }
  return `${lines.join('\n')}\n`;
}

function describeChanges({ path, upToDate, problem }: ChangesState, name: string): string {
  const file = `of its config.json, by ${path}`;
  if (problem !== undefined) return `${file}, which is not taken: see 'berth verify ${name}'`;
  return upToDate
    ? file
    : `${file}, not as it is now: 'berth update --no-pull ${name}' takes that over`;
}

function describe(variable: ImageVariable, escape: (text: string) => string): string {
  const { description, type, secret } = variable;
  const notes = [
    ...(secret ? ['secret'] : []),
    ...(type === 'string' ? [] : [type]),
    ...(variable.enum.length === 0 ? [] : [`one of ${variable.enum.map(escape).join(', ')}`]),
    ...(description === undefined ? [] : [escape(description)]),
  ];
  return notes.length === 0 ? '' : `  (${notes.join('; ')})`;
}
