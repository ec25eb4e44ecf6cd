import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { describePolicy } from '../../../src/trust/describe-policy.js';
import { parsePolicy } from '../../../src/trust/parse-policy.js';
import { loadRegistriesD } from '../../../src/trust/registries-d.js';
import { makeSigstoreKey } from '../../support/sigstore-attachments.js';
import { TempDir } from '../../support/temp-dir.js';
import { makeCertificate } from '../../support/x509-builder.js';

test('describePolicy() says who has to have signed by a certificate, and whose authorities count', async () => {
  using folder = new TempDir();
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder.path, name), text);
    return join(folder.path, name);
  };
  const caPath = write('ca.pem', makeCertificate({ authority: true }).pem);
  const rekorPublicKeyPath = write('log.pub', makeSigstoreKey().publicKey);
  const email = 'release@example.com';
  const type = 'sigstoreSigned';
  const policy = parsePolicy(
    Buffer.from(
      JSON.stringify({
        default: [
          {
            ...{ type, rekorPublicKeyPath },
            fulcio: { caPath, oidcIssuer: 'https://id.example', subjectEmail: email },
          },
          { type, pki: { caRootsPath: caPath, subjectHostname: 'build.example.com' } },
          { type, pki: { caRootsPath: rekorPublicKeyPath, subjectEmail: email } },
          { type: 'signedBaseLayer', baseLayerIdentity: {} },
        ],
      }),
    ),
    'policy.json',
  );
  const [fulcio, pki, damaged, foreign] = await describePolicy({
    policy,
    registriesD: await loadRegistriesD(folder.path),
    onDisk: (path) => Promise.resolve(path),
    signal: new AbortController().signal,
  });
  const sha256 = /^sha256:[0-9a-f]{64} /;
  assert.deepEqual(
    fulcio?.keys.map((key) => key.replace(sha256, '… ')),
    [`${email} by https://id.example`, '… as authority', '… of the log'],
  );
  assert.deepEqual(fulcio.files, [caPath, rekorPublicKeyPath]);
  assert.deepEqual(
    pki?.keys.map((key) => key.replace(sha256, '… ')),
    ['build.example.com', '… as authority'],
  );
  assert.match(damaged?.problem ?? '', /it is not PEM of certificates/);
  assert.match(foreign?.problem ?? '', /^signedBaseLayer is not verified/);
  assert.equal(foreign?.type, 'signedBaseLayer');
});
