import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readAuthorities } from '../../src/trust/certified-signer.js';
import { verifySigstore } from '../../src/trust/verify-sigstore.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { signatureFile, signSigstore } from '../support/sigstore-attachments.js';
import { TrustDesk } from '../support/trust-desk.js';
import { makeCertificate, toPem, type CertificateParts } from '../support/x509-builder.js';

/* HOSTILE.md, B.9: signatures by certificates of an authority of one's own, certificates that are damaged, and what nobody verifies. */

const EMAIL = 'release@example.com';
const MINUTE = 60_000;

each(
  'S18 a signature by a certificate of an authority of one’s own',
  [
    { name: 'of an address', pki: { subjectEmail: EMAIL } },
    { name: 'of a host, in any capitals', pki: { subjectHostname: 'Build.example.com' } },
    {
      name: 'of any host of a domain',
      parts: { hosts: ['*.example.com'] },
      pki: { subjectHostname: 'build.example.com' },
    },
    { name: 'of both', pki: { subjectEmail: EMAIL, subjectHostname: 'build.example.com' } },
    { name: 'for any purpose', parts: { purposes: ['2.5.29.37.0'] }, pki: { subjectEmail: EMAIL } },
    {
      name: 'of another host',
      pki: { subjectEmail: EMAIL, subjectHostname: 'other.example.com' },
      says: /is not of 'other\.example\.com' but of 'release@example\.com' and 1 more/,
    },
    {
      name: 'of a domain that is too wide',
      parts: { hosts: ['*.example.com'] },
      pki: { subjectHostname: 'a.build.example.com' },
      says: /is not of/,
    },
    {
      name: 'of the domain itself',
      parts: { hosts: ['*.example.com'] },
      pki: { subjectHostname: 'example.com' },
      says: /is not of/,
    },
    {
      name: 'of an address that is written in other capitals',
      pki: { subjectEmail: 'Release@example.com' },
      says: /is not of/,
    },
    {
      name: 'that has ended',
      parts: { toMs: Date.now() - MINUTE },
      pki: { subjectEmail: EMAIL },
      says: /was not in force after/,
    },
  ] as readonly {
    readonly name: string;
    readonly parts?: CertificateParts;
    readonly pki: Readonly<Record<string, string>>;
    readonly says?: RegExp;
  }[],
  async ({ parts, pki, says }) => {
    using desk = new TrustDesk();
    const now = { subject: 'now', authority: true } as const;
    const theirRoot = makeCertificate(now);
    const middle = makeCertificate({ ...now, subject: 'middle', issuer: theirRoot });
    const leaf = makeCertificate({
      ...{ issuer: middle, emails: [EMAIL], hosts: ['build.example.com'] },
      ...parts,
    });
    // What wraps lines, as base64(1) does, is read by podman, too.
    const signed = desk.signClaim(leaf.key);
    const signature = signed.signature.replace(/.{60}/g, '$&\n');
    const annotations = { 'dev.sigstore.cosign/certificate': leaf.pem };
    desk.lay([signatureFile({ ...signed, signature }, annotations)]);
    const requirement = (more: object): object => ({
      type: 'sigstoreSigned',
      pki: { caRootsPath: desk.write('roots.pem', theirRoot.pem), ...pki, ...more },
    });
    const caIntermediatesData = Buffer.from(middle.pem).toString('base64');
    desk.require(requirement({ caIntermediatesData }) as Readonly<Record<string, unknown>>);
    if (says !== undefined) {
      assert.match((await assertFails('SIGNATURE_INVALID', () => desk.check())).message, says);
      return;
    }
    const [accepted] = (await desk.check()).signatures;
    assert.equal(
      accepted?.key,
      [pki['subjectEmail'], pki['subjectHostname']].filter(Boolean).join(', '),
    );
    desk.require(requirement({}) as Readonly<Record<string, unknown>>);
    await assertFails('SIGNATURE_INVALID', () => desk.check());
  },
);

test('S18 a certificate of which a byte was changed gives nobody’s signature, and no crash', () => {
  const authority = makeCertificate({ subject: 'authority', authority: true });
  const leaf = makeCertificate({ issuer: authority, emails: [EMAIL] });
  const roots = readAuthorities([{ bytes: Buffer.from(authority.pem), name: 'the authority' }]);
  const signer = { kind: 'pki', roots, between: [], email: EMAIL, host: undefined } as const;
  const payload = Buffer.from('a document');
  const signature = signSigstore(leaf.key, payload.toString());
  const isTaken = (pem: string): boolean => {
    const annotations = {
      'dev.cosignproject.cosign/signature': signature,
      'dev.sigstore.cosign/certificate': pem,
    };
    const whom = { signer, logKeys: undefined, nowMs: Date.now() };
    return verifySigstore({ payload, annotations }, whom).good;
  };
  const bytes = Buffer.from(leaf.pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  assert.ok(isTaken(toPem(bytes)));
  for (let index = 0; index < bytes.length; index++) {
    for (const flip of [1, 0x80, 1 + (index % 255)]) {
      const changed = Buffer.from(bytes);
      changed[index] = (changed[index] ?? 0) ^ flip;
      assert.ok(!isTaken(toPem(changed)), `byte ${index} was changed, and it is taken`);
    }
  }
});

test('S17 a kind of signature that nobody verifies refuses what it is asked about, and nothing else', async () => {
  using desk = new TrustDesk();
  const free = [{ type: 'insecureAcceptAnything' }];
  const x509 = { type: 'signedBy', keyType: 'X509Certificates', keyPath: '/etc/ca.pem' };
  const base = { type: 'signedBaseLayer', baseLayerIdentity: { type: 'matchRepository' } };
  for (const [requirement, says] of [
    [x509, /signedBy with X509Certificates \(docker:registry\.example\/ns\/etcd:3\.5\)/],
    [base, /asks for signedBaseLayer/],
  ] as const) {
    const policy = {
      default: free,
      transports: {
        docker: { 'registry.example/other': [requirement], 'registry.example/ns': free },
      },
    };
    desk.write('policy.json', JSON.stringify(policy));
    assert.equal((await desk.check()).scope, 'docker:registry.example/ns');
    const text = JSON.stringify(policy).replace('registry.example/other', desk.reference);
    desk.write('policy.json', text);
    const error = await assertFails('SIGNATURE_UNSUPPORTED', () => desk.check());
    assert.match(error.message, says);
    assert.match(error.hint ?? '', /trust add/);
  }
});
