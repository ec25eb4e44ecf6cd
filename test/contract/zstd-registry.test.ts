import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { Puller } from '../support/pull-from.js';
import { pushImage } from '../support/push-image.js';
import { startRegistry } from '../support/registry.js';
import { runOk } from '../support/run-command.js';
import { buildTar } from '../support/tar-builder.js';

test('an image that skopeo compressed with zstd is pulled from a registry', async () => {
  await using registry = await startRegistry();
  const layer = buildTar([
    { path: 'usr/', mode: 0o755 },
    { path: 'usr/text', content: 'zstd '.repeat(1_000_000) },
  ]);
  await pushImage(registry.target('plain'), 'latest', { layers: [{ content: layer }] });
  const folder = await mkdtemp(join(tmpdir(), 'berth-zstd-'));
  try {
    const policy = join(folder, 'policy.json');
    await writeFile(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
    await runOk([
      ...['skopeo', '--policy', policy, 'copy', '--format', 'oci'],
      ...['--src-tls-verify=false', '--dest-tls-verify=false', '--dest-compress-format', 'zstd'],
      ...[`docker://${registry.reference('plain')}`, `docker://${registry.reference('zstd')}`],
    ]);
  } finally {
    await rm(folder, { recursive: true });
  }
  await using puller = new Puller();
  const image = await puller.pull(`docker://${registry.reference('zstd')}`);
  const [descriptor] = image.manifest.layers;
  assert.match(descriptor?.mediaType ?? '', /\+zstd$/);
  const tree = await puller.store.openTree(image);
  const usr = tree.root.entries.get('usr');
  assert.ok(usr?.kind === 'directory' && usr.entries.get('text')?.kind === 'file');
});
