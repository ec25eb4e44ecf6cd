import { OperationalError } from '../errors/operational-error.js';
import { showBytes } from './show-bytes.js';

const PREFIX = '.wh.';
const AUFS_PREFIX = '.wh..wh.';
const OPAQUE = '.wh..wh..opq';

/** What a path with the whiteout prefix means. */
export type Whiteout =
  | { readonly kind: 'whiteout'; readonly path: string }
  | { readonly kind: 'opaque'; readonly path: string }
  /** AUFS' own bookkeeping (`.wh..wh.plnk`, `.wh..wh.aufs`), which old images carry. */
  | { readonly kind: 'ignored' };

/**
 * Tells whiteouts from files (image-spec v1.1 layer.md, "Whiteouts"): undefined for an ordinary path.
 *
 * @throws `OperationalError` LAYER_ENTRY_REFUSED for a whiteout of nothing, of `.` or of `..`, and for a path below one
 */
export function classifyWhiteout(path: string): Whiteout | undefined {
  const slash = path.lastIndexOf('/');
  const parent = path.slice(0, Math.max(slash, 0));
  const name = path.slice(slash + 1);
  for (const component of parent.split('/')) {
    if (!component.startsWith(PREFIX)) continue;
    if (component.startsWith(AUFS_PREFIX)) return { kind: 'ignored' };
    throw refused(path, 'a whiteout has nothing below it');
  }
  if (!name.startsWith(PREFIX)) return undefined;
  if (name === OPAQUE) return { kind: 'opaque', path: parent };
  if (name.startsWith(AUFS_PREFIX)) return { kind: 'ignored' };
  const hidden = name.slice(PREFIX.length);
  if (hidden === '' || hidden === '.' || hidden === '..') {
    throw refused(path, `it would hide '${hidden}'`);
  }
  return { kind: 'whiteout', path: parent === '' ? hidden : `${parent}/${hidden}` };
}

function refused(path: string, why: string): OperationalError {
  return new OperationalError('LAYER_ENTRY_REFUSED', `refusing ${showBytes(path)}: ${why}`);
}
