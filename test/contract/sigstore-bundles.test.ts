import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { BerthInTree } from '../support/berth-in-tree.js';
import { FakeRegistry } from '../support/fake-registry.js';
import type { PushedDescriptor } from '../support/push-image.js';
import { startRegistry } from '../support/registry.js';
import { makeSigstoreKey } from '../support/sigstore-attachments.js';
import {
  logStatement,
  makeBundle,
  pushBundles,
  signStatement,
  statementOf,
} from '../support/sigstore-bundles.js';

// What cosign 3 has signed is installed, whether its registry keeps a list of what refers to what or not.

const key = makeSigstoreKey();
const log = makeSigstoreKey();
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

for (const { name, start, how } of [
  { name: 'docker-registry, which keeps no list', start: () => startRegistry(), how: 'tag' },
  { name: 'the fake registry, which does', start: () => FakeRegistry.start(), how: 'list' },
] as const) {
  test(`an image with a bundle is installed, and again without its registry: ${name}`, async (t) => {
    using tree = new BerthInTree();
    const registry = await start();
    let isOpen = true;
    const close = async (): Promise<void> => {
      if (isOpen) await registry[Symbol.asyncDispose]();
      isOpen = false;
    };
    t.after(close);
    const image = `http:${registry.host}/ns/web:1`;
    const write = (path: string, text: string): void => {
      mkdirSync(`${tree.path}/${path}`.replace(/[^/]*$/, ''), { recursive: true });
      writeFileSync(`${tree.path}/${path}`, text);
    };
    write('etc/pki/key.pub', key.publicKey);
    write('etc/pki/log.pub', log.publicKey);
    const keyPaths = { keyPath: '/etc/pki/key.pub', rekorPublicKeyPath: '/etc/pki/log.pub' };
    const requirement = { type: 'sigstoreSigned', ...keyPaths };
    write(
      'etc/containers/policy.json',
      JSON.stringify({
        default: [{ type: 'reject' }],
        transports: { docker: { '': [requirement] } },
      }),
    );
    write(
      'etc/containers/registries.d/a.yaml',
      'default-docker:\n  use-sigstore-attachments: true\n',
    );
    const layout = tree.makeImage('web', [{ path: 'version', content: '1' }]);
    const { digest } = JSON.parse(
      await tree.runOk('--json', 'copy', '--insecure-policy', layout, image),
    ) as Pick<PushedDescriptor, 'digest'>;
    const unsigned = await tree.run('install', '--name', 'web', image);
    assert.equal(unsigned.status, 77, unsigned.stderr);
    assert.match(unsigned.stderr, /has no sigstore signature/);

    const signed = signStatement(key, statementOf(digest));
    const entries = [logStatement(log, { signed, signer: key.publicKey })];
    const target = { origin: registry.origin, repository: 'ns/web' };
    const subject = { mediaType: MANIFEST, digest, size: 1000 };
    await pushBundles(target, [makeBundle(signed, { entries })], { subject, how });
    const unnamed = await tree.run('install', '--name', 'web', image);
    assert.equal(unnamed.status, 65, unnamed.stderr);
    const hint = `unnamed-signatures = ["${registry.host}/ns/web"]`;
    assert.match(unnamed.stderr, /bundle 1: it names no image.*\nhint: .*section \[trust\]/);
    assert.ok(unnamed.stderr.includes(hint), unnamed.stderr);

    // What the hint says is what helps.
    write('etc/berth/berth.conf', `[trust]\n${hint}\n`);
    const shown = `signatures that name no image do for ${registry.host}/ns/web (berth.conf)`;
    assert.ok((await tree.runOk('trust', 'show')).includes(shown));
    const told = `sha256:[0-9a-f]{64} as ${digest} \\(docker:\\)`;
    const plan = await tree.runOk('install', '--plan', '--name', 'web', image);
    assert.match(plan, new RegExp(`signed  ${told}`));
    await tree.runOk('install', '--name', 'web', image);
    assert.match(await tree.runOk('info', 'web'), new RegExp(`Signed:    ${told}`));
    await tree.runOk('copy', image, `oci:${tree.path}/copied:1`);

    // The bundle was kept, and is verified anew: by the log's key of the day, too.
    await close();
    await tree.runOk('install', '--no-pull', '--name', 'again', image);
    write('etc/pki/log.pub', makeSigstoreKey().publicKey);
    const other = await tree.run('install', '--no-pull', '--name', 'other', image);
    assert.notEqual(other.status, 0);
    write('etc/pki/log.pub', log.publicKey);
    rmSync(`${tree.path}/etc/berth/berth.conf`);
    assert.notEqual((await tree.run('install', '--no-pull', '--name', 'other', image)).status, 0);
  });
}

test('a scope that can fit no image is refused by name', async () => {
  using tree = new BerthInTree();
  mkdirSync(`${tree.path}/etc/berth`, { recursive: true });
  writeFileSync(`${tree.path}/etc/berth/berth.conf`, '[trust]\nunnamed-signatures = ["etcd"]\n');
  const image = tree.makeImage('web', [{ path: 'version', content: '1' }]);
  const { status, stderr } = await tree.run('install', '--name', 'web', image);
  assert.equal(status, 78, stderr);
  assert.match(stderr, /trust\.unnamed-signatures: 'etcd' names no registry/);
});
