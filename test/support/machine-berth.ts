import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { projectRoot } from './cache-folder.js';
import { hostNode } from './host-node.js';
import type { RealRegistry } from './registry.js';
import { runOk } from './run-command.js';

/** How berth is called on a whole machine whose tree {@link putBerthInto} prepared. */
export const MACHINE_BERTH = 'node /opt/berth/dist/bin/berth.cjs';

/** Copies Node and this checkout's program into a tree. */
export async function putProgramInto(tree: string): Promise<void> {
  await copyFile(await hostNode(), join(tree, 'usr/bin/node'));
  await mkdir(join(tree, 'opt/berth/dist'), { recursive: true });
  for (const part of ['package.json', 'unit-templates', 'packaging', 'dist/bin', 'dist/launcher']) {
    await runOk(['cp', '-r', join(projectRoot, part), join(tree, 'opt/berth', part)]);
  }
  const paths = await runOk(['npm', 'ls', '--omit=dev', '--all', '--parseable'], {
    cwd: projectRoot,
  });
  for (const path of paths.split('\n').filter((line) => line.includes('/node_modules/'))) {
    const target = join(tree, 'opt/berth', path.slice(projectRoot.length));
    await mkdir(join(target, '..'), { recursive: true });
    await runOk(['cp', '-r', '--no-target-directory', path, target]);
  }
}

/** Copies Node and this checkout's program into a tree, and lets it use the registry of the test without TLS. */
export async function putBerthInto(tree: string, registry: RealRegistry): Promise<void> {
  await putProgramInto(tree);
  await mkdir(join(tree, 'etc/containers'), { recursive: true });
  await writeFile(
    join(tree, 'etc/containers/registries.conf'),
    `[[registry]]\nlocation = "10.0.2.2:${registry.port}"\ninsecure = true\n`,
  );
}
