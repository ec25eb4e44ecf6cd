import { dirname, join } from 'node:path';

import { readFileBounded } from '../../base/bounded-read.js';
import { quote } from '../../base/escape-text.js';
import { readdir, stat } from '../../base/quick-files.js';
import { suggestName } from '../../base/suggest-name.js';
import type { HostPaths } from '../../config/host-paths.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import { parseScanner, type Scanner, type ScanType } from './parse-scanner.js';

/** A person describes a scanner; more than this is another file. */
const MAX_SCANNER_BYTES = 65_536;

/** What editors and package managers leave beside a file. */
const LEFT_BESIDE = /^\.|~$|\.(?:rpmsave|rpmnew|rpmorig|dpkg-\w+|bak|swp|orig)$/;

/** The scanners of a host, and what is wrong with the files that describe none. */
export interface LoadedScanners {
  /** Sorted by name. */
  readonly scanners: readonly Scanner[];
  readonly problems: readonly OperationalError[];
}

/** Where scanners are described: berth's own folder comes first, where both describe one of a name. */
export function scannerFolders(paths: HostPaths): readonly string[] {
  return [join(dirname(paths.confFile), 'scanners.d'), '/etc/atomic.d'];
}

/**
 * Reads the descriptions of scanners. What they run gets the roots of all images, and a command gets the host: a file that
 * others than root may write is a problem like one that cannot be understood.
 */
export async function loadScanners(folders: readonly string[]): Promise<LoadedScanners> {
  const scanners = new Map<string, Scanner>();
  const problems: OperationalError[] = [];
  for (const folder of folders) {
    for (const file of await filesOf(folder)) {
      try {
        const scanner = parseScanner(await readOwn(file), file);
        if (scanner !== undefined && !scanners.has(scanner.name))
          scanners.set(scanner.name, scanner);
      } catch (error) {
        problems.push(asProblem(file, error));
      }
    }
  }
  const sorted = [...scanners.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { scanners: sorted, problems };
}

/**
 * The scanner and the scan that are meant: the named ones, or the only or configured scanner and its usual scan.
 *
 * @throws {@link OperationalError} CONFIG_INVALID where there is none, or several and none is chosen; USAGE for a name that is none
 */
export function chooseScan(
  { scanners, problems }: LoadedScanners,
  wanted: {
    readonly scanner: string | undefined;
    readonly scanType: string | undefined;
    /** What berth.conf says. */
    readonly defaultScanner: string | undefined;
  },
): { readonly scanner: Scanner; readonly scan: ScanType } {
  const name = wanted.scanner ?? wanted.defaultScanner;
  const known = scanners.map((scanner) => scanner.name);
  const scanner = name === undefined ? onlyOf(scanners) : scanners.find((one) => one.name === name);
  if (scanner === undefined) {
    const [problem] = problems;
    const isAmbiguous = name === undefined && known.length > 1;
    if (problem !== undefined && !isAmbiguous) throw problem;
    if (name !== undefined) throw unknown('scanner', name, known);
    throw new OperationalError(
      'CONFIG_INVALID',
      known.length === 0
        ? 'no scanner is configured'
        : `there are several scanners: ${known.join(', ')}`,
      {
        hint:
          known.length === 0
            ? "describe one in /etc/berth/scanners.d: see berth(8), 'scan'"
            : "choose one with '--scanner', or for always with 'default-scanner' in berth.conf",
      },
    );
  }
  const scanType = wanted.scanType ?? scanner.defaultScan;
  const scan = scanner.scans.find((one) => one.name === scanType);
  if (scan !== undefined) return { scanner, scan };
  throw unknown(
    `scan of '${scanner.name}'`,
    scanType,
    scanner.scans.map((one) => one.name),
  );
}

function onlyOf(scanners: readonly Scanner[]): Scanner | undefined {
  return scanners.length === 1 ? scanners[0] : undefined;
}

function unknown(what: string, name: string, known: readonly string[]): OperationalError {
  const near = suggestName(name, known);
  return new OperationalError('USAGE', `there is no ${what} named ${quote(name)}`, {
    hint: near === undefined ? "see 'berth scan --list'" : `did you mean '${near}'?`,
  });
}

async function filesOf(folder: string): Promise<readonly string[]> {
  try {
    const names = (await readdir(folder)).filter((name) => !LEFT_BESIDE.test(name));
    return names.sort().map((name) => join(folder, name));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

async function readOwn(file: string): Promise<string> {
  const status = await stat(file);
  const mayWrite = status.uid !== 0 || (status.mode & 0o022) !== 0;
  if (status.isFile() && mayWrite && process.geteuid?.() === 0)
    throw new OperationalError('CONFIG_INVALID', `${file}: others than root may write it`);
  const bytes = await readFileBounded(file, { maxBytes: MAX_SCANNER_BYTES });
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}

function asProblem(file: string, error: unknown): OperationalError {
  if (error instanceof OperationalError && error.code === 'CONFIG_INVALID') return error;
  const why =
    error instanceof TypeError
      ? 'is not UTF-8 text'
      : error instanceof Error
        ? error.message
        : String(error);
  return new OperationalError('CONFIG_INVALID', `${file}: ${why}`, { cause: error });
}
