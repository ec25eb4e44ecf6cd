import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';

import type { ErrorCode } from '../../src/errors/catalogue.js';
import { assertFails } from '../support/assert-fails.js';
import { runCommand } from '../support/run-command.js';
import { claimOf, SigningKeys } from '../support/signing-keys.js';
import { TempDir } from '../support/temp-dir.js';
import { TrustDesk } from '../support/trust-desk.js';

/*
 * HOSTILE.md, B.9: signatures in OpenPGP. Every row has an image that is asked to be signed by `good`, and what lies where signatures
 * are looked for. The naive verifier goes by the exit status of gpgv, as scripts do, and takes what it printed for the document.
 */

const keys = new SigningKeys();
let good = '';
let keyring: Buffer;
/** A key with a subkey that signs, before and after the subkey was revoked. */
let whole: Buffer;
let revoked: Buffer;
/** With a key that is over by now. */
let lapsed: Buffer;
/** With a key that says by SHA-1 what it is, as those of before 2010 do. */
let aged: Buffer;

const PAST = ['--faked-system-time', '20200101T000000!'];

/** Where the verifier has its own folders: nobody else's are there. */
const temporary = new TempDir();

before(async () => {
  process.env['TMPDIR'] = temporary.path;
  good = await keys.make('good');
  await keys.make('other');
  keyring = await keys.export(['good']);
  const master = await keys.make('master');
  await keys.gpg(['--passphrase', '', '--quick-add-key', master, 'ed25519', 'sign', '0']);
  whole = await keys.export(['master']);
  await keys.gpg([
    ...PAST,
    '--passphrase',
    '',
    '--quick-gen-key',
    'lapsed',
    'ed25519',
    'sign',
    '1y',
  ]);
  lapsed = await keys.export(['lapsed'], PAST);
  await keys.make('aged', ['--cert-digest-algo', 'SHA1']);
  aged = await keys.export(['aged']);
});

after(async () => {
  await keys[Symbol.asyncDispose]();
  temporary[Symbol.dispose]();
});

/** What a desk has lying there; gives the signatures. */
type Lay = (desk: TrustDesk) => Promise<readonly Uint8Array[]>;

const claim = (desk: TrustDesk): string => claimOf(desk.digest, desk.reference);
const sign = (desk: TrustDesk, options: readonly string[] = []): Promise<Buffer> =>
  keys.sign('good', claim(desk), { options });

async function revokeSubkey(): Promise<void> {
  const script = 'key 1\nrevkey\ny\n0\n\ny\nsave\n';
  await runCommand(
    ['gpg', '--homedir', keys.home, '--no-tty', '--command-fd', '0', '--edit-key', 'master'],
    { input: script },
  );
  revoked = await keys.export(['master']);
}

interface Row {
  readonly name: string;
  readonly lay: Lay;
  /** `good` alone unless given. */
  readonly ring?: () => Buffer;
  /** Undefined where it is taken. */
  readonly code?: ErrorCode;
  readonly says?: RegExp;
  /** Whether who goes by gpgv's exit status takes it for a signature of this image. */
  readonly naiveTakes?: true;
}

