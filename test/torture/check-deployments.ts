import { lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

import {
  listContainerNames,
  loadDeployment,
  readNameLink,
} from '../../src/containers/container-directory.js';
import type { Deployment } from '../../src/containers/deployment.js';
import { compareFile } from '../../src/containers/file-state.js';
import type { Host } from '../../src/containers/host.js';
import type { DirectoryNode, TreeNode } from '../../src/layer/tree.js';
import { parseStrictJson } from '../../src/base/strict-json.js';
import type { Report } from './violation.js';

/** I1 and I4: what a NAME link leads to has everything, as its record and its image say. */
export async function checkDeployments(host: Host, report: Report): Promise<void> {
  for (const name of await listContainerNames(host.paths)) {
    try {
      const directory = await readNameLink(host.paths, name);
      if (directory === undefined || !new RegExp(`^${escape(name)}\\.\\d+$`).test(directory)) {
        report('I1', `${name} leads to ${directory ?? 'no deployment'}`);
        continue;
      }
      const deployment = await loadDeployment(host.paths, directory);
      await checkComplete(host, deployment, (id, what) => {
        report(id, `${directory}: ${what}`);
      });
    } catch (error) {
      report('I1', `${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

async function checkComplete(host: Host, deployment: Deployment, report: Report): Promise<void> {
  const { stateDir } = host.paths;
  const folder = host.paths.onDisk(join(stateDir, `${deployment.name}.${deployment.number}`));
  for (const file of deployment.files) {
    if (file.source === '') continue;
    const state = await compareFile(join(folder, file.source), file);
    if (state !== 'same') report('I4', `${file.source} is ${state}`);
  }
  // One of atomic's runs by the files that atomic made.
  if (deployment.units.length > 0 && deployment.adoptedFrom === undefined) {
    const plan = readFileSync(join(folder, 'launch.plan'));
    if (plan.toString('latin1', 0, 8) !== 'BERTHPLN' || plan.readUInt32LE(12) !== plan.length)
      report('I4', 'launch.plan is torn');
    parseStrictJson(readFileSync(join(folder, 'config.json')), { what: 'config.json' });
  }
  if (deployment.rootfs !== 'checkout') return;
  const store = await host.openStore();
  const image = await store.findImage(deployment.image.digest);
  if (image === undefined) {
    report('I5', `the store lost its image ${deployment.image.digest}`);
    return;
  }
  const tree = await store.openTree(image);
  await checkTree(tree.root, join(folder, 'rootfs'), report);
}

/** What the image has stands in the checkout; mount points may stand there, too. */
async function checkTree(node: DirectoryNode, path: string, report: Report): Promise<void> {
  for (const [name, child] of node.entries) {
    const full = `${path}/${Buffer.from(name, 'latin1').toString()}`;
    const problem = await problemOf(child, full);
    if (problem !== undefined) report('I1', `${full}: ${problem}`);
    else if (child.kind === 'directory') await checkTree(child, full, report);
  }
}

async function problemOf(node: TreeNode, path: string): Promise<string | undefined> {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return 'it is missing';
  const { meta } = node;
  if (status.uid !== meta.uid || status.gid !== meta.gid) return 'it has another owner';
  if (node.kind !== 'symlink' && (status.mode & 0o7777) !== meta.mode)
    return `its mode is ${(status.mode & 0o7777).toString(8)}`;
  switch (node.kind) {
    case 'directory':
      return status.isDirectory() ? undefined : 'it is no folder';
    case 'symlink':
      return status.isSymbolicLink() && readlinkSync(path, 'latin1') === node.target
        ? undefined
        : 'it leads elsewhere';
    case 'file': {
      if (status.size !== node.size) return `it has ${status.size} of ${node.size} bytes`;
      const expected = { kind: 'file', sha256: node.contentSha256 } as const;
      return (await compareFile(path, expected)) === 'same' ? undefined : 'its content differs';
    }
    default:
      return status.isFile() || status.isDirectory() ? 'it is no special file' : undefined;
  }
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
