import { dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { syncFolder, temporaryNameBeside, writeFileSynced } from '../base/atomic-file.js';
import { quote } from '../base/escape-text.js';
import { link, mkdir, unlink } from '../base/quick-files.js';
import { runProgram } from '../base/subprocess.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import type { ImageSource } from '../transport/image-source.js';
import { lookasideUrl } from './read-signatures.js';
import { placesFor, type RegistriesD } from './registries-d.js';
import { signedReference, type ImageSigner } from './sign-image.js';
import { MAX_SIGNATURES, MAX_SIGNATURE_BYTES } from './signature-blob.js';

/** Whose OpenPGP key signs. */
export interface OpenPgpKey {
  /** What gpg knows the key by; a fingerprint at best. */
  readonly key: string;
  /** Where gpg has it; its own place unless given. */
  readonly home: string | undefined;
  /** A file with the passphrase; else the agent asks for it. */
  readonly passphraseFile: string | undefined;
  /** What gpg and its agent need of the environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** Where signatures are filed. */
export interface SignaturePlace {
  readonly registriesD: RegistriesD;
  /** A folder for the signatures, in place of what registries.d says: a path to open. */
  readonly folder: string | undefined;
  /** A path of the host, as registries.d names it, as a path to open; may throw. */
  readonly onDisk: (path: string) => Promise<string>;
  readonly signal: AbortSignal;
}

/**
 * Signs with gpg. Each manifest gets one more signature in the place for signatures, with the next number that is free.
 *
 * @throws OperationalError USAGE where signatures are kept on the web alone
 */
export async function openPgpSigner(
  source: ImageSource,
  key: OpenPgpKey,
  place: SignaturePlace,
): Promise<ImageSigner> {
  const { repository } = signedReference(source);
  const base = await writablePlace(source, place);
  return {
    type: 'signedBy',
    sign: async (digest, document) => {
      const signature = await runGpg(document, key, place.signal);
      return await fileSignature(fileURLToPath(lookasideUrl(base, repository, digest)), signature);
    },
  };
}

/** The URL of the place that is written to. */
async function writablePlace(
  source: ImageSource,
  { folder, registriesD, onDisk }: SignaturePlace,
): Promise<string> {
  if (folder !== undefined) return pathToFileURL(folder).href;
  const { staging } = placesFor(registriesD, source.identity);
  if (staging.toLowerCase().startsWith('file:'))
    return pathToFileURL(await onDisk(fileURLToPath(staging))).href;
  throw new OperationalError(
    'USAGE',
    `the signatures of ${quote(source.name)} are at ${quote(staging)}, which cannot be written`,
    {
      hint: 'name a folder with -d, or as lookaside-staging: file:///… in /etc/containers/registries.d',
    },
  );
}

async function runGpg(
  document: string,
  { key, home, passphraseFile, env }: OpenPgpKey,
  signal: AbortSignal,
): Promise<Buffer> {
  const from = home === undefined ? [] : ['--homedir', home];
  const passphrase =
    passphraseFile === undefined
      ? []
      : ['--pinentry-mode', 'loopback', '--passphrase-file', passphraseFile];
  const how = ['--digest-algo', 'SHA256', '--local-user', key, '--output', '-', '--sign'];
  const { stdout } = await runProgram(
    ['gpg', '--batch', '--yes', '--quiet', ...from, ...passphrase, ...how],
    { input: document, env, signal, maxOutputBytes: MAX_SIGNATURE_BYTES },
  );
  return stdout;
}

/** Files a signature under the next number; one that is taken meanwhile is not replaced. */
async function fileSignature(folder: string, signature: Buffer): Promise<string> {
  await mkdir(folder, { recursive: true });
  const temporary = temporaryNameBeside(`${folder}/signature`);
  await writeFileSynced(temporary, signature);
  try {
    for (let number = 1; number <= MAX_SIGNATURES; number++) {
      const path = `${folder}/signature-${number}`;
      try {
        await link(temporary, path);
      } catch (error) {
        if (isErrno(error, 'EEXIST')) continue;
        throw error;
      }
      await syncFolder(folder);
      await syncFolder(dirname(folder));
      return path;
    }
  } finally {
    await unlink(temporary);
  }
  throw new OperationalError(
    'LIMIT_EXCEEDED',
    `${quote(folder)} has ${MAX_SIGNATURES} signatures, and nobody reads more`,
  );
}