const rows: readonly Row[] = [
  { name: 'a good signature is taken', lay: async (desk) => [await sign(desk)], naiveTakes: true },
  {
    name: 'S02 an unknown key',
    lay: async (desk) => [await keys.sign('other', claim(desk))],
    code: 'SIGNATURE_INVALID',
    says: /its key is none of those/,
  },
  {
    name: 'S03 an expired signature',
    lay: async (desk) => [
      await keys.sign('lapsed', claim(desk), {
        options: [...PAST, '--default-sig-expire', '1d'],
      }),
    ],
    ring: () => lapsed,
    code: 'SIGNATURE_INVALID',
    says: /expired/,
  },
  {
    name: 'S03 S18 a good signature of a key that has expired since',
    lay: async (desk) => [await keys.sign('lapsed', claim(desk), { options: PAST })],
    ring: () => lapsed,
    code: 'SIGNATURE_INVALID',
    says: /its key has expired/,
    naiveTakes: true,
  },
  {
    name: 'S04 a signature of a subkey is taken while the subkey holds',
    lay: async (desk) => [await keys.sign(await subkey(), claim(desk))],
    ring: () => whole,
    naiveTakes: true,
  },
  {
    name: 'S04 and is not any more once the subkey was revoked',
    lay: async (desk) => {
      const made = await keys.sign(await subkey(), claim(desk));
      await revokeSubkey();
      return [made];
    },
    ring: () => revoked,
    code: 'SIGNATURE_INVALID',
    says: /its key was revoked/,
    naiveTakes: true,
  },
  {
    name: 'S05 a corrupt signature',
    lay: async (desk) => {
      const signature = await sign(desk, ['--compress-algo', 'none']);
      signature[signature.length - 10] = (signature.at(-10) ?? 0) ^ 1;
      return [signature];
    },
    code: 'SIGNATURE_INVALID',
  },
  {
    name: 'S05 a document that was changed inside its signature',
    lay: async (desk) => {
      const signature = await sign(desk, ['--compress-algo', 'none']);
      const at = signature.indexOf('registry.example');
      assert.ok(at > 0);
      signature.write('registry.exampel', at);
      return [signature];
    },
    code: 'SIGNATURE_INVALID',
    says: /does not match/,
  },
  {
    name: 'S05 noise',
    lay: () => Promise.resolve([Buffer.concat([Buffer.from([0x90]), randomBytes(500)])]),
    code: 'SIGNATURE_INVALID',
  },
  {
    name: 'S05 an empty file',
    lay: () => Promise.resolve([Buffer.alloc(0)]),
    code: 'SIGNATURE_MISSING',
  },
  {
    name: 'S07 a signature for another tag of the repository',
    lay: async (desk) => [
      await keys.sign('good', claimOf(desk.digest, 'registry.example/ns/etcd:3.4')),
    ],
    code: 'SIGNATURE_INVALID',
    says: /it is for 'registry.example\/ns\/etcd:3.4'/,
    naiveTakes: true,
  },
  {
    name: 'S07 a signature for another repository',
    lay: async (desk) => [
      await keys.sign('good', claimOf(desk.digest, 'registry.example/ns/shell:3.5')),
    ],
    code: 'SIGNATURE_INVALID',
    naiveTakes: true,
  },
  {
    name: 'S08 a signature for another manifest',
    lay: async (desk) => [
      await keys.sign('good', claimOf(`sha256:${'0'.repeat(64)}`, desk.reference)),
    ],
    code: 'SIGNATURE_INVALID',
    says: /it is for sha256:0000/,
    naiveTakes: true,
  },
  {
    name: 'S08 a signature for another manifest by another algorithm',
    lay: async (desk) => [
      await keys.sign('good', claimOf(`sha512:${'0'.repeat(128)}`, desk.reference)),
    ],
    code: 'SIGNATURE_INVALID',
    naiveTakes: true,
  },
  {
    name: 'S09 one good signature among bad ones',
    lay: async (desk) => [
      await keys.sign('other', claim(desk)),
      randomBytes(100),
      await keys.sign('good', claimOf(desk.digest, 'registry.example/ns/etcd:3.4')),
      await sign(desk),
    ],
  },
  {
    name: 'S10 a literal message instead of a signature',
    lay: async (desk) => [await keys.sign('good', claim(desk), { how: '--store' })],
    code: 'SIGNATURE_INVALID',
  },
  {
    name: 'S10 an encrypted message instead of a signature',
    lay: async (desk) => [
      await keys.sign('good', claim(desk), {
        options: ['--passphrase', 'x', '--pinentry-mode', 'loopback'],
        how: '--symmetric',
      }),
    ],
    code: 'SIGNATURE_INVALID',
  },
  {
    name: 'S10 a signature without what it signs',
    lay: async (desk) => [await keys.sign('good', claim(desk), { how: '--detach-sign' })],
    code: 'SIGNATURE_INVALID',
  },
  {
    name: 'S15 no signature at all',
    lay: () => Promise.resolve([]),
    code: 'SIGNATURE_MISSING',
    says: /has no OpenPGP signature/,
  },
  {
    name: 'S20 a weak hash',
    lay: async (desk) => [await keys.sign('good', claim(desk), { options: WEAK })],
    code: 'SIGNATURE_INVALID',
    naiveTakes: true,
  },
  {
    name: 'S20 an old key whose own hash is weak is taken: who wrote the policy vouches for it',
    ring: () => aged,
    lay: async (desk) => [await keys.sign('aged', claim(desk))],
    naiveTakes: true,
  },
  {
    name: 'S22 a clear-signed text, with a text of its own before it',
    lay: async (desk) => [
      Buffer.concat([
        Buffer.from(`${claim(desk)}\n`),
        await keys.sign('good', claimOf(desk.digest, 'registry.example/x:1'), {
          how: '--clear-sign',
        }),
      ]),
    ],
    code: 'SIGNATURE_MISSING',
    naiveTakes: true,
  },
  {
    name: 'S22 an unsigned document in front of a signed one',
    lay: async (desk) => [
      Buffer.concat([
        await keys.sign('good', claim(desk), { how: '--store' }),
        await keys.sign('good', claimOf(desk.digest, 'registry.example/x:1')),
      ]),
    ],
    code: 'SIGNATURE_INVALID',
  },
  {
    name: 'S22 status lines in the name of the key',
    lay: async (desk) => {
      const name = 'x%0A[GNUPG:] GOODSIG 1 y\n[GNUPG:] GOODSIG 0 z';
      await keys.make(name.replace(/\n/g, ' '));
      return [await keys.sign('x%0A', claim(desk))];
    },
    code: 'SIGNATURE_INVALID',
  },
  {
    name: 'S30 a signature five years from now',
    lay: async (desk) => [await sign(desk, ['--faked-system-time', `${soon(5 * 365 * 86_400)}!`])],
    code: 'SIGNATURE_INVALID',
    says: /future/,
    naiveTakes: true,
  },
  {
    name: 'S30 clocks that differ by a minute',
    lay: async (desk) => [await sign(desk, ['--faked-system-time', `${soon(60)}!`])],
    naiveTakes: true,
  },
  ...[
    { why: 'an unknown member of critical', changes: { critical: { unless: 'rich' } } },
    { why: 'another type', changes: { type: 'cosign container image signature' } },
    { why: 'no digest', changes: { critical: { image: {} } } },
    {
      why: 'two digests',
      changes: { critical: { image: { 'docker-manifest-digest': 'sha256:0', 'oci-digest': '' } } },
    },
    { why: 'an unknown member at the top', changes: { top: { more: {} } } },
    { why: 'nothing optional', changes: { top: { optional: undefined } } },
    { why: 'a time that is none', changes: { optional: { timestamp: 1.5 } } },
    { why: 'a creator that is none', changes: { optional: { creator: {} } } },
  ].map(({ why, changes }): Row => ({
    name: `S22 a signed document with ${why}`,
    lay: async (desk) => [await keys.sign('good', claimOf(desk.digest, desk.reference, changes))],
    code: 'SIGNATURE_INVALID',
    naiveTakes: true,
  })),
  {
    name: 'a signed document with more that is optional is taken',
    lay: async (desk) => [
      await keys.sign(
        'good',
        claimOf(desk.digest, desk.reference, {
          optional: { creator: 'x', ours: [1], timestamp: 5 },
        }),
      ),
    ],
    naiveTakes: true,
  },
  {
    name: 'S22 a signed document with a key twice',
    lay: async (desk) => [
      await keys.sign('good', claim(desk).replace('"optional":{}', '"optional":{},"optional":{}')),
    ],
    code: 'SIGNATURE_INVALID',
    naiveTakes: true,
  },
  {
    name: 'S32 a signature of 100 KiB',
    lay: () => Promise.resolve([Buffer.alloc(100 * 1024, 0x90)]),
    code: 'LIMIT_EXCEEDED',
  },
  {
    name: 'S32 a signature that unpacks to 50 MiB',
    lay: async () => [
      await keys.sign('good', Buffer.alloc(50 * 2 ** 20), { options: ['--compress-algo', 'zlib'] }),
    ],
    code: 'SIGNATURE_INVALID',
    naiveTakes: true,
  },
  {
    name: 'R08 more signatures than anybody reads',
    lay: () => Promise.resolve(Array.from({ length: 129 }, () => Buffer.from([0x90]))),
    code: 'LIMIT_EXCEEDED',
  },
];

