import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { runOk } from './run-command.js';

/** A certificate and its key, as PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** An authority of a test's own, made by openssl in a folder of the test. */
export class TestAuthority {
  readonly folder: string;
  readonly cert: string;
  #issued = 0;

  private constructor(folder: string) {
    this.folder = folder;
    this.cert = readFileSync(join(folder, 'ca.crt'), 'utf8');
  }

  static async create(folder: string): Promise<TestAuthority> {
    await runOk([
      ...['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
      ...['-nodes', '-days', '2', '-subj', '/CN=berth test authority'],
      ...['-keyout', join(folder, 'ca.key'), '-out', join(folder, 'ca.crt')],
    ]);
    return new TestAuthority(folder);
  }

  /** A certificate for host names and addresses; with `expired`, one that ended in the past. */
  async issue(
    names: readonly string[],
    options: { readonly expired?: boolean } = {},
  ): Promise<Certificate> {
    const base = join(this.folder, `leaf${++this.#issued}`);
    const alternatives = names
      .map((name) => (/^[\d.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`))
      .join(',');
    writeFileSync(`${base}.ext`, `subjectAltName=${alternatives}\n`);
    await runOk([
      ...['openssl', 'req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-subj', `/CN=${names[0] ?? ''}`, '-keyout', `${base}.key`, '-out', `${base}.csr`],
    ]);
    await runOk([
      ...['openssl', 'x509', '-req', '-in', `${base}.csr`, '-CA', join(this.folder, 'ca.crt')],
      ...['-CAkey', join(this.folder, 'ca.key'), '-CAcreateserial', '-extfile', `${base}.ext`],
      // openssl 3.0 cannot set a start date here; negative days give an end in the past.
      ...['-days', options.expired === true ? '-1' : '2', '-out', `${base}.crt`],
    ]);
    return {
      cert: readFileSync(`${base}.crt`, 'utf8'),
      key: readFileSync(`${base}.key`, 'utf8'),
    };
  }
}
