import assert from 'node:assert/strict';
import { chmodSync, chownSync, symlinkSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { assertFails } from '../support/assert-fails.js';
import { runOk } from '../support/run-command.js';
import { claimOf, SigningKeys } from '../support/signing-keys.js';
import { TrustDesk } from '../support/trust-desk.js';

/* HOSTILE.md, B.9: which keys have to have signed. */

const keys = new SigningKeys();
let good = '';
let keyring: Buffer;

before(async () => {
  good = await keys.make('good');
  await keys.make('other');
  keyring = await keys.export(['good']);
});

after(() => keys[Symbol.asyncDispose]());

const claim = (desk: TrustDesk): string => claimOf(desk.digest, desk.reference);

test('S15 every requirement takes a signature of its own', async () => {
  using desk = new TrustDesk();
  const other = await keys.export(['other'], ['--armor']);
  const both = [
    { type: 'signedBy', keyType: 'GPGKeys', keyData: keyring.toString('base64') },
    { type: 'signedBy', keyType: 'GPGKeys', keyData: other.toString('base64') },
  ];
  desk.require(...both);
  desk.lay([await keys.sign('good', claim(desk))]);
  await assertFails('SIGNATURE_INVALID', () => desk.check());
  desk.lay([await keys.sign('good', claim(desk)), await keys.sign('other', claim(desk))]);
  assert.deepEqual(
    (await desk.check()).signatures.map(({ key }) => key),
    [good, await keys.fingerprint('other')],
  );
  desk.require({ type: 'insecureAcceptAnything' }, ...both, { type: 'reject' });
  await assertFails('SIGNATURE_REFUSED', () => desk.check());
});

test('S29 while keys change, either signs; afterwards the old one does not', async () => {
  using desk = new TrustDesk();
  const old = desk.write('old.gpg', keyring);
  const fresh = desk.write('new.asc', await keys.export(['other'], ['--armor']));
  const signatures = [await keys.sign('good', claim(desk)), await keys.sign('other', claim(desk))];
  desk.require({ type: 'signedBy', keyType: 'GPGKeys', keyPaths: [old, fresh] });
  for (const signature of signatures) {
    desk.lay([signature]);
    assert.equal((await desk.check()).signatures.length, 1);
  }
  desk.require({ type: 'signedBy', keyType: 'GPGKeys', keyPaths: [fresh] });
  desk.lay(signatures.slice(0, 1));
  await assertFails('SIGNATURE_INVALID', () => desk.check());
});

test('a key that cannot be read or used is an error of its own, also beside a good one', async () => {
  using desk = new TrustDesk();
  desk.lay([await keys.sign('good', claim(desk))]);
  const keyPath = desk.write('good.gpg', keyring);
  const secret = await keys.gpg(['--armor', '--export-secret-keys', 'good']);
  for (const wrong of [
    '/nonexistent/key.gpg',
    desk.write('empty.gpg', ''),
    desk.write('text.gpg', 'hello'),
    desk.write('secret.asc', secret),
    desk.write(
      'damaged.asc',
      '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n§§\n-----END PGP PUBLIC KEY BLOCK-----\n',
    ),
  ]) {
    desk.require({ type: 'signedBy', keyType: 'GPGKeys', keyPaths: [keyPath, wrong] });
    await assertFails('SIGNATURE_KEY_INVALID', () => desk.check());
  }
});

test('S12 a key that others may write, or that is no file, is refused: who can change it decides who may sign', async () => {
  using desk = new TrustDesk();
  desk.lay([await keys.sign('good', claim(desk))]);
  const keyPath = desk.write('good.gpg', keyring);
  desk.require({ type: 'signedBy', keyType: 'GPGKeys', keyPath });
  assert.equal((await desk.check()).signatures.length, 1);
  for (const [mode, hint] of [
    [0o664, /^chmod go-w /],
    [0o646, /^chmod go-w /],
  ] as const) {
    chmodSync(keyPath, mode);
    const error = await assertFails('SIGNATURE_KEY_INVALID', () => desk.check());
    assert.match(error.message, /written by others/);
    assert.match(error.hint ?? '', hint);
  }
  chmodSync(keyPath, 0o644);
  // The link is root's, who says with it which file is meant.
  symlinkSync(keyPath, desk.at('link.gpg'));
  desk.require({ type: 'signedBy', keyType: 'GPGKeys', keyPath: desk.at('link.gpg') });
  assert.equal((await desk.check()).signatures.length, 1);
  chownSync(keyPath, 65_534, 65_534);
  const theirs = await assertFails('SIGNATURE_KEY_INVALID', () => desk.check());
  assert.match(theirs.message, /belongs to user 65534/);
  await runOk(['mkfifo', desk.at('fifo.gpg')]);
  desk.require({ type: 'signedBy', keyType: 'GPGKeys', keyPath: desk.at('fifo.gpg') });
  const pipe = await assertFails('SIGNATURE_KEY_INVALID', () => desk.check());
  assert.match(pipe.message, /not a regular file/);
});
