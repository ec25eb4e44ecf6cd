import { DEFAULT_CONF } from '../../src/config/berth-conf.js';
import type { Host, HostEvent } from '../../src/containers/host.js';
import { openOfflineUnitManager } from '../../src/systemd/offline-unit-manager.js';
import type { UnitManager } from '../../src/systemd/unit-manager.js';
import { pathsInFolder } from './host-tree-paths.js';

/** A host that is only a folder: no systemd runs there, and nothing is fetched. */
export interface FolderHost extends Host, AsyncDisposable {
  /** What a person was told. */
  readonly events: readonly HostEvent[];
}

/** Opens a folder as a host; `units` stands in for its service manager. */
export function folderHost(root: string, units?: UnitManager): FolderHost {
  const manager = units ?? openOfflineUnitManager({ root });
  const events: HostEvent[] = [];
  const nothingHere = (): Promise<never> => Promise.reject(new Error('a folder has no images'));
  return {
    paths: pathsInFolder(root),
    conf: DEFAULT_CONF,
    events,
    openStore: nothingHere,
    openSource: nothingHere,
    openTrust: nothingHere,
    openUnitManager: () => Promise.resolve(manager),
    openLabels: () => Promise.resolve(undefined),
    signal: new AbortController().signal,
    onEvent: (event) => events.push(event),
    nowMs: () => 0,
    [Symbol.asyncDispose]: () => manager[Symbol.asyncDispose](),
  };
}
