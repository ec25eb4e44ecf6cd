import { Option, type Command } from 'commander';

import type { MadeSignature } from '../../trust/sign-image.js';
import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';
import { hideArguments, registryOptions, type RegistryOptionValues } from '../registry-options.js';

interface SignCommandOptions extends RegistryOptionValues {
  readonly directory?: string;
  readonly signBy?: string;
  readonly gnupghome?: string;
  readonly passphraseFile?: string;
}

/** What gpg, its agent and what asks for a passphrase need of the environment. */
const FOR_GPG = ['HOME', 'GNUPGHOME', 'GPG_TTY', 'TERM', 'DISPLAY', 'XDG_RUNTIME_DIR'];

/** `berth sign IMAGE…`. */
export function signCommand(context: CliContext): Command {
  return defineCommand<SignCommandOptions>(
    {
      name: 'sign',
      summary: 'sign images of a registry with OpenPGP, as podman and skopeo verify it',
      args: [{ syntax: '<image...>', description: 'names of images in a registry' }],
      options: [
        new Option(
          '-d, --directory <dir>',
          'put the signatures there, in place of where registries.d says',
        ),
        new Option('--sign-by <key>', 'the key that signs, as gpg knows it'),
        new Option('-g, --gnupghome <dir>', 'where gpg has it'),
        new Option(
          '--passphrase-file <file>',
          'a file with its passphrase, which is asked for else',
        ),
        ...registryOptions(),
      ],
      examples: [
        'berth sign --sign-by release@example.com registry.example/etcd:3.5',
        'berth sign -d /mnt/signatures registry.example/etcd:3.5',
      ],
      notes:
        'Signs what the name means in the registry now: be sure that it is yours. Of an index, all that it lists is signed.',
    },
    async ({ args, options }) => {
      hideArguments(options);
      const path = await import('node:path');
      const { withHost } = await import('../open-host.js');
      const { pathInTree, trustPlaces } = await import('../open-trust.js');
      const { loadRegistriesD } = await import('../../trust/registries-d.js');
      const { signImage } = await import('../../trust/sign-image.js');
      const { OperationalError } = await import('../../errors/operational-error.js');
      const { withContext } = await import('../../errors/with-context.js');
      const { quote } = await import('../../base/escape-text.js');
      const { programVersion } = await import('../../config/version.js');
      const { printResult } = await import('../output/print.js');
      const { env } = context.host;
      await withHost(context, options, async (host) => {
        const key = options.signBy ?? host.conf.trust['sign-by'];
        if (key === undefined || key.startsWith('-')) {
          throw new OperationalError('USAGE', 'it is not said whose key signs', {
            hint: 'name it with --sign-by, or as sign-by in the section [trust] of berth.conf',
          });
        }
        const { registriesD } = await trustPlaces(host.paths, host.conf);
        const { directory, passphraseFile } = options;
        const shared = {
          signer: {
            key,
            home: options.gnupghome ?? host.conf.trust['gnupg-home'],
            passphraseFile,
            env: Object.fromEntries(
              FOR_GPG.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
            ),
          },
          registriesD: await loadRegistriesD(registriesD),
          folder: directory === undefined ? undefined : path.resolve(directory),
          onDisk: (place: string) => pathInTree(host.paths, place),
          creator: `berth ${programVersion()}`,
          nowMs: host.nowMs(),
          signal: host.signal,
        };
        const all: (MadeSignature & { readonly image: string })[] = [];
        for (const image of args) {
          const made = await withContext(`cannot sign ${quote(image)}`, async () => {
            // What a mirror says that a name means is not what is to be vouched for.
            await using source = await host.openSource(image, { withoutMirrors: true });
            return await signImage(source, shared);
          });
          all.push(...made.map((one) => ({ image, ...one })));
        }
        printResult(context, options, {
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
