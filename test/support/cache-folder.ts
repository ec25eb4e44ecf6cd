import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout that is tested: package.json, dist and node_modules are in it. */
export const projectRoot = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');

/**
 * A folder that outlives the run: host trees, images and host state are kept there. /var/cache/berth-test, or where
 * BERTH_TEST_CACHE points. Everything in it can be removed at any time when no test runs.
 */
export function cacheFolder(...parts: readonly string[]): string {
  const path = join(process.env['BERTH_TEST_CACHE'] ?? '/var/cache/berth-test', ...parts);
  mkdirSync(path, { recursive: true });
  return path;
}
