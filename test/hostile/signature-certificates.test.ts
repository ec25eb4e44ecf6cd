import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';

import type { ErrorCode } from '../../src/errors/catalogue.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { makeSigstoreKey, signatureFile } from '../support/sigstore-attachments.js';
import { logSignature } from '../support/transparency-log.js';
import { TrustDesk } from '../support/trust-desk.js';
import {
  der,
  extension,
  makeCertificate,
  PURPOSE,
  toPem,
  type CertificateParts,
  type MadeCertificate,
} from '../support/x509-builder.js';

/*
 * HOSTILE.md, B.9: signatures by a certificate in place of a key. The naive verifier is content with a certificate that the authority
 * beside it has signed, and that names the right address somewhere.
 */

const ISSUER = 'https://id.example';
const EMAIL = 'release@example.com';
const MINUTE = 60_000;

/** When the certificate was made, which lives for ten minutes: long ago. */
const MADE = Math.floor(Date.now() / 1000) * 1000 - 400 * 86_400_000;

const log = makeSigstoreKey();
const long = { fromMs: MADE - 86_400_000, toMs: MADE + 86_400_000 };
const root = makeCertificate({ ...long, subject: 'root', authority: true, usage: 0x06 });
const between = makeCertificate({
  ...{ ...long, subject: 'between', issuer: root, authority: 0, usage: 0x06 },
  purposes: [PURPOSE.code],
});
const issuedBy = (text: string): Buffer => extension('1.3.6.1.4.1.57264.1.1', Buffer.from(text));
const issuedByText = (text: string, tag = 0x0c): Buffer =>
  extension('1.3.6.1.4.1.57264.1.8', der(tag, Buffer.from(text)));

const GOOD = {
  subject: 'leaf',
  issuer: between,
  fromMs: MADE,
  toMs: MADE + 10 * MINUTE,
  usage: 0x80,
  purposes: [PURPOSE.code],
  emails: [EMAIL],
  more: [issuedBy(ISSUER), issuedByText(ISSUER)],
} as const satisfies CertificateParts;

const leafWith = (changes: CertificateParts): MadeCertificate =>
  makeCertificate({ ...GOOD, ...changes });

interface Row {
  readonly name: string;
  readonly leaf?: () => MadeCertificate;
  /** What comes with it, and the last of which is the root. */
  readonly chain?: () => readonly MadeCertificate[];
  /** The texts as they come with the signature. */
  readonly certificate?: (pem: string) => string | undefined;
  readonly chainText?: string;
  readonly roots?: () => readonly string[];
  readonly loggedAt?: number;
  /** What the log has of who signed. */
  readonly logged?: (leaf: MadeCertificate) => string;
  /** Who signs, where it is not the one with the certificate. */
  readonly signer?: MadeCertificate;
  readonly code?: ErrorCode;
  readonly says?: RegExp;
  readonly naiveTakes?: true;
}

const stranger = makeCertificate({ ...long, subject: 'root', authority: true, usage: 0x06 });
const refused = { code: 'SIGNATURE_INVALID' } as const;
const nobody = { ...refused, says: /leads to none of the authorities/ } as const;
const branch = (changes: CertificateParts): (() => readonly MadeCertificate[]) => {
  const made = makeCertificate({ ...long, subject: 'between', key: between.key, ...changes });
  return () => [made, root];
};

