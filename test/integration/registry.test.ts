import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { debianImageLayers, pushDebianImage } from '../support/debian-image.js';
import { each } from '../support/each.js';
import { startRegistry } from '../support/registry.js';
import { runCommand, runOk } from '../support/run-command.js';

const credentials = { user: 'harbour', password: 'pässword:with$signs' };

each(
  'a registry takes an image and gives it back',
  [
    { name: 'plain', options: {} },
    { name: 'TLS', options: { tls: true } },
    { name: 'TLS and a password', options: { tls: true, credentials } },
  ],
  async ({ options }) => {
    await using registry = await startRegistry(options);
    const target = registry.target('probe');
    const pushed = await pushDebianImage(target, 'probe');
    const curl = [
      ...['curl', '--silent', '--show-error', '--fail'],
      ...('tls' in options ? ['--cacert', registry.caFile] : []),
      ...[
        '--header',
        `accept: ${pushed.mediaType}`,
        `${registry.origin}/v2/probe/manifests/latest`,
      ],
    ];
    const { authorization } = target.headers ?? {};
    if (authorization !== undefined) {
      assert.equal((await runCommand(curl)).status, 22, 'it answered without a password');
      curl.push('--header', `authorization: ${authorization}`);
    }
    const manifest = await runOk(curl);
    assert.equal(Buffer.byteLength(manifest), pushed.size);
  },
);

test('a layer of a Debian image is a gzip of a tree with the files of the package and of the fixture', async () => {
  const [, layer = ''] = await debianImageLayers('etcd');
  assert.equal((await readFile(layer)).subarray(0, 2).toString('hex'), '1f8b');
  const names = (await runOk(['tar', '--list', '--file', layer])).split('\n');
  for (const name of ['./usr/bin/etcd', './exports/manifest.json', './usr/bin/etcd-env.sh']) {
    assert.ok(names.includes(name), name);
  }
});
