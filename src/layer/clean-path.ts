import { OperationalError } from '../errors/operational-error.js';
import { MAX_COMPONENT_BYTES, type LayerLimits } from './limits.js';
import { showBytes } from './show-bytes.js';

const SLASH = 0x2f;

/**
 * The path of an entry as sinks take it: no slash at either end, no empty component, no `.`; the root is the empty path.
 * Absolute paths are meant from the image's root (T02).
 *
 * @throws `OperationalError` LAYER_PATH_ESCAPE for `..` (refused even where it would stay inside: no honest producer writes it),
 * LAYER_LIMIT_EXCEEDED
 */
export function cleanPath(archived: string, limits: LayerLimits): string {
  if (archived.length > limits.maxPathBytes) {
    throw new OperationalError(
      'LAYER_LIMIT_EXCEEDED',
      `refusing a path of ${archived.length} bytes: the limit is ${limits.maxPathBytes}`,
    );
  }
  let start = 0;
  if (archived.charCodeAt(0) === 0x2e && archived.charCodeAt(1) === SLASH) start = 2;
  const end = archived.length - (archived.charCodeAt(archived.length - 1) === SLASH ? 1 : 0);
  let depth = 0;
  for (let from = start; from < end;) {
    let to = archived.indexOf('/', from);
    if (to < 0 || to > end) to = end;
    const length = to - from;
    if (length > MAX_COMPONENT_BYTES) throw longComponent(archived.slice(from, to));
    if (isDots(archived, from, length)) return rebuilt(archived, limits);
    depth += 1;
    from = to + 1;
  }
  if (depth > limits.maxDepth) throw tooDeep(archived, limits);
  if (end > start && archived.charCodeAt(end - 1) === SLASH) return rebuilt(archived, limits);
  return start >= end ? '' : archived.slice(start, end);
}

/** Whether a component is empty, `.` or `..`: the paths that have one take the slow way. */
function isDots(path: string, from: number, length: number): boolean {
  if (length > 2) return false;
  for (let index = from; index < from + length; index += 1) {
    if (path.charCodeAt(index) !== 0x2e) return false;
  }
  return true;
}

function rebuilt(archived: string, limits: LayerLimits): string {
  const components: string[] = [];
  for (const component of archived.split('/')) {
    if (component === '' || component === '.') continue;
    if (component === '..') {
      throw new OperationalError(
        'LAYER_PATH_ESCAPE',
        `refusing an entry with '..' in its path: ${showBytes(archived)}`,
      );
    }
    if (component.length > MAX_COMPONENT_BYTES) throw longComponent(component);
    components.push(component);
  }
  if (components.length > limits.maxDepth) throw tooDeep(archived, limits);
  return components.join('/');
}

function longComponent(component: string): OperationalError {
  return new OperationalError(
    'LAYER_LIMIT_EXCEEDED',
    `refusing a file name of ${component.length} bytes: the limit is ${MAX_COMPONENT_BYTES}`,
  );
}

function tooDeep(path: string, limits: LayerLimits): OperationalError {
  return new OperationalError(
    'LAYER_LIMIT_EXCEEDED',
    `refusing a path of more than ${limits.maxDepth} levels: ${showBytes(path)}`,
  );
}
