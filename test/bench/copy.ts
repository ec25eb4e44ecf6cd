import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { pushImage } from '../support/push-image.js';
import { startRegistry } from '../support/registry.js';
import { TempDir } from '../support/temp-dir.js';
import { compare, type Figure } from './measure.js';

const LAYERS = 4;
const LAYER_BYTES = 100_000_000;

/** The whole command each time, from its start to its end. Neither of them unpacks anything. */
export async function benchCopy(parent: string): Promise<readonly Figure[]> {
  await using registry = await startRegistry();
  const layers = Array.from({ length: LAYERS }, () => ({
    content: gzipSync(randomBytes(LAYER_BYTES), { level: 0 }),
  }));
  await pushImage(registry.target('bench'), 'latest', { layers });
  using dir = new TempDir(parent);
  const policy = join(dir.path, 'policy.json');
  writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
  const from = `docker://${registry.reference('bench')}`;
  const to = (name: string, round: number): string =>
    `oci:${join(dir.path, `${name}${round}`)}:bench`;
  const program = new URL('../../src/main.js', import.meta.url).pathname;
  return await compare('copy an image of 400 MB from a registry to a layout', 3, [
    {
      what: 'berth copy: verified, synced',
      run: (round) => {
        mustRun(process.execPath, [program, 'copy', '--json', from, to('berth', round)]);
      },
    },
    {
      what: 'skopeo copy',
      run: (round) => {
        const options = ['--policy', policy, 'copy', '--quiet', '--src-tls-verify=false'];
        mustRun('skopeo', [...options, from, to('skopeo', round)]);
      },
    },
  ]);
}

function mustRun(program: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (status !== 0) throw error ?? new Error(`${program} failed: ${stderr.toString()}`);
}
