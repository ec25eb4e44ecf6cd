import { NO_DEPENDENCIES } from '../../src/containers/container-dependencies.js';
import type { Deployment } from '../../src/containers/deployment.js';
import { DEFAULT_HEALTH_CHECK } from '../../src/containers/health-check.js';
import { parseDigest } from '../../src/oci/digest.js';

/** The record of a deployment that has nothing but what is given. */
export function deploymentRecord(
  given: Partial<Deployment> & { readonly name: string },
): Deployment {
  return {
    number: 0,
    image: {
      reference: given.name,
      storeName: given.name,
      digest: parseDigest(`sha256:${'a'.repeat(64)}`),
    },
    values: {},
    setValues: {},
    runtime: 'berth',
    storage: 'embedded',
    rootfs: 'checkout',
    launcher: undefined,
    files: [],
    units: [],
    createdPaths: [],
    foreignPaths: [],
    allowedHostPaths: [],
    permissions: {
      capabilities: [],
      hostMounts: [],
      sharedNamespaces: [],
      devices: [],
      hostPaths: [],
      user: '',
    },
    dependencies: NO_DEPENDENCIES,
    health: DEFAULT_HEALTH_CHECK,
    labels: {},
    secrets: [],
    warnings: [],
    createdAt: '',
    version: '',
    ...given,
  };
}
