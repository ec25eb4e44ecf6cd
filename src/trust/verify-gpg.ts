import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { writeFile } from '../base/quick-files.js';
import { runProgram, SubprocessError } from '../base/subprocess.js';
import { OperationalError } from '../errors/operational-error.js';
import { readGpgStatus } from './gpg-status.js';
import type { KeyText } from './load-keys.js';
import { makeKeyring } from './openpgp-keys.js';

/** Largest signed document in bytes; one has some 300, and a compressed one could have any size. */
const MAX_DOCUMENT_BYTES = 64 * 1024;

/** Longest time for one signature, in milliseconds: it takes some ten. */
const MAX_MS = 30_000;

/** How far the clocks of a signer and of this host may differ, in seconds. */
const MAX_CLOCK_SKEW_SECONDS = 300;

/** What gpgv ends with: good, bad, and what it could not do. */
const STATUSES = [0, 1, 2];

/** A signature that was made by one of the keys, or why not. */
export type VerifiedSignature =
  | {
      readonly good: true;
      /** Who signed: a fingerprint. */
      readonly key: string;
      /** What was signed, as the verifier gave it. */
      readonly document: Buffer;
      /** When it was made, as the signer or a log says; milliseconds since the epoch. */
      readonly madeAtMs: number | undefined;
    }
  | { readonly good: false; readonly why: string };

/** Verifies OpenPGP messages against some keys, with gpgv and a keyring of its own: no keyring of the host counts. */
export class GpgVerifier implements AsyncDisposable {
  readonly #folder: string;
  readonly #signal: AbortSignal;
  readonly #now: () => number;

  private constructor(folder: string, options: { signal: AbortSignal; now: () => number }) {
    this.#folder = folder;
    this.#signal = options.signal;
    this.#now = options.now;
  }

  /** @throws OperationalError SIGNATURE_KEY_INVALID */
  static async create(
    keys: readonly KeyText[],
    options: { readonly signal: AbortSignal; readonly now?: () => number },
  ): Promise<GpgVerifier> {
    const keyring = makeKeyring(keys);
    const folder = await mkdtemp(join(tmpdir(), 'berth-trust-'));
    const verifier = new GpgVerifier(folder, { now: () => Date.now(), ...options });
    try {
      await writeFile(verifier.#keyring, keyring, { mode: 0o600 });
    } catch (error) {
      await verifier[Symbol.asyncDispose]();
      throw error;
    }
    return verifier;
  }

  /** @throws OperationalError PROGRAM_MISSING, SIGNATURE_UNAVAILABLE if gpgv breaks down */
  async verify(signature: Buffer): Promise<VerifiedSignature> {
    const { stdout, report } = await this.#run(signature);
    const verdict = readGpgStatus(report.toString('latin1'));
    if (!verdict.good) return verdict;
    if (verdict.madeAtSeconds > this.#now() / 1000 + MAX_CLOCK_SKEW_SECONDS)
      return { good: false, why: 'it was made in the future' };
    const madeAtMs = verdict.madeAtSeconds * 1000;
    return { good: true, key: verdict.primaryKey, document: stdout, madeAtMs };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  get #keyring(): string {
    return join(this.#folder, 'keys.gpg');
  }

  async #run(signature: Buffer): Promise<{ readonly stdout: Buffer; readonly report: Buffer }> {
    const homedir = ['--homedir', this.#folder] as const;
    // Without --weak-digest, which refuses keys of before 2010 for what they say of themselves: readGpgStatus asks for the hash.
    const output = ['--status-fd', '3', '--output', '-', '-'];
    try {
      return await runProgram(['gpgv', ...homedir, '--keyring', this.#keyring, ...output], {
        input: signature,
        takesReport: true,
        maxOutputBytes: MAX_DOCUMENT_BYTES,
        okStatuses: STATUSES,
        killSignal: 'SIGKILL',
        signal: AbortSignal.any([this.#signal, AbortSignal.timeout(MAX_MS)]),
      });
    } catch (error) {
      this.#signal.throwIfAborted();
      if (error instanceof SubprocessError)
        return { stdout: Buffer.alloc(0), report: Buffer.alloc(0) };
      if (error instanceof OperationalError && error.code === 'PROGRAM_MISSING') {
        throw new OperationalError(
          'PROGRAM_MISSING',
          'cannot verify signatures: gpgv is not installed',
          { hint: 'install the package gpgv, or gnupg2 where there is none', cause: error },
        );
      }
      if (!(error instanceof Error) || error.name !== 'AbortError') throw error;
      throw new OperationalError('SIGNATURE_UNAVAILABLE', 'cannot verify signatures: gpgv hangs', {
        cause: error,
      });
    }
  }
}
