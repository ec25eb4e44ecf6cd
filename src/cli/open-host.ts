import { AsyncScope } from '../base/scope.js';
import type { Host, HostEvent } from '../containers/host.js';
import type { HostLabels } from '../containers/host-labels.js';
import { mayHaveLabels } from '../containers/may-have-labels.js';
import type { HostPaths } from '../config/host-paths.js';
import type { UnitManager } from '../systemd/unit-manager.js';
import type { CliContext, CommonOptions } from './context.js';
import type { RegistryOptionValues } from './registry-options.js';
import { findHostPlaces } from './host-places.js';
import { loadConf } from './load-conf.js';
import type { ImageTrust } from '../trust/image-trust.js';
import { printEvent } from './output/print-event.js';
import type { Transports } from './transports.js';

/**
 * Opens the host that the common options name and runs `body` on it; what was opened is closed afterwards. The one place
 * where the implementations behind the interfaces are chosen. Each is loaded when it is asked for: the D-Bus client and the
 * registry client take longer to load than `berth list` takes to do its work.
 */
export async function withHost<T>(
  context: CliContext,
  options: CommonOptions &
    RegistryOptionValues & {
      /** The system is still booting: there is no D-Bus daemon yet. */
      readonly early?: boolean;
      /** `--storage`: the only store that is looked into. */
      readonly storage?: string;
      /** A typing error in berth.conf is a warning: what is half done has to be finished. */
      readonly lenient?: boolean;
    },
  body: (host: Host) => Promise<T>,
): Promise<T> {
  const paths = await findHostPlaces(context, options);
  const conf = await loadConf(context, options, paths);
  await using scope = new AsyncScope();
  let stores: Host['openStore'] | undefined;
  let units: Promise<UnitManager> | undefined;
  let transports: Transports | undefined;
  let trust: Promise<ImageTrust> | undefined;
  let labels: Promise<HostLabels | undefined> | undefined;
  const openTransportsOnce = async (): Promise<Transports> => {
    const { openTransports } = await import('./transports.js');
    return (transports ??= openTransports(context, scope, { ...options, conf, paths }));
  };
  const isStored = async (name: string): Promise<boolean> =>
    (await (await host.openStore()).findImage(name)) !== undefined;
  const host: Host = {
    paths,
    conf,
    signal: context.signal,
    openStore: async (choice) => {
      const { openStores } = await import('./open-store.js');
      const { storage } = options;
      const onEvent = (event: HostEvent): void => {
        host.onEvent(event);
      };
      const openLabels: Host['openLabels'] = () => host.openLabels();
      stores ??= openStores({ paths, conf, storage, scope, onEvent, openLabels });
      return stores(choice);
    },
    openSource: async (reference, { preferStored = false, withoutMirrors } = {}) => {
      const transport = await (await openTransportsOnce()).contextFor(reference);
      const { openImageSource } = await import('../transport/open-image-source.js');
      const { signal } = context;
      return openImageSource(reference, transport, {
        signal,
        withoutMirrors,
        ...(preferStored ? { isStored } : {}),
      });
    },
    openTrust: async () => {
      const { openTrust } = await import('./open-trust.js');
      const registryClient = await (await openTransportsOnce()).openClient();
      return (trust ??= openTrust({ paths, conf, registryClient }));
    },
    openUnitManager: () => {
      const open = async (): Promise<UnitManager> => {
        if (paths.root !== '') {
          const { openOfflineUnitManager } = await import('../systemd/offline-unit-manager.js');
          return openOfflineUnitManager({ root: paths.root, unitDirectory: paths.unitDir });
        }
        if (options.early === true) {
          const { openEarlyUnitManager } = await import('../systemd/early-unit-manager.js');
          return openEarlyUnitManager({
            mode: paths.mode,
            environment: paths.userEnvironment,
            unitDirectory: paths.unitDir,
          });
        }
        const { connectUnitManager } = await import('../systemd/connect-unit-manager.js');
        return connectUnitManager({
          mode: paths.mode,
          signal: context.signal,
          environment: { ...context.host.env, ...paths.userEnvironment },
          programEnvironment: paths.userEnvironment,
        });
      };
      return (units ??= open().then((opened) => scope.use(opened)));
    },
    openLabels: () => (labels ??= openLabels(paths, { scope, host })),
    onEvent: (event) => {
      printEvent(context, options, event);
    },
    nowMs: () => Date.now(),
  };
  const result = await body(host);
  // What a command has labels for it has written something for.
  const labelled = await labels;
  if (paths.root !== '' && labelled !== undefined) {
    const { labelTree } = await import('../containers/label-tree.js');
    await labelTree(host, labelled);
  }
  return result;
}

async function openLabels(
  paths: HostPaths,
  { scope, host }: { readonly scope: AsyncScope; readonly host: Pick<Host, 'onEvent'> },
): Promise<HostLabels | undefined> {
  if (!mayHaveLabels(paths)) return undefined;
  const { openHostLabels } = await import('../containers/open-host-labels.js');
  const opened = openHostLabels(paths, (text) => {
    host.onEvent({ kind: 'warning', text });
  });
  return opened === undefined ? undefined : scope.use(opened);
}
