import { OstreeInputError } from './errors.js';
import { asyncStackBytes } from './ffi/library.js';

/** What is deeper than a path can be long (PATH_MAX is 4096) nobody reaches. */
const MAX_DEPTH = 2048;
/**
 * What one level of a tree takes of the stack, at most: checkouts take 650 to 1280 bytes, measured on 2022.7 by where they
 * crash; pruning and writing trees take half of that.
 */
const LEVEL_BYTES = 2048;
/** What everything else takes of it. */
const RESERVED_BYTES = 64 * 1024;

/** The deepest tree that libostree, which calls itself for each level, is called for: 2048 levels, or what the stack allows. */
export function maxTreeDepth(): number {
  const allowed = Math.floor((asyncStackBytes() - RESERVED_BYTES) / LEVEL_BYTES);
  return Math.max(1, Math.min(MAX_DEPTH, allowed));
}

/**
 * Checks how deep in a tree something is; the root is at 1.
 *
 * @throws {@link OstreeInputError}
 */
export function checkTreeDepth(depth: number): void {
  const max = maxTreeDepth();
  if (depth > max) throw new OstreeInputError(`a tree is deeper than ${max} levels`);
}
