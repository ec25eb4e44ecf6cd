import type { ImageConfig, ImageProcessDefaults } from '../../src/oci/image-config.js';

/** The configuration of an image that runs `/bin/server`, with changes. */
export function imageConfigOf(
  changes: Partial<ImageProcessDefaults>,
  labels: Readonly<Record<string, string>> = {},
): ImageConfig {
  return {
    platform: { os: 'linux', architecture: 'amd64' },
    created: undefined,
    diffIds: [],
    labels,
    process: {
      user: '',
      env: [],
      entrypoint: ['/bin/server'],
      cmd: [],
      workingDir: '',
      stopSignal: undefined,
      volumes: [],
      exposedPorts: [],
      healthcheck: undefined,
      ...changes,
    },
  };
}
