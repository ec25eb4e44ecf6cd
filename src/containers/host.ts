import type { BerthConf } from '../config/berth-conf.js';
import type { HostPaths } from '../config/host-paths.js';
import type { ImageStore, StorageKind } from '../store/image-store.js';
import type { ImageSource } from '../transport/image-source.js';
import type { ImageTrust } from '../trust/image-trust.js';
import type { UnitManager } from '../systemd/unit-manager.js';
import type { HostLabels } from './host-labels.js';

/**
 * What the use cases work with: where things are and who does things. Made once per command by the command line; the
 * store and the connection to systemd are opened on first use and closed by their maker.
 */
export interface Host {
  readonly paths: HostPaths;
  /** What berth.conf and the environment say, with the defaults; options of a command count more. */
  readonly conf: BerthConf;
  /** The stores of the host as one, with the chosen one in front. */
  openStore(choice?: StoreChoice): Promise<ImageStore>;
  /**
   * Opens what an image reference means; the caller disposes of it. With `preferStored`, a short name that may mean
   * several registries means the one under which the store has it, and no network is asked. With `withoutMirrors`, no mirror
   * is asked what it means.
   */
  openSource(
    reference: string,
    options?: { readonly preferStored?: boolean; readonly withoutMirrors?: boolean },
  ): Promise<ImageSource>;
  /** What decides which images are taken. */
  openTrust(): Promise<ImageTrust>;
  openUnitManager(): Promise<UnitManager>;
  /** The labels that files of the host are to have; undefined where SELinux labels nothing. */
  openLabels(): Promise<HostLabels | undefined>;
  readonly signal: AbortSignal;
  /** Things to tell a person that are not the result; may be called at any time. */
  onEvent(event: HostEvent): void;
  /** Milliseconds since the epoch; for records that people read, never for decisions. */
  nowMs(): number;
}

/** Which store {@link Host.openStore} puts in front. */
export interface StoreChoice {
  /** Unless the command was told which: where what the command is about has its image from. */
  readonly prefer?: StorageKind | undefined;
}

/** The same host, for work on what has its image from this store. */
export function preferring(host: Host, storage: StorageKind): Host {
  return { ...host, openStore: () => host.openStore({ prefer: storage }) };
}

/** Something that happens on the way. */
export type HostEvent =
  | { readonly kind: 'warning'; readonly text: string }
  | { readonly kind: 'step'; readonly text: string };
