import { Option, type Command } from 'commander';

import type { MadeSignature } from '../../trust/sign-image.js';
import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';
import type { SignCommandOptions } from '../open-signers.js';
import { hideArguments, registryOptions } from '../registry-options.js';

/** `berth sign IMAGE…`. */
export function signCommand(context: CliContext): Command {
  return defineCommand<SignCommandOptions>(
    {
      name: 'sign',
      summary: 'sign images of a registry, as podman, skopeo and cosign verify it',
      args: [{ syntax: '<image...>', description: 'names of images in a registry' }],
      options: [
        new Option(
          '-d, --directory <dir>',
          'put the signatures there, in place of where registries.d says',
        ),
        new Option('--sign-by <key>', 'the key that signs, as gpg knows it'),
        new Option(
          '--sign-by-sigstore-private-key <file>',
          'sign with this key, and put the signatures into the registry, as cosign does',
        ),
        new Option('-g, --gnupghome <dir>', 'where gpg has it'),
        new Option(
          '--passphrase-file <file>',
          'a file with its passphrase, which is asked for else',
        ),
        ...registryOptions(),
      ],
      examples: [
        'berth sign --sign-by release@example.com registry.example/etcd:3.5',
        'berth sign --sign-by-sigstore-private-key cosign.key registry.example/etcd:3.5',
        'berth sign -d /mnt/signatures registry.example/etcd:3.5',
      ],
      notes:
        'Signs what the name means in the registry now: be sure that it is yours. Of an index, all that it lists is signed.',
    },
    async ({ args, options }) => {
      hideArguments(options);
      const { AsyncScope } = await import('../../base/scope.js');
      const { withHost } = await import('../open-host.js');
      const { openSigners } = await import('../open-signers.js');
      const { signImage } = await import('../../trust/sign-image.js');
      const { withContext } = await import('../../errors/with-context.js');
      const { quote } = await import('../../base/escape-text.js');
      const { programVersion } = await import('../../config/version.js');
      const { printResult } = await import('../output/print.js');
      await withHost(context, options, async (host) => {
        await using scope = new AsyncScope();
        const openSigner = await openSigners(context, { scope, host, options });
        const how = {
          creator: `berth ${programVersion()}`,
          nowMs: host.nowMs(),
          signal: host.signal,
        };
        const all: (MadeSignature & { readonly image: string })[] = [];
        for (const image of args) {
          const made = await withContext(`cannot sign ${quote(image)}`, async () => {
            // What a mirror says that a name means is not what is to be vouched for.
            await using source = await host.openSource(image, { withoutMirrors: true });
            return await signImage(source, { ...how, signer: await openSigner(image, source) });
          });
          all.push(...made.map((one) => ({ image, ...one })));
        }
        printResult(context, options, {
          of: 'sign',
          json: all,
          text: all
            .map(({ image, digest, path }) => `${image} ${digest} signed: ${path}\n`)
            .join(''),
        });
      });
    },
    context,
  );
}
