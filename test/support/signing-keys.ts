import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { runCommand, runOk } from './run-command.js';
import { TempDir } from './temp-dir.js';

/** Options of {@link SigningKeys.sign}. */
export interface SignOptions {
  /** GnuPG's options before what is done: another time, another hash. */
  readonly options?: readonly string[];
  /** `--sign` unless given. */
  readonly how?: string;
}

/** A GnuPG home with keys for a test; no key leaves it. */
export class SigningKeys implements AsyncDisposable {
  readonly #folder = new TempDir();
  #count = 0;

  get home(): string {
    return join(this.#folder.path, 'home');
  }

  /** Makes a key without a passphrase and gives its fingerprint. */
  async make(name: string, options: readonly string[] = []): Promise<string> {
    mkdirSync(this.home, { recursive: true, mode: 0o700 });
    const key = `${name} <${name}@example.com>`;
    await this.gpg([
      ...options,
      '--passphrase',
      '',
      '--quick-gen-key',
      key,
      'ed25519',
      'sign',
      '0',
    ]);
    return await this.fingerprint(name);
  }

  /** The fingerprint of a key, or of its last subkey. */
  async fingerprint(name: string, which: 'key' | 'subkey' = 'key'): Promise<string> {
    const listed = await this.gpg(['--with-colons', '--list-keys', name]);
    const prints = listed.split('\n').filter((line) => line.startsWith('fpr:'));
    return (which === 'key' ? prints[0] : prints.at(-1))?.split(':')[9] ?? '';
  }

  /** The public keys, as `gpg --export` writes them. */
  async export(names: readonly string[], options: readonly string[] = []): Promise<Buffer> {
    const file = join(this.#folder.path, `export-${this.#count++}`);
    await this.gpg(['--output', file, ...options, '--export', ...names]);
    return readFileSync(file);
  }

  /** Signs bytes. */
  async sign(
    key: string,
    document: string | Uint8Array,
    { options = [], how = '--sign' }: SignOptions = {},
  ): Promise<Buffer> {
    const file = join(this.#folder.path, `document-${this.#count++}`);
    writeFileSync(file, document);
    await this.gpg([...options, '--local-user', key, '--output', `${file}.sig`, how, file]);
    return readFileSync(`${file}.sig`);
  }

  async gpg(args: readonly string[], input?: string): Promise<string> {
    return await runOk(['gpg', '--homedir', this.home, '--batch', '--yes', '--quiet', ...args], {
      ...(input === undefined ? {} : { input }),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await runCommand(['gpgconf', '--homedir', this.home, '--kill', 'all']);
    this.#folder[Symbol.dispose]();
  }
}

/** The document that a signature signs. */
export function claimOf(
  digest: string,
  reference: string,
  changes: {
    readonly critical?: Readonly<Record<string, unknown>>;
    readonly optional?: unknown;
    readonly top?: Readonly<Record<string, unknown>>;
    readonly type?: string;
  } = {},
): string {
  const { critical, optional = {}, top, type = 'atomic container signature' } = changes;
  return JSON.stringify({
    critical: {
      type,
      image: { 'docker-manifest-digest': digest },
      identity: { 'docker-reference': reference },
      ...critical,
    },
    optional,
    ...top,
  });
}
