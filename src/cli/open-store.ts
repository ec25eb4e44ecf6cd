import { existsSync, statSync } from 'node:fs';

import { quote } from '../base/escape-text.js';
import type { AsyncScope } from '../base/scope.js';
import type { BerthConf } from '../config/berth-conf.js';
import type { HostPaths } from '../config/host-paths.js';
import type { Host, HostEvent, StoreChoice } from '../containers/host.js';
import { OperationalError } from '../errors/operational-error.js';
import type { ImageStore, StorageKind } from '../store/image-store.js';
import type { RepositorySealing } from '../store/ostree/repository-place.js';

/** What {@link openStores} works with. */
export interface StoresToOpen {
  readonly paths: HostPaths;
  readonly conf: BerthConf;
  /** `--storage`: no other store is looked into. */
  readonly storage: string | undefined;
  readonly scope: AsyncScope;
  readonly onEvent: (event: HostEvent) => void;
  readonly openLabels: Host['openLabels'];
}

/**
 * Opens the stores of a host as one: the chosen one, and behind it the other if there is one. Which is chosen: `--storage`,
 * what the caller prefers, the configuration, OSTree on a host that was booted from it, embedded.
 */
export function openStores(stores: StoresToOpen): (choice?: StoreChoice) => Promise<ImageStore> {
  const opened = new Map<StorageKind, Promise<ImageStore>>();
  const open = (kind: StorageKind): Promise<ImageStore> => {
    let store = opened.get(kind);
    if (store === undefined) {
      store = openOne(stores, kind);
      opened.set(kind, store);
    }
    return store;
  };
  const only = storageNamed(stores.storage);
  return async (choice = {}) => {
    const kind = only ?? choice.prefer ?? chosenStorage(stores);
    const first = await open(kind);
    if (only !== undefined) return first;
    const second = await openOther(stores, kind, open);
    if (second === undefined) return first;
    const { combineStores } = await import('../store/combined-store.js');
    return combineStores(first, second);
  };
}

/**
 * The value of `--storage`; undefined if it was not given.
 *
 * @throws {@link OperationalError} USAGE
 */
function storageNamed(text: string | undefined): StorageKind | undefined {
  if (text === undefined || text === 'embedded' || text === 'ostree') return text;
  throw new OperationalError('USAGE', `there is no storage ${quote(text)}`);
}

async function openOne(
  { paths, conf, scope, openLabels }: StoresToOpen,
  kind: StorageKind,
): Promise<ImageStore> {
  if (kind === 'embedded') {
    const { openEmbeddedStore } = await import('../store/embedded/embedded-store.js');
    const label = async (root: string): Promise<void> => {
      (await openLabels())?.labelContent(root);
    };
    return scope.use(openEmbeddedStore(paths.onDisk(paths.storeDir), { label }));
  }
  const { openOstreeStore } = await import('../store/ostree/ostree-store.js');
  return scope.use(openOstreeStore(repositoryPath(paths, conf), sealingOf(conf)));
}

/** What of a repository is to be sealed. */
export function sealingOf({ storage }: Pick<BerthConf, 'storage'>): RepositorySealing {
  return { sealing: storage['ostree-fs-verity'], composefs: storage['ostree-composefs'] };
}

/** The store that is not the chosen one, if there is something in it. */
async function openOther(
  stores: StoresToOpen,
  chosen: StorageKind,
  open: (kind: StorageKind) => Promise<ImageStore>,
): Promise<ImageStore | undefined> {
  const { paths, conf, onEvent } = stores;
  if (chosen === 'ostree') {
    return existsSync(paths.onDisk(paths.storeDir)) ? open('embedded') : undefined;
  }
  const repository = repositoryPath(paths, conf);
  if (!isRepository(repository)) return undefined;
  const { isOstreeUsable } = await import('../store/ostree/ostree-usable.js');
  const problem = isOstreeUsable();
  if (problem === undefined) return open('ostree');
  onEvent({
    kind: 'warning',
    text: `images in the OSTree repository ${quote(repository)} are left out: ${problem}`,
  });
  return undefined;
}

function chosenStorage({ paths, conf }: StoresToOpen): StorageKind {
  const { backend } = conf.storage;
  if (backend !== undefined) return backend;
  // A tree that an image is built in runs nothing, and was booted from nothing.
  const isBooted = paths.root === '' && existsSync('/run/ostree-booted');
  return isBooted && isRepository(repositoryPath(paths, conf)) ? 'ostree' : 'embedded';
}

/** The host's repository, and the one that atomic made where that was on another file system. */
const HOST_REPOSITORY = '/ostree/repo';
const ATOMIC_REPOSITORY = '/var/lib/containers/atomic/.storage/ostree';

/** Where the repository is, or would be made: hard links need it on the file system of the checkouts. */
export function repositoryPath(paths: HostPaths, conf: Pick<BerthConf, 'storage'>): string {
  const configured = conf.storage['ostree-repository'];
  if (configured !== undefined) return paths.onDisk(configured);
  const state = paths.onDisk(paths.stateDir);
  const own = `${state}/.ostree`;
  // What belongs to the host a user can only read.
  if (paths.mode !== 'system') return own;
  const usual = [paths.onDisk(HOST_REPOSITORY), own, paths.onDisk(ATOMIC_REPOSITORY)];
  return usual.find((path) => isRepository(path) && deviceOf(path) === deviceOf(state)) ?? own;
}

function isRepository(path: string): boolean {
  return existsSync(`${path}/config`) && existsSync(`${path}/objects`);
}

/** The device of a place, or of the nearest folder above that is there. */
function deviceOf(path: string): number | undefined {
  for (let place = path; ; place = place.replace(/\/[^/]*$/, '')) {
    const found = statSync(place === '' ? '/' : place, { throwIfNoEntry: false });
    if (found !== undefined || place === '') return found?.dev;
  }
}
