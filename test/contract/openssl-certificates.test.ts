import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';

import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { runOk } from '../support/run-command.js';
import { signatureFile } from '../support/sigstore-attachments.js';
import { TempDir } from '../support/temp-dir.js';
import { TrustDesk } from '../support/trust-desk.js';

/* Certificates and signatures that openssl makes, of the kinds of keys that authorities have: berth's own reader takes them apart. */

const folder = new TempDir();
const at = (name: string): string => join(folder.path, name);
const EMAIL = 'release@example.com';

const AUTHORITY = `basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
`;
const LEAF = `keyUsage=critical,digitalSignature
extendedKeyUsage=codeSigning,emailProtection
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid,issuer
subjectAltName=email:${EMAIL},DNS:build.example.com,URI:https://example.com/x,IP:10.0.0.1,dirName:somebody
crlDistributionPoints=URI:http://example.com/list
authorityInfoAccess=OCSP;URI:http://example.com/ocsp
certificatePolicies=1.2.3.4
[somebody]
CN=somebody
`;

const openssl = (...args: readonly string[]): Promise<string> => runOk(['openssl', ...args]);

async function makeKey(name: string, kind: readonly string[]): Promise<void> {
  await openssl('genpkey', ...kind, '-out', at(`${name}.key`));
}

async function issue(name: string, issuer: string | undefined, text: string): Promise<void> {
  writeFileSync(at(`${name}.ext`), text);
  const subject = `/C=DE/O=Örtchen/CN=${name}`;
  const request = ['-key', at(`${name}.key`), '-utf8', '-subj', subject];
  await openssl('req', '-new', ...request, '-out', at(`${name}.csr`));
  const by =
    issuer === undefined
      ? ['-signkey', at(`${name}.key`)]
      : ['-CA', at(`${issuer}.crt`), '-CAkey', at(`${issuer}.key`), '-CAcreateserial'];
  const how = [
    '-req',
    '-in',
    at(`${name}.csr`),
    ...by,
    '-days',
    '2',
    '-extfile',
    at(`${name}.ext`),
  ];
  await openssl('x509', ...how, '-out', at(`${name}.crt`));
}

const read = (name: string): string => readFileSync(at(name), 'utf8');

const EC = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'];
const RSA = ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'];
const ED25519 = ['-algorithm', 'ED25519'];

before(async () => {
  for (const [name, kind] of [
    ['root', EC],
    ['middle', RSA],
    ['second', ED25519],
  ] as const)
    await makeKey(name, kind);
  await issue('root', undefined, AUTHORITY);
  await issue('middle', 'root', `${AUTHORITY}extendedKeyUsage=codeSigning\n`);
  await issue('second', 'root', AUTHORITY);
});

after(() => {
  folder[Symbol.dispose]();
});

each(
  'what openssl certifies and signs',
  [
    { name: 'with RSA by RSA', kind: RSA, issuer: 'middle' },
    { name: 'with ECDSA by Ed25519', kind: EC, issuer: 'second' },
    { name: 'with ECDSA by the root, which is ECDSA', kind: EC, issuer: 'root' },
  ],
  async ({ kind, issuer }) => {
    using desk = new TrustDesk();
    await makeKey('leaf', kind);
    await issue('leaf', issuer, LEAF);
    const document = JSON.stringify({
      critical: {
        type: 'cosign container image signature',
        image: { 'docker-manifest-digest': desk.digest },
        identity: { 'docker-reference': desk.reference },
      },
      optional: null,
    });
    writeFileSync(at('document'), document);
    await openssl('dgst', '-sha256', '-sign', at('leaf.key'), '-out', at('sig'), at('document'));
    const signed = { document, signature: readFileSync(at('sig')).toString('base64') };
    const annotations = {
      'dev.sigstore.cosign/certificate': read('leaf.crt'),
      'dev.sigstore.cosign/chain': `${read(`${issuer}.crt`)}${read('root.crt')}`,
    };
    desk.lay([signatureFile(signed, annotations)]);
    const pki = { subjectEmail: EMAIL, subjectHostname: 'build.example.com' };
    // With what openssl writes above a certificate for people.
    const shown = await openssl('x509', '-in', at('root.crt'), '-text');
    const trusting = (roots: string): void => {
      desk.require({
        type: 'sigstoreSigned',
        pki: { ...pki, caRootsPath: desk.write('roots.pem', roots) },
      });
    };
    trusting(`${read('second.crt')}\n${shown}`);
    const { signatures } = await desk.check();
    assert.equal(signatures[0]?.key, `${EMAIL}, build.example.com`);
    trusting(read(issuer === 'middle' ? 'second.crt' : 'middle.crt'));
    await assertFails('SIGNATURE_INVALID', () => desk.check());
  },
);
