import assert from 'node:assert/strict';
import { test } from 'node:test';

import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { makeSigstoreKey } from '../support/sigstore-attachments.js';
import {
  logStatement,
  makeBundle,
  signStatement,
  statementOf,
  type BundleEntryParts,
} from '../support/sigstore-bundles.js';
import { TrustDesk } from '../support/trust-desk.js';
import {
  extension,
  makeCertificate,
  PURPOSE,
  type CertificateParts,
  type MadeCertificate,
} from '../support/x509-builder.js';

/* HOSTILE.md, B.9: bundles by a certificate in place of a key. */

const log = makeSigstoreKey();
const EMAIL = 'release@example.com';
const ISSUER = 'https://id.example';
const MINUTE = 60_000;

/** When the certificate was made, which lives for ten minutes: long ago. */
const MADE = Math.floor(Date.now() / 1000) * 1000 - 400 * 86_400_000;
const long = { fromMs: MADE - 86_400_000, toMs: MADE + 86_400_000, authority: true, usage: 0x06 };
const root = makeCertificate({ ...long, subject: 'root' });
const between = makeCertificate({ ...long, subject: 'between', issuer: root, authority: 0 });
const leafWith = (changes: CertificateParts = {}): MadeCertificate =>
  makeCertificate({
    ...{ subject: 'leaf', issuer: root, fromMs: MADE, toMs: MADE + 10 * MINUTE, usage: 0x80 },
    purposes: [PURPOSE.code],
    emails: [EMAIL],
    more: [extension('1.3.6.1.4.1.57264.1.1', Buffer.from(ISSUER))],
    ...changes,
  });

interface CertifiedRow {
  readonly name: string;
  readonly leaf?: () => MadeCertificate;
  readonly log?: Partial<BundleEntryParts>;
  /** What comes with the bundle, where it is not the certificate of who has signed. */
  readonly certificate?: string | null;
  /** In the policy; the root unless given. */
  readonly authorities?: readonly MadeCertificate[];
  readonly says?: RegExp;
}

each<CertifiedRow>(
  'S17 S18 a bundle by a certificate of fulcio',
  [
    { name: 'that has long ended is taken, as it was logged in its time' },
    { name: 'is taken with a promise alone', log: { proofs: ['promise'], kind: 'intoto 0.0.2' } },
    {
      name: 'of a log that says no time',
      log: { proofs: ['tree'], kind: 'hashedrekord 0.0.2' },
      says: /the log does not say when .*\(rekor 2\), and berth reads no times of RFC 3161/,
    },
    {
      name: 'of a log that says no time that it has signed',
      log: { proofs: ['tree'] },
      says: /the log does not say when/,
    },
    { name: 'logged after its end', log: { at: MADE / 1000 + 3600 }, says: /not in force after/ },
    { name: 'that is missing', certificate: null, says: /no certificate of who has made it/ },
    { name: 'of somebody else', certificate: leafWith().pem, says: /of another key/ },
    {
      name: 'that is damaged',
      certificate: leafWith().pem.replace('\nMII', '\nMIA'),
      says: /its certificate/,
    },
    {
      name: 'of another address',
      leaf: () => leafWith({ emails: ['someone@example.com'] }),
      says: /is not of 'release@example.com' but of/,
    },
    {
      name: 'of an authority between is taken where the policy has that, too',
      leaf: () => leafWith({ issuer: between }),
      authorities: [root, between],
    },
    {
      name: 'of an authority between that nobody has',
      leaf: () => leafWith({ issuer: between }),
      says: /leads to none of the authorities/,
    },
    {
      name: 'of another authority',
      leaf: () => leafWith({ issuer: makeCertificate({ ...long, subject: 'root' }) }),
      says: /leads to none of the authorities/,
    },
  ],
  async ({ leaf = leafWith, log: changes, certificate, authorities = [root], says }) => {
    using desk = TrustDesk.forBundles();
    desk.require({
      type: 'sigstoreSigned',
      fulcio: {
        caPath: desk.write('ca.pem', authorities.map(({ pem }) => pem).join('')),
        oidcIssuer: ISSUER,
        subjectEmail: EMAIL,
      },
      rekorPublicKeyPath: desk.write('log.pub', log.publicKey),
    });
    const { pem, key } = leaf();
    const signed = signStatement(key, statementOf(desk.digest));
    const at = (MADE + MINUTE) / 1000;
    const entries = [logStatement(log, { signed, signer: pem, at, ...changes })];
    const shown = certificate === null ? undefined : (certificate ?? pem);
    const source = desk.sourceWith([makeBundle(signed, { certificate: shown, entries })]);
    const check = () => desk.check(desk.manifest, source);
    if (says === undefined) {
      const [accepted] = (await check()).signatures;
      assert.equal(accepted?.key, `${EMAIL} by ${ISSUER}`);
      assert.equal(accepted.madeAtMs, MADE + MINUTE);
    } else assert.match((await assertFails('SIGNATURE_INVALID', check)).message, says);
  },
);

test("S18 a bundle by a certificate of an authority of one's own counts while it is in force", async () => {
  for (const [toMs, says] of [
    [Date.now() + 86_400_000, undefined],
    [Date.now() - 1000, /was not in force after/],
  ] as const) {
    using desk = TrustDesk.forBundles();
    const own = { fromMs: MADE, toMs };
    const authority = makeCertificate({ ...long, ...own, toMs: Date.now() + 86_400_000 });
    const { pem, key } = leafWith({ ...own, issuer: authority });
    desk.require({
      type: 'sigstoreSigned',
      pki: { caRootsPath: desk.write('ca.pem', authority.pem), subjectEmail: EMAIL },
    });
    const signed = signStatement(key, statementOf(desk.digest));
    const source = desk.sourceWith([makeBundle(signed, { certificate: pem })]);
    const check = () => desk.check(desk.manifest, source);
    if (says === undefined) assert.equal((await check()).signatures[0]?.key, EMAIL);
    else assert.match((await assertFails('SIGNATURE_INVALID', check)).message, says);
  }
});
