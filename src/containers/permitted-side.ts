import { join } from 'node:path/posix';

import { parseContainerName } from '../base/container-name.js';
import { OperationalError } from '../errors/operational-error.js';
import { MAX_RUNTIME_CONFIG_BYTES, parseRuntimeConfig } from '../oci/parse-runtime-config.js';
import { createBuiltInRuntime } from '../runtime/built-in-runtime.js';
import { openDirectoryTree } from '../store/directory-tree.js';
import { parseUnit } from '../systemd/unit-text.js';
import { readForerunnerFile } from './adopt/forerunner-files.js';
import { compileService } from './compile-service.js';
import type { Deployment } from './deployment.js';
import { readDeploymentTexts } from './difference-sides.js';
import type { PermittedSide } from './gained-permissions.js';
import type { Host } from './host.js';

/**
 * A deployment on disk, to be compared for what it may do. What a container of atomic's may do nobody recorded: it is what berth
 * would give it by the same config.json.
 */
export async function permittedSide(host: Host, deployment: Deployment): Promise<PermittedSide> {
  const side = { deployment, texts: await readDeploymentTexts(host, deployment) };
  if (deployment.adoptedFrom === undefined) return side;
  try {
    return await compileAdopted(host, side, deployment.adoptedFrom);
  } catch (error) {
    // Then all that its successor may do counts as new.
    if (error instanceof OperationalError) return side;
    throw error;
  }
}

async function compileAdopted(
  host: Host,
  side: PermittedSide,
  from: string,
): Promise<PermittedSide> {
  const { deployment, texts } = side;
  const { name, rootfs, permissions } = deployment;
  const path = join(from, 'config.json');
  const config = await readForerunnerFile(host.paths, path, MAX_RUNTIME_CONFIG_BYTES);
  const unit = texts.get(`${name}.service`);
  if (config === undefined || unit === undefined) return side;
  using tree = openDirectoryTree(host.paths.onDisk(rootfs));
  const { summary } = await compileService(host, {
    name: parseContainerName(name),
    unit: parseUnit(unit),
    config: parseRuntimeConfig(config),
    configStamp: { path, sizeBytes: config.length, mtimeNs: 0n },
    rootfs,
    objects: undefined,
    tree,
    runtime: createBuiltInRuntime({ launcher: '' }),
    pidFile: undefined,
    tmpfiles: '',
  });
  const { capabilities, hostMounts, sharedNamespaces, devices, user } = summary;
  return {
    deployment: {
      ...deployment,
      permissions: { ...permissions, capabilities, hostMounts, sharedNamespaces, devices, user },
    },
    texts: new Map([...texts, ['config.json', config.toString('utf8')]]),
  };
}