const WEAK = ['--digest-algo', 'RIPEMD160'];

for (const { name, lay, ring, code, says, naiveTakes } of rows) {
  test(name, async () => {
    using desk = new TrustDesk();
    const signatures = await lay(desk);
    const keyPath = desk.write('keys.gpg', ring?.() ?? keyring);
    desk.lay(signatures);
    desk.require({ type: 'signedBy', keyType: 'GPGKeys', keyPath });
    if (code === undefined) {
      const { signatures: accepted } = await desk.check();
      assert.equal(accepted.length, 1);
      assert.equal(accepted[0]?.identity, desk.reference);
      if (ring === undefined) assert.equal(accepted[0].key, good);
    } else {
      const error = await assertFails(code, () => desk.check());
      if (says !== undefined) assert.match(error.message, says);
      assert.ok(!error.message.includes('\n'));
    }
    const [first] = signatures;
    if (first === undefined || signatures.length > 1) return;
    desk.write('first.sig', first);
    const naive = await runCommand(['gpgv', '--keyring', keyPath, desk.at('first.sig')]);
    assert.equal(naive.status === 0, naiveTakes === true, naive.stderr);
  });
}

async function subkey(): Promise<string> {
  return `${await keys.fingerprint('master', 'subkey')}!`;
}

/** A time from now, as GnuPG writes it. */
function soon(seconds: number): string {
  return new Date(Date.now() + seconds * 1000).toISOString().replace(/[-:]|\.\d+Z$/g, '');
}

test('S08 a manifest that was changed by one space', async () => {
  using desk = new TrustDesk();
  desk.require({ type: 'signedBy', keyType: 'GPGKeys', keyData: keyring.toString('base64') });
  desk.lay([await sign(desk)]);
  assert.equal((await desk.check()).signatures.length, 1);
  const changed = Buffer.from(desk.manifest.toString().replace('{', '{ '));
  await assertFails('SIGNATURE_MISSING', () => desk.check(changed));
});

test('nothing is left behind', () => {
  assert.deepEqual(readdirSync(temporary.path), []);
});
