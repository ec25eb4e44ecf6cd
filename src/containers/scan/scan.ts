import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

import { makeFolders } from '../../base/make-folders.js';
import { readdir } from '../../base/quick-files.js';
import { addContext } from '../../errors/with-context.js';
import { OperationalError } from '../../errors/operational-error.js';
import type { Host } from '../host.js';
import { assertPrivileged } from '../preflight.js';
import { removePath } from '../remove-path.js';
import { runScanner, type ScannerRun } from './run-scanner.js';
import { makeScanPlace } from './scan-place.js';
import { readScanReport, reportFile, type ScanReport } from './scan-report.js';
import { findScanTargets, type ScanRequest, type ScanTarget } from './scan-targets.js';

/** What a scan came to. */
export interface ScanOutcome {
  readonly scanner: string;
  readonly scan: string;
  /** The folder with all that the scanner wrote. */
  readonly results: string;
  readonly scanned: readonly ScannedRoot[];
}

/** What came of one root. */
export interface ScannedRoot {
  readonly kind: ScanTarget['kind'];
  readonly name: string;
  /** Digest, deployment or path. */
  readonly what: string;
  readonly status: 'clean' | 'found' | 'failed';
  /** Where there is a report. */
  readonly report: ScanReport | undefined;
  readonly file: string | undefined;
  /** Why there is none. */
  readonly problem: string | undefined;
}

/** Results of a scanner that are kept: what was found lately, and what was before it. They may be large. */
const KEPT_RESULTS = 10;

/**
 * Has a scanner look at the roots of images, containers and folders, which are mounted read-only for it, and reads what it
 * says of each. Its results stay below `.scans` of the state directory.
 *
 * @throws {@link OperationalError} NEEDS_ROOT; USAGE; CONTAINER_NOT_FOUND; SCAN_FAILED if the scanner itself fails
 */
export async function scan(
  host: Host,
  request: ScanRequest & Omit<ScannerRun, 'input' | 'output'>,
): Promise<ScanOutcome> {
  assertPrivileged(host);
  if (host.paths.root !== '')
    throw new OperationalError('USAGE', "in the tree of '--root' nothing can be scanned");
  const targets = await findScanTargets(host, request);
  if (targets.length === 0)
    throw new OperationalError('USAGE', 'there is nothing to scan', {
      hint: 'name images or containers, or add --images, --containers, --all or --rootfs DIR',
    });
  const { scanner, scan: type } = request;
  await using place = await makeScanPlace(host);
  for (const target of targets) await place.mount(target);
  const results = await makeResults(host, scanner.name);
  try {
    await runScanner(host, { ...request, input: place.path, output: results });
  } catch (error) {
    removePath(results);
    throw addContext(`cannot scan with ${scanner.name}`, error);
  }
  const scanned = targets.map((target) => lookAt(results, target));
  return { scanner: scanner.name, scan: type.name, results, scanned };
}

/** Several scans may run side by side: the time alone is no name. */
async function makeResults(host: Host, scanner: string): Promise<string> {
  const folder = join(host.paths.stateDir, '.scans', scanner);
  await makeFolders(folder, 0o700);
  const old = (await readdir(folder)).sort();
  for (const name of old.slice(0, Math.max(0, old.length - KEPT_RESULTS + 1)))
    removePath(join(folder, name));
  const time = new Date(host.nowMs()).toISOString().replace(/[-:]/g, '').replace('.', '-');
  const results = join(folder, `${time}-${randomBytes(3).toString('hex')}`);
  await makeFolders(results, 0o700);
  return results;
}

function lookAt(results: string, { kind, name, what, directory }: ScanTarget): ScannedRoot {
  const root = { kind, name, what };
  try {
    const report = readScanReport(results, directory);
    const status = report.vulnerable ? 'found' : 'clean';
    return { ...root, status, report, file: reportFile(results, directory), problem: undefined };
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
    const { cause } = error;
    const why = cause instanceof Error ? `: ${cause.message}` : '';
    const problem = `${error.message}${why}`;
    return { ...root, status: 'failed', report: undefined, file: undefined, problem };
  }
}