each<Row>(
  'S17 S18 a signature by a certificate of fulcio',
  [
    { name: 'that has long ended is taken, as it was logged in its time', naiveTakes: true },
    {
      name: 'at the last second of it',
      loggedAt: MADE + 10 * MINUTE,
      naiveTakes: true,
    },
    {
      name: 'that notes its issuer as text alone',
      leaf: () => leafWith({ more: [issuedByText(ISSUER)] }),
      naiveTakes: true,
    },
    {
      name: 'whose authority the policy has itself',
      chain: () => [],
      roots: () => [between.pem],
      naiveTakes: true,
    },
    {
      name: 'logged after its end',
      loggedAt: MADE + 10 * MINUTE + 1000,
      ...{ ...refused, says: /was not in force after/, naiveTakes: true },
    },
    {
      name: 'logged before its time',
      loggedAt: MADE - 1000,
      ...{ ...refused, says: /was not in force before/, naiveTakes: true },
    },
    { name: 'that is missing', certificate: () => undefined, ...refused, says: /no certificate/ },
    {
      name: 'of another address',
      leaf: () => leafWith({ emails: ['someone@example.com'] }),
      ...{ ...refused, says: /is not of 'release@example.com' but of 'someone@/ },
    },
    {
      name: 'of an address that only begins so',
      leaf: () => leafWith({ emails: [`${EMAIL}.evil.example`] }),
      ...{ ...refused, says: /is not of/, naiveTakes: true },
    },
    {
      name: 'of an address with a NUL in it',
      leaf: () => leafWith({ emails: [`${EMAIL}\0.evil.example`] }),
      ...{ ...refused, says: /characters that no name has/, naiveTakes: true },
    },
    {
      name: 'whose subject alone is called so',
      leaf: () => leafWith({ subject: `email:${EMAIL}`, emails: ['x@evil.example'] }),
      ...{ ...refused, says: /is not of/ },
    },
    {
      name: 'of a host that is called so',
      leaf: () => leafWith({ emails: [], hosts: [EMAIL] }),
      ...{ ...refused, says: /is not of/, naiveTakes: true },
    },
    {
      name: 'by what another issuer says',
      leaf: () => leafWith({ more: [issuedBy('https://evil.example')] }),
      ...{ ...refused, says: /one whom 'https:\/\/evil\.example' knows/, naiveTakes: true },
    },
    {
      name: 'that names two issuers',
      leaf: () => leafWith({ more: [issuedBy(ISSUER), issuedByText('https://evil.example')] }),
      ...{ ...refused, says: /names two/, naiveTakes: true },
    },
    {
      name: 'that names none',
      leaf: () => leafWith({ more: [] }),
      ...{ ...refused, says: /does not say who knows/, naiveTakes: true },
    },
    {
      name: 'that names one in another kind of text',
      leaf: () => leafWith({ more: [issuedByText(ISSUER, 0x13)] }),
      ...{ ...refused, naiveTakes: true },
    },
    {
      name: 'for servers',
      leaf: () => leafWith({ purposes: [PURPOSE.server] }),
      ...{ ...refused, says: /not for signing software/, naiveTakes: true },
    },
    {
      name: 'for encryption',
      leaf: () => leafWith({ usage: 0x20 }),
      ...{ ...refused, says: /not for signatures/, naiveTakes: true },
    },
    {
      name: 'with something critical that is unknown',
      leaf: () =>
        leafWith({ more: [...GOOD.more, extension('1.2.3.4', Buffer.from([5, 0]), true)] }),
      ...{ ...refused, says: /1\.2\.3\.4, which is critical/, naiveTakes: true },
    },
    {
      name: 'with its names twice',
      leaf: () =>
        leafWith({
          more: [
            ...GOOD.more,
            extension('2.5.29.17', der(0x30, der(0x81, Buffer.from('x@evil.example')))),
          ],
        }),
      ...{ ...refused, says: /twice/, naiveTakes: true },
    },
    {
      name: 'signed with SHA-1',
      leaf: () => leafWith({ hash: 'sha1' }),
      ...{ ...nobody, naiveTakes: true },
    },
    {
      name: 'with something behind it',
      leaf: () => leafWith({ change: (whole) => Buffer.concat([whole, Buffer.from([0])]) }),
      ...{ ...refused, says: /after its end/ },
    },
    {
      name: 'with a length in too many bytes',
      leaf: () =>
        leafWith({
          change: (whole) =>
            Buffer.concat([Buffer.from([0x30, 0x83, 0]), whole.subarray(2, 4), whole.subarray(4)]),
        }),
      ...{ ...refused, says: /too many bytes/, naiveTakes: true },
    },
    {
      name: 'that is cut off',
      leaf: () => leafWith({ change: (whole) => whole.subarray(0, -1) }),
      ...{ ...refused, says: /too early/ },
    },
    {
      name: 'by an authority of the same name that nobody believes',
      chain: () => {
        const theirs = makeCertificate({ ...long, subject: 'between', issuer: stranger });
        return [theirs, stranger];
      },
      ...{ ...nobody, naiveTakes: true },
    },
    {
      name: 'of a chain that is signed in full, by a root of its own',
      leaf: () => {
        const theirs = { ...long, authority: true, usage: 0x06, issuer: stranger };
        return leafWith({ issuer: makeCertificate({ ...theirs, subject: 'between' }) });
      },
      ...nobody,
    },
    {
      name: 'by somebody who was certified alone, and is no authority',
      chain: branch({ issuer: root, authority: false, usage: 0x80, purposes: [PURPOSE.code] }),
      ...{ ...nobody, naiveTakes: true },
    },
    {
      name: 'by an authority that may not certify',
      chain: branch({ issuer: root, authority: true, usage: 0x80 }),
      ...{ ...nobody, naiveTakes: true },
    },
    {
      name: 'by an authority for servers',
      chain: branch({ issuer: root, authority: true, usage: 0x06, purposes: [PURPOSE.server] }),
      ...{ ...nobody, naiveTakes: true },
    },
    {
      name: 'by an authority that had ended when it was logged',
      chain: branch({ issuer: root, authority: true, usage: 0x06, toMs: MADE - 1000 }),
      ...{ ...nobody, naiveTakes: true },
    },
    {
      name: 'by an authority for some names alone',
      chain: branch({
        issuer: root,
        authority: true,
        usage: 0x06,
        more: [extension('2.5.29.30', der(0x30))],
      }),
      ...{ ...nobody, naiveTakes: true },
    },
    {
      name: 'through more authorities than one of them allows',
      leaf: () => {
        const parts = { ...long, authority: true, usage: 0x06, issuer: between } as const;
        return leafWith({ issuer: makeCertificate({ ...parts, subject: 'third' }) });
      },
      chain: () => [third, between, root],
      ...nobody,
    },
    {
      name: 'with authorities in a circle',
      chain: () => {
        const theirs = makeCertificate({ ...long, subject: 'between', authority: true });
        const parts = { ...long, authority: true, issuer: theirs } as const;
        const other = makeCertificate({ ...parts, subject: 'other', issuer: between });
        const back = makeCertificate({
          ...parts,
          subject: 'between',
          key: between.key,
          issuer: other,
        });
        return [back, other, theirs, root];
      },
      ...{ ...nobody, naiveTakes: true },
    },
    {
      name: 'with more authorities than anybody has',
      chain: () => Array.from({ length: 11 }, () => between),
      ...{ ...refused, says: /more than 10 certificates/, naiveTakes: true },
    },
    {
      name: 'with a chain of empty lines',
      chainText: `-----BEGIN CERTIFICATE-----\n${'\n'.repeat(30_000)}`,
      ...{ ...refused, says: /chain of certificates is not PEM/ },
    },
    {
      name: 'with a chain without end',
      chainText: between.pem.repeat(80),
      ...{ ...refused, says: /too large/, naiveTakes: true },
    },
    {
      name: 'beside another one',
      certificate: (pem) => `${leafWith({}).pem}${pem}`,
      ...{ ...refused, says: /not one certificate/, naiveTakes: true },
    },
    {
      name: 'with words around it, as openssl writes them for people',
      certificate: (pem) => `subject=leaf\r\n${pem}\nissuer=between\n`,
      naiveTakes: true,
    },
    {
      name: 'beside a key',
      certificate: (pem) => `${pem}${log.publicKey}`,
      ...{ ...refused, says: /not PEM/, naiveTakes: true },
    },
    {
      name: 'that has no end',
      certificate: (pem) => pem.replace(/-----END.*/s, ''),
      ...{ ...refused, says: /not PEM/ },
    },
    {
      name: 'whose key has signed nothing',
      signer: leafWith({}),
      ...{ ...refused, says: /not made by the key of its certificate/, naiveTakes: true },
    },
    {
      name: 'that the log has not seen: another one of the same key',
      logged: (leaf) => leafWith({ key: leaf.key, emails: ['x@evil.example'] }).pem,
      ...{ ...refused, says: /of another key/, naiveTakes: true },
    },
    {
      name: 'whose key alone the log has seen',
      logged: ({ key }) => key.publicKey,
      ...{ ...refused, says: /of another key/, naiveTakes: true },
    },
    {
      name: 'where the policy names no certificate',
      roots: () => [makeSigstoreKey().publicKey],
      code: 'SIGNATURE_KEY_INVALID',
      naiveTakes: true,
    },
    {
      name: 'where the policy names a damaged one',
      roots: () => [root.pem, toPem(Buffer.from([0x30, 0]))],
      code: 'SIGNATURE_KEY_INVALID',
      naiveTakes: true,
    },
  ],
  async (row) => {
    using desk = new TrustDesk();
    const leaf = row.leaf?.() ?? leafWith({});
    const chain =
      row.chainText ?? (row.chain?.() ?? [between, root]).map(({ pem }) => pem).join('');
    const certificate = (row.certificate ?? ((pem: string) => pem))(leaf.pem);
    const signed = desk.signClaim((row.signer ?? leaf).key);
    const annotations = {
      'dev.sigstore.cosign/bundle': logSignature(log, {
        ...signed,
        publicKey: row.logged?.(leaf) ?? leaf.pem,
        at: (row.loggedAt ?? MADE + MINUTE) / 1000,
      }),
      'dev.sigstore.cosign/certificate': certificate,
      'dev.sigstore.cosign/chain': chain,
    };
    desk.lay([signatureFile(signed, annotations)]);
    desk.require({
      type: 'sigstoreSigned',
      fulcio: {
        caPath: desk.write('ca.pem', (row.roots?.() ?? [root.pem]).join('# and\n')),
        oidcIssuer: ISSUER,
        subjectEmail: EMAIL,
      },
      rekorPublicKeyPath: desk.write('log.pub', log.publicKey),
    });
    if (row.code === undefined) {
      const [accepted] = (await desk.check()).signatures;
      const { key, madeAtMs } = accepted ?? {};
      assert.equal(key, `${EMAIL} by ${ISSUER}`);
      assert.equal(madeAtMs, row.loggedAt ?? MADE + MINUTE);
    } else {
      const startMs = performance.now();
      const error = await assertFails(row.code, () => desk.check());
      assert.ok(performance.now() - startMs < 20_000, 'it took long: somebody can keep berth busy');
      if (row.says !== undefined) assert.match(error.message, row.says);
    }
    assert.equal(naivelyCertified(certificate, chain), row.naiveTakes === true);
  },
);

const third = makeCertificate({ ...long, subject: 'third', issuer: between, authority: true });

function naivelyCertified(certificate: string | undefined, chain: string): boolean {
  try {
    const leaf = new X509Certificate(certificate?.replace(/^.*?(?=-----B)/s, '') ?? '');
    const isSigned = [chain, between.pem].some((text) =>
      leaf.verify(new X509Certificate(text || between.pem).publicKey),
    );
    return isSigned && (leaf.subjectAltName ?? '').includes(EMAIL);
  } catch {
    return false;
  }
}
