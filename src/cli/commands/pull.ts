import { Option, type Command } from 'commander';

import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';
import { storageOption } from '../storage-option.js';
import {
  hideArguments,
  parallelOption,
  registryOptions,
  type RegistryOptionValues,
} from '../registry-options.js';

interface PullOptions extends RegistryOptionValues {
  readonly platform?: string;
  readonly parallel?: number;
  readonly storage?: string;
}

/** `berth pull IMAGE`. */
export function pullCommand(context: CliContext): Command {
  return defineCommand<PullOptions>(
    {
      name: 'pull',
      summary: 'fetch an image into the store, and nothing else',
      args: [{ syntax: '<image>', description: 'reference of the image' }],
      options: [
        new Option('--platform <os/arch[/variant]>', 'take the image for another platform'),
        parallelOption(),
        storageOption(),
        ...registryOptions(),
      ],
      examples: ['berth pull registry.example/etcd:3.5', 'berth pull oci:/media/usb/etcd:3.5'],
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { pullImage } = await import('../../containers/fetch-image.js');
      const { assertPrivileged } = await import('../../containers/preflight.js');
      const { withContext } = await import('../../errors/with-context.js');
      const { quote } = await import('../../base/escape-text.js');
      const { printResult } = await import('../output/print.js');
      const { pullDisplay } = await import('../pull-display.js');
      const { formatBytes } = await import('../output/units.js');
      const { describeSigners } = await import('../../containers/describe-signers.js');
      const reference = args[0] ?? '';
      hideArguments(options);
      await withHost(context, options, async (host) => {
        assertPrivileged(host);
        using display = pullDisplay(context, options);
        const pulled = await withContext(`cannot pull ${quote(reference)}`, () =>
          pullImage(host, {
            reference,
            platform: options.platform,
            parallel: options.parallel,
            onProgress: display.onProgress,
          }),
        );
        display[Symbol.dispose]();
        const { image, fetch } = pulled;
        const signers = describeSigners(pulled.trust)
          .map((signer) => `signed: ${signer}\n`)
          .join('');
        const what = pulled.alreadyPresent
          ? 'is in the store already'
          : `pulled, ${formatBytes(fetch.missingBytes)} in ${fetch.missingLayers} of ${fetch.layers} layers`;
        printResult(context, options, {
          of: 'pull',
          json: {
            digest: image.digest,
            names: image.names,
            fetch,
            alreadyPresent: pulled.alreadyPresent,
            trust: pulled.trust,
          },
          text: `${reference} ${what}\n${image.digest}\n${signers}`,
        });
      });
    },
    context,
  );
}
