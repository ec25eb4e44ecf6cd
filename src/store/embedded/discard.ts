import { AT_FDCWD } from '../../sys/libc.js';
import { removeTreeAt } from '../../sys/remove-tree.js';
import type { FsckProblem } from '../image-store.js';
import type { StorePlace } from './store-place.js';

/** Removes a damaged thing that nothing refers to; gives whether it was one. */
export function discard(place: StorePlace, problem: FsckProblem): boolean {
  const { kind, id, layers } = problem;
  const path =
    kind === 'object' && layers.length === 0 && /^[0-9a-f]{2}\/[^/]+$/.test(id)
      ? place.path('objects', id)
      : kind === 'name' && /^[0-9a-f]{64}$/.test(id)
        ? place.path('names', id)
        : undefined;
  if (path === undefined) return false;
  removeTreeAt({ dirFd: AT_FDCWD, name: Buffer.from(path, 'utf8').toString('latin1') });
  return true;
}
