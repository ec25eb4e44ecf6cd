import { link, mkdir, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { syncFolder, temporaryNameBeside, writeFileSynced } from '../base/atomic-file.js';
import { quote } from '../base/escape-text.js';
import { runProgram } from '../base/subprocess.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Digest } from '../oci/digest.js';
import { listReferences } from '../oci/list-references.js';
import { formatReference, type QualifiedReference } from '../oci/reference.js';
import type { ImageSource } from '../transport/image-source.js';
import { lookasideUrl } from './read-signatures.js';
import { placesFor, type RegistriesD } from './registries-d.js';
import { MAX_SIGNATURES, MAX_SIGNATURE_BYTES } from './signature-blob.js';
import { CLAIM_TYPES } from './signature-claim.js';

/** Who signs. */
export interface Signer {
  /** What gpg knows the key by; a fingerprint at best. */
  readonly key: string;
  /** Where gpg has it; its own place unless given. */
  readonly home: string | undefined;
  /** A file with the passphrase; else the agent asks for it. */
  readonly passphraseFile: string | undefined;
  /** What gpg and its agent need of the environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** What {@link signImage} takes. */
export interface SignOptions {
  readonly signer: Signer;
  readonly registriesD: RegistriesD;
  /** A folder for the signatures, in place of what registries.d says: a path to open. */
  readonly folder: string | undefined;
  /** A path of the host, as registries.d names it, as a path to open; may throw. */
  readonly onDisk: (path: string) => Promise<string>;
  /** Who made the signatures: `berth 1.0`. */
  readonly creator: string;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/** A signature that was made. */
export interface MadeSignature {
  readonly digest: Digest;
  /** The file that it is in. */
  readonly path: string;
}

/**
 * Signs what a name of a registry means now: the manifest, or the index and every manifest that it lists. Each gets one more signature
 * in the place for signatures, with the next number that is free.
 *
 * @throws OperationalError USAGE for what is no image of a registry, and where signatures are kept on the web alone; PROGRAM_FAILED;
 * LIMIT_EXCEEDED; what the registry gives rise to
 */
export async function signImage(
  source: ImageSource,
  options: SignOptions,
): Promise<readonly MadeSignature[]> {
  const { reference, transport } = source.identity;
  if (transport !== 'docker' || reference === undefined) {
    throw new OperationalError(
      'USAGE',
      `${quote(source.name)} is no image of a registry: only those are signed`,
    );
  }
  const base = await writablePlace(source, options);
  const top = await source.readManifest(undefined, { signal: options.signal });
  const what = `the manifest of ${quote(source.name)}`;
  const { manifests } = listReferences(top.bytes, { what, contentType: top.mediaType });
  const made: MadeSignature[] = [];
  for (const digest of new Set([top.digest, ...manifests.map((entry) => entry.digest)])) {
    const signature = await makeSignature(digest, reference, options);
    const folder = fileURLToPath(lookasideUrl(base, reference.repository, digest));
    made.push({ digest, path: await fileSignature(folder, signature) });
  }
  return made;
}

/** The URL of the place that is written to. */
async function writablePlace(
  source: ImageSource,
  { folder, registriesD, onDisk }: SignOptions,
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

async function makeSignature(
  digest: Digest,
  reference: QualifiedReference,
  { signer, creator, nowMs, signal }: SignOptions,
): Promise<Buffer> {
  const document = JSON.stringify({
    critical: {
      identity: { 'docker-reference': formatReference(reference) },
      image: { 'docker-manifest-digest': digest },
      type: CLAIM_TYPES.signedBy,
    },
    optional: { creator, timestamp: Math.floor(nowMs / 1000) },
  });
  const { key, home, passphraseFile, env } = signer;
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
