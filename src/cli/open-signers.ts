import { resolve } from 'node:path';

import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import type { AsyncScope } from '../base/scope.js';
import type { Host } from '../containers/host.js';
import { OperationalError } from '../errors/operational-error.js';
import type { ImageSource } from '../transport/image-source.js';
import { openTagDestination } from '../transport/open-image-destination.js';
import { readKeyFile } from '../trust/load-keys.js';
import { isEncryptedKey, readPrivateKey } from '../trust/private-key.js';
import { loadRegistriesD, placesFor } from '../trust/registries-d.js';
import type { ImageSigner } from '../trust/sign-image.js';
import { openPgpSigner } from '../trust/sign-openpgp.js';
import { sigstoreSigner } from '../trust/sign-sigstore.js';
import type { CliContext } from './context.js';
import { pathInTree, trustPlaces } from './open-trust.js';
import { readPassword } from './read-password.js';
import type { RegistryOptionValues } from './registry-options.js';
import { openTransports } from './transports.js';

/** What `berth sign` is asked for. */
export interface SignCommandOptions extends RegistryOptionValues {
  readonly directory?: string;
  readonly signBy?: string;
  readonly signBySigstorePrivateKey?: string;
  readonly gnupghome?: string;
  readonly passphraseFile?: string;
}

/** What gpg, its agent and what asks for a passphrase need of the environment. */
const FOR_GPG = ['HOME', 'GNUPGHOME', 'GPG_TTY', 'TERM', 'DISPLAY', 'XDG_RUNTIME_DIR'];

/** Longest file with a passphrase. */
const MAX_PASSPHRASE_BYTES = 64 * 1024;

/** What the signers are opened with. */
interface SigningCommand {
  readonly scope: AsyncScope;
  readonly host: Host;
  readonly options: SignCommandOptions;
}

/** Opens what signs an image. */
type OpenSigner = (image: string, source: ImageSource) => Promise<ImageSigner>;

/**
 * Finds out whose key signs, and gives what makes a signer of it for each image. A passphrase is asked for once.
 *
 * @throws OperationalError USAGE, SIGNATURE_KEY_INVALID
 */
export async function openSigners(
  context: CliContext,
  command: SigningCommand,
): Promise<OpenSigner> {
  const { options } = command;
  const { signBySigstorePrivateKey: file } = options;
  if (file === undefined) return await openPgpSigners(context, command);
  for (const [given, name] of [
    [options.signBy, '--sign-by'],
    [options.gnupghome, '--gnupghome'],
    [options.directory, '--directory'],
  ] as const) {
    if (given !== undefined)
      throw new OperationalError('USAGE', `${name} is not for a key of sigstore's kind`);
  }
  return await sigstoreSigners(context, command, file);
}

async function openPgpSigners(
  { host: { env } }: CliContext,
  { host, options }: SigningCommand,
): Promise<OpenSigner> {
  const { directory, passphraseFile } = options;
  const key = options.signBy ?? host.conf.trust['sign-by'];
  if (key === undefined || key.startsWith('-')) {
    throw new OperationalError('USAGE', 'it is not said whose key signs', {
      hint: 'name it with --sign-by, or as sign-by in the section [trust] of berth.conf',
    });
  }
  const { registriesD, lookaside } = await trustPlaces(host.paths, host.conf);
  const place = {
    registriesD: await loadRegistriesD(registriesD, lookaside),
    folder: directory === undefined ? undefined : resolve(directory),
    onDisk: (path: string) => pathInTree(host.paths, path),
    signal: host.signal,
  };
  const signer = {
    key,
    home: options.gnupghome ?? host.conf.trust['gnupg-home'],
    passphraseFile,
    env: Object.fromEntries(
      FOR_GPG.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
    ),
  };
  return (_, source) => openPgpSigner(source, signer, place);
}

async function sigstoreSigners(
  cli: CliContext,
  { scope, host, options }: SigningCommand,
  file: string,
): Promise<OpenSigner> {
  const { conf, paths, signal } = host;
  const { registriesD } = await trustPlaces(paths, conf);
  const places = await loadRegistriesD(registriesD);
  const bytes = await readKey(file);
  const passphrase = await findPassphrase(cli, { bytes, file, options });
  const { key } = readPrivateKey(bytes, { named: file, passphrase });
  const transports = openTransports(cli, scope, { ...options, conf, paths });
  return async (image, source) => {
    if (!placesFor(places, source.identity).attachments) {
      const text = `the signatures go into the registry, where nobody looks for them whose registries.d does not have use-sigstore-attachments: true for ${quote(source.name)}, as that of this host does not`;
      host.onEvent({ kind: 'warning', text });
    }
    const context = await transports.contextFor(image);
    const openTag = (tag: string) => openTagDestination(image, tag, context);
    return sigstoreSigner(source, key, { openTag, signal });
  };
}

async function readKey(file: string): Promise<Buffer> {
  try {
    return await readKeyFile(file, file);
  } catch (cause) {
    if (cause instanceof OperationalError) throw cause;
    throw new OperationalError('SIGNATURE_KEY_INVALID', `cannot read the key ${quote(file)}`, {
      cause,
    });
  }
}

async function findPassphrase(
  context: CliContext,
  at: { readonly bytes: Buffer; readonly file: string; readonly options: SignCommandOptions },
): Promise<string | undefined> {
  const { passphraseFile } = at.options;
  if (passphraseFile !== undefined) {
    const text = await readFileBounded(passphraseFile, { maxBytes: MAX_PASSPHRASE_BYTES });
    // As gpg and podman have it.
    return text.toString('utf8').split(/\r?\n/, 1)[0];
  }
  if (!isEncryptedKey(at.bytes)) return undefined;
  if (context.host.stdin?.isTTY !== true) {
    throw new OperationalError('USAGE', `the key ${quote(at.file)} takes a passphrase`, {
      hint: 'name a file with it: --passphrase-file FILE',
    });
  }
  return await readPassword(context, {
    prompt: `Passphrase of ${quote(at.file)}: `,
    fromInput: false,
  });
}
