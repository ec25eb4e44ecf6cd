import { join } from 'node:path';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';

import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { readdir } from '../base/quick-files.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';

/** Largest file of certificates in bytes; the whole set of public authorities has some 220 KB. */
const MAX_CERTIFICATE_BYTES = 4 * 1024 * 1024;

/** Where distributions keep the authorities that the host trusts, as one file. */
const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** Whom to trust: `all` that the host trusts, or `own`, whom certs.d names for the registry. */
export type TlsTrust = 'all' | 'own';

/** Where to look for certificates. */
export interface TlsOptions {
  /** Folders with one folder for each registry (`HOST[:PORT]/*.crt`, containers-certs.d(5)); the first that has it counts. */
  readonly certDirs: readonly string[];
  /** One folder of certificates for every registry that is asked, in place of those: `--cert-dir`. */
  readonly certDir?: string | undefined;
  /** A file in place of the host's own set (SSL_CERT_FILE). */
  readonly bundle?: string | undefined;
}

/**
 * The authorities and the client certificate for a registry: those of the host, and what certs.d has for it. The host's take
 * some 20 ms.
 *
 * @throws {@link OperationalError} CONFIG_INVALID if a certificate there cannot be used
 */
export async function loadTlsContext(
  registry: string,
  options: TlsOptions & { readonly trust: TlsTrust },
): Promise<SecureContext> {
  const system = options.trust === 'own' ? [] : await loadSystemBundle(options.bundle);
  const { certDir, certDirs } = options;
  const own = await loadCertsD(
    certDir === undefined ? certDirs.map((folder) => join(folder, registry)) : [certDir],
  );
  try {
    return createSecureContext({
      ca: [...system, ...own.authorities],
      cert: own.certificates,
      key: own.keys,
      // Node's own default, whatever NODE_OPTIONS says.
      minVersion: 'TLSv1.2',
    });
  } catch (cause) {
    throw new OperationalError(
      'CONFIG_INVALID',
      `the certificates for ${quote(registry)} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

async function loadSystemBundle(bundle: string | undefined): Promise<readonly (string | Buffer)[]> {
  for (const path of bundle === undefined ? SYSTEM_BUNDLES : [bundle]) {
    try {
      return [await readFileBounded(path, { maxBytes: MAX_CERTIFICATE_BYTES })];
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
    }
  }
  return rootCertificates; // a host without a set of its own: Node's
}

interface OwnCertificates {
  readonly authorities: Buffer[];
  readonly certificates: Buffer[];
  readonly keys: Buffer[];
}

async function loadCertsD(folders: readonly string[]): Promise<OwnCertificates> {
  const own: OwnCertificates = { authorities: [], certificates: [], keys: [] };
  for (const folder of folders) {
    let names: string[];
    try {
      names = (await readdir(folder)).sort();
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) continue;
      throw error;
    }
    for (const name of names) {
      const load = () => readFileBounded(join(folder, name), { maxBytes: MAX_CERTIFICATE_BYTES });
      if (name.endsWith('.crt')) own.authorities.push(await load());
      if (!name.endsWith('.cert')) continue;
      const key = `${name.slice(0, -'.cert'.length)}.key`;
      if (!names.includes(key)) {
        throw new OperationalError(
          'CONFIG_INVALID',
          `${quote(join(folder, name))} has no ${quote(key)} beside it`,
        );
      }
      own.certificates.push(await load());
      own.keys.push(await readFileBounded(join(folder, key), { maxBytes: MAX_CERTIFICATE_BYTES }));
    }
    return own;
  }
  return own;
}
