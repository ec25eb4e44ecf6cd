import type { Command } from 'commander';

import { describeSigners } from '../../containers/describe-signers.js';
import type { ImageInfo, ImageVariable } from '../../containers/image-info.js';
import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';

/** `berth info NAME|IMAGE`. */
export function infoCommand(context: CliContext): Command {
  return defineCommand(
    {
      name: 'info',
      summary: 'show the labels and variables of an image',
      args: [
        {
          syntax: '<name-or-image>',
          description: 'an installed container, or an image in the store',
        },
      ],
      examples: ['berth info etcd', 'berth info registry.example/etcd:3.5'],
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { getImageInfo } = await import('../../containers/image-info.js');
      const { printResult } = await import('../output/print.js');
      await withHost(context, options, async (host) => {
        const info = await getImageInfo(host, args[0] ?? '');
        const { escapeText } = await import('../../base/escape-text.js');
        printResult(context, options, {
          of: 'info',
          json: info,
          text: formatInfo(info, escapeText),
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
    `Exports:   ${info.exports ? 'yes: unit and configuration come from the image' : 'no: unit and configuration come from berth'}`,
  ];
  if (info.container !== undefined)
    lines.push(
      `Container: ${info.container.name}, deployment ${info.container.number}`,
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
