import type { Deployment } from './deployment.js';

/**
 * What commands look at in all containers at once: what is listed of them, whom they mean by what they say of others, and what
 * of the host is theirs. The rest of a record is ten times as much, and is asked of one container at a time.
 */
export interface ContainerBrief extends Pick<
  Deployment,
  'name' | 'number' | 'image' | 'runtime' | 'units' | 'dependencies' | 'createdPaths' | 'createdAt'
> {
  /** The mounts of its {@link DeployedPermissions}. */
  readonly hostMounts: readonly string[];
  /** Paths of its files on the host. */
  readonly filePaths: readonly string[];
}

/** The part of a record that is looked at in all of them. */
export function briefOf(deployment: Deployment): ContainerBrief {
  const { name, number, image, runtime, units, dependencies, createdPaths, createdAt } = deployment;
  return {
    name,
    number,
    image,
    runtime,
    units,
    dependencies,
    createdPaths,
    createdAt,
    hostMounts: deployment.permissions.hostMounts,
    filePaths: deployment.files.map(({ path }) => path),
  };
}
