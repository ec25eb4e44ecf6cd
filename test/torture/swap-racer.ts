import {
  closeSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import { resolveHostPaths } from '../../src/config/host-paths.js';
import { addMountPointsToRoot } from '../../src/containers/mount-points-on-disk.js';
import { findMissingParents } from '../../src/containers/safe-parents.js';
import { isErrno } from '../../src/errors/is-errno.js';
import { OperationalError } from '../../src/errors/operational-error.js';
import { openInRoot } from '../../src/sys/open-in-root.js';
import { TempDir } from '../support/temp-dir.js';
import type { Outcome } from './report.js';

/** Where a race takes place: `root/at` is a folder at one moment and a link to `outside` at the next. */
interface Place {
  readonly root: string;
  readonly at: string;
  readonly outside: string;
}

/** Something that works on a path while another process exchanges a folder of it for a link. */
export interface SwapTarget {
  readonly name: string;
  /** Tries once; gives whether it was led outside. What is refused, or is not there at the moment, is no harm. */
  attempt(place: Place): Promise<boolean> | boolean;
}

const INSIDE = 'inside';
const OUTSIDE = 'outside';

const TARGETS: readonly SwapTarget[] = [
  {
    name: 'reading inside a root',
    attempt: ({ root, at }) => {
      const rootFd = openSync(root, 'r');
      try {
        const fd = openInRoot(rootFd, `${at}/file`);
        try {
          return readFileSync(fd, 'utf8') !== INSIDE;
        } finally {
          closeSync(fd);
        }
      } finally {
        closeSync(rootFd);
      }
    },
  },
  {
    name: 'mount points of a root',
    attempt: async ({ root, at, outside }) => {
      await addMountPointsToRoot(root, [{ path: `/${at}/made`, kind: 'directory' }]);
      const isOut = existsSync(join(outside, 'made'));
      takeAway(join(root, at, 'made'));
      return isOut;
    },
  },
  {
    name: 'files of the host',
    attempt: async ({ root, at }) => {
      // Whatever stands there at the moment: it is another user's, and never written to.
      await findMissingParents(
        resolveHostPaths({ mode: 'system', env: {} }),
        join(root, at, 'file'),
      );
      return true;
    },
  },
];

const NAIVE: readonly SwapTarget[] = [
  {
    name: 'reading by path after a look',
    attempt: ({ root, at }) => {
      if (!lstatSync(join(root, at)).isDirectory()) return false;
      return readFileSync(join(root, at, 'file'), 'utf8') !== INSIDE;
    },
  },
  {
    name: 'making a folder by path after a look',
    attempt: ({ root, at, outside }) => {
      if (!lstatSync(join(root, at)).isDirectory()) return false;
      mkdirSync(join(root, at, 'made'), { recursive: true });
      const isOut = existsSync(join(outside, 'made'));
      takeAway(join(root, at, 'made'));
      return isOut;
    },
  },
  {
    name: 'writing by path after resolving it',
    attempt: ({ root, at, outside }) => {
      if (!realpathSync(join(root, at)).startsWith(root)) return false;
      writeFileSync(join(root, at, 'written'), '');
      return existsSync(join(outside, 'written'));
    },
  },
];

/** What of berth follows paths that somebody else may change meanwhile. */
export function swapTargets(): readonly SwapTarget[] {
  return TARGETS;
}

/** The same done naively: looked at first, then used by its path. */
export function naiveSwapTargets(): readonly SwapTarget[] {
  return NAIVE;
}

function takeAway(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // it is in the folder that the link stands for at the moment
  }
}

/** How a race is run. */
export interface SwapOptions {
  /** Exchanges at least. */
  readonly swaps: number;
  /** Attempts at least, however quick the exchanges are. */
  readonly attempts?: number;
}

const ATTEMPTS = 2000;

/** Races a target until there were enough exchanges and attempts; each attempt that was led outside is a violation. */
export async function survivesSwaps(target: SwapTarget, options: SwapOptions): Promise<Outcome> {
  using folder = new TempDir();
  const place = makePlace(folder.path);
  const shared = new SharedArrayBuffer(8);
  const state = new Int32Array(shared);
  const worker = new Worker(new URL('./swap-worker.js', import.meta.url), {
    workerData: { first: join(place.root, place.at), second: join(place.root, 'link'), shared },
  });
  const { attempts: least = ATTEMPTS } = options;
  let attempts = 0;
  let lost = 0;
  try {
    while (Atomics.load(state, 0) < options.swaps || attempts < least) {
      if (await isLedOutside(target, place)) lost += 1;
      attempts += 1;
      // The thread that swaps tells its errors in between.
      if (attempts % 100 === 0) await turn();
    }
  } finally {
    Atomics.store(state, 1, 1);
    await worker.terminate();
  }
  return {
    figures: { swaps: Atomics.load(state, 0), attempts },
    violations: lost === 0 ? [] : [`${target.name}: led outside ${lost} times of ${attempts}`],
  };
}

async function isLedOutside(target: SwapTarget, place: Place): Promise<boolean> {
  try {
    return await target.attempt(place);
  } catch (error) {
    // ENOENT: a link that leads out of the root leads nowhere in it. EAGAIN: the kernel gave up on a path in motion.
    // EINVAL: Node's realpath reads a link that has become a folder.
    const isHeld =
      error instanceof OperationalError ||
      isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EAGAIN', 'EEXIST', 'EXDEV', 'EINVAL');
    if (!isHeld) throw error;
    return false;
  }
}

const SOMEBODY = 1000;

function makePlace(folder: string): Place {
  const place = { root: join(folder, 'root'), at: 'at', outside: join(folder, OUTSIDE) };
  rmSync(place.root, { recursive: true, force: true });
  mkdirSync(join(place.root, place.at), { recursive: true });
  mkdirSync(place.outside);
  writeFileSync(join(place.root, place.at, 'file'), INSIDE);
  writeFileSync(join(place.outside, 'file'), OUTSIDE);
  symlinkSync(place.outside, join(place.root, 'link'));
  for (const path of [place.root, join(place.root, place.at), join(place.root, 'link')])
    lchownSync(path, SOMEBODY, SOMEBODY);
  return place;
}
