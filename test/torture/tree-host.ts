import { resolveHostPaths } from '../../src/config/host-paths.js';
import { DEFAULT_CONF } from '../../src/config/berth-conf.js';
import { createDecompressor } from '../../src/layer/create-decompressor.js';
import type { Host } from '../../src/containers/host.js';
import { install, type InstallOutcome } from '../../src/containers/install.js';
import type { UpdateRequest } from '../../src/containers/prepare-update.js';
import { update } from '../../src/containers/update.js';
import type { UpdateOutcome } from '../../src/containers/update-outcome.js';
import { createRegistryClient } from '../../src/registry/create-registry-client.js';
import { EMPTY_REGISTRIES_CONF } from '../../src/registry/registries-conf.js';
import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import { openOfflineUnitManager } from '../../src/systemd/offline-unit-manager.js';
import { openImageSource } from '../../src/transport/open-image-source.js';
import { acceptAnything } from '../support/accept-anything.js';
import { SECRET_VARIABLE } from './small-image.js';

/**
 * Runs `body` on a tree as `berth --root` does, in this process: a hundred times as quick as a program that starts for
 * each command. What a person would be told is dropped.
 */
export async function onTree<T>(root: string, body: (host: Host) => Promise<T>): Promise<T> {
  const paths = resolveHostPaths({ mode: 'system', root, env: {} });
  const { signal } = new AbortController();
  await using store = openEmbeddedStore(paths.onDisk(paths.storeDir));
  await using units = openOfflineUnitManager({ root, unitDirectory: paths.unitDir });
  await using registryClient = createRegistryClient({ env: {}, uid: 0 });
  return await body({
    paths,
    signal,
    openStore: () => Promise.resolve(store),
    openTrust: () => Promise.resolve(acceptAnything),
    openSource: (reference) =>
      openImageSource(
        reference,
        {
          registryClient,
          registriesConf: EMPTY_REGISTRIES_CONF,
          workingDirectory: '/',
          spoolDirectory: '/var/tmp',
          createDecompressor: (compression, output) =>
            Promise.resolve(createDecompressor(compression, { take: output })),
          engineSocket: () => '/nonexistent/docker.sock',
        },
        { signal, isStored: async (name) => (await store.findImage(name)) !== undefined },
      ),
    conf: DEFAULT_CONF,
    openUnitManager: () => Promise.resolve(units),
    openLabels: () => Promise.resolve(undefined),
    onEvent: () => undefined,
    nowMs: () => Date.now(),
  });
}

/** What a container is made of. */
export interface Wanted {
  readonly name: string;
  readonly reference: string;
  /** Its value for the secret of the small images. */
  readonly secret: string;
}

/** `berth install --name NAME --set PASSWORD=@FILE REFERENCE`. */
export function installOn(
  host: Host,
  { name, reference, secret }: Wanted,
): Promise<InstallOutcome> {
  return install(host, {
    name,
    reference,
    setValues: new Map([[SECRET_VARIABLE, secret]]),
    fileValues: new Map(),
    env: {},
    platform: undefined,
    rootfs: undefined,
    runtime: undefined,
    planOnly: false,
    enable: true,
    start: false,
    allowHostPaths: [],
    keepExisting: false,
    onProgress: () => undefined,
  });
}

/** `berth update --retry --rebase REFERENCE NAME`. */
export function updateOn(host: Host, name: string, reference: string): Promise<UpdateOutcome> {
  return update(host, name, { ...PLAIN_UPDATE, rebase: reference });
}

/** An update to what an image is now, tried again where it was gone back from. */
export const PLAIN_UPDATE: UpdateRequest = {
  rebase: undefined,
  setValues: new Map(),
  fileValues: new Map(),
  inlineValues: new Set(),
  unsetValues: [],
  env: {},
  platform: undefined,
  planOnly: false,
  watch: true,
  retry: true,
  allowDowngrade: false,
  allowHostPaths: [],
  // Each version brings a file that no other has.
  consent: 'all',
  keepExisting: false,
  keepDeployments: 2,
  onProgress: () => undefined,
};
