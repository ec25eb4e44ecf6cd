import { join } from 'node:path';

import { syncFolder, writeFileAtomically } from '../base/atomic-file.js';
import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { makeReadableFolders } from '../base/make-folders.js';
import { unlink } from '../base/quick-files.js';
import { OperationalError } from '../errors/operational-error.js';
import { normaliseScope } from './parse-policy.js';
import { loadRegistriesD, parseRegistriesD, type SignaturePlaces } from './registries-d.js';

/** The first line of the files that berth may change: what a person wrote has comments and an order of its own. */
const OURS = '# Written by berth trust, which changes and removes it.';

/** Longest name of a file, in bytes, on all file systems of Linux. */
const MAX_NAME_BYTES = 255;

/**
 * Says where the signatures of a scope are, in a file of its own; where just that is said already, whoever said it, nothing is written.
 *
 * @throws OperationalError CONFIG_INVALID if somebody else's file speaks of the scope; USAGE for a place that is none
 */
export async function writePlaces(
  folder: string,
  scope: string,
  { lookaside, attachments }: Omit<SignaturePlaces, 'staging'>,
): Promise<void> {
  const said = (await loadRegistriesD(folder)).scopes.get(normaliseScope('docker', scope));
  if (
    said !== undefined &&
    (lookaside ?? said.lookaside) === said.lookaside &&
    (attachments ?? said.attachments) === said.attachments
  )
    return;
  const file = await ownFile(folder, scope);
  if (/["\\\s\p{C}]/u.test(lookaside ?? '')) throw unfit(`${quote(lookaside ?? '')} is not a URL`);
  const text = [
    OURS,
    'docker:',
    `  "${normaliseScope('docker', scope)}":`,
    ...(lookaside === undefined ? [] : [`    lookaside: "${lookaside}"`]),
    ...(attachments === undefined ? [] : [`    use-sigstore-attachments: ${String(attachments)}`]),
    '',
  ].join('\n');
  try {
    parseRegistriesD(text, file);
  } catch (error) {
    if (error instanceof OperationalError) throw unfit(error.message);
    throw error;
  }
  await makeReadableFolders(folder);
  await writeFileAtomically(file, text);
}

/**
 * Forgets where the signatures of a scope are. Gives whether anything was said of it.
 *
 * @throws OperationalError CONFIG_INVALID if somebody else's file says it
 */
export async function removePlaces(folder: string, scope: string): Promise<boolean> {
  const { files } = await loadRegistriesD(folder);
  if (!files.has(normaliseScope('docker', scope))) return false;
  await unlink(await ownFile(folder, scope));
  await syncFolder(folder);
  return true;
}

/** The file for a scope; one that exists has to be berth's. */
async function ownFile(folder: string, text: string): Promise<string> {
  const scope = normaliseScope('docker', text);
  const name = `berth-${encodeURIComponent(scope)}.yaml`;
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) throw unfit(`${quote(scope)} is too long a scope`);
  const file = join(folder, name);
  const existing = (await loadRegistriesD(folder)).files.get(scope);
  if (existing === undefined) return file;
  const start = (await readFileBounded(existing, { maxBytes: 1024 * 1024 })).toString('utf8');
  if (existing === file && start.startsWith(`${OURS}\n`)) return file;
  throw new OperationalError(
    'CONFIG_INVALID',
    `${quote(existing)} says where the signatures of ${quote(scope)} are, refusing to change it`,
    { hint: 'change it by hand, or leave the place of the signatures to it' },
  );
}

function unfit(message: string): OperationalError {
  return new OperationalError('USAGE', message);
}
