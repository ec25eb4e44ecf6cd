import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';

import { quote } from '../../base/escape-text.js';
import { parseStrictJson, type JsonObject, type JsonValue } from '../../base/strict-json.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import { encodeByteString } from '../../layer/tree.js';
import { openInRoot, readFileInRoot } from '../../sys/open-in-root.js';

/** What a scanner says of one root. */
export interface ScanReport {
  /** What it looked for and found. */
  readonly findings: readonly Finding[];
  /** That it found something; it need not say what. */
  readonly vulnerable: boolean;
  /** What it tells beside, in a form of its own. */
  readonly results: readonly JsonValue[];
  readonly custom: JsonValue | undefined;
}

/** One thing that was found. Texts are the scanner's, and may have anything in them. */
export interface Finding {
  readonly title: string;
  readonly severity: string | undefined;
  readonly custom: JsonValue | undefined;
}

/** A report names what is wrong with one image: thousands of findings of a few hundred bytes. */
const MAX_REPORT_BYTES = 16 * 1024 * 1024;

/**
 * Reads what a scanner wrote of one root: the file `json` in the folder of that root below what it had as `/scanout`, in the
 * form that atomic's scanners write. The scanner may have put links, pipes or anything else there: nothing is followed out.
 *
 * @throws {@link OperationalError} SCAN_FAILED if there is none, it is not one, or it says that the scan failed
 */
export function readScanReport(results: string, directory: string): ScanReport {
  const folder = openSync(results, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return parseScanReport(readReport(folder, directory), directory);
  } catch (error) {
    if (error instanceof OperationalError && error.code === 'SCAN_FAILED') throw error;
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) throw failed('the scanner wrote no result');
    if (isErrno(error, 'ELOOP')) throw failed('the result of the scanner is a link');
    if (!(error instanceof OperationalError)) throw error;
    throw new OperationalError('SCAN_FAILED', `the scanner wrote what cannot be read`, {
      cause: error,
    });
  } finally {
    closeSync(folder);
  }
}

function readReport(results: number, directory: string): Buffer {
  const own = openInRoot(results, encodeByteString(directory), {
    flags: constants.O_RDONLY | constants.O_DIRECTORY,
    noSymlinks: true,
  });
  try {
    return readFileInRoot(own, 'json', { maxBytes: MAX_REPORT_BYTES, nofollow: true });
  } finally {
    closeSync(own);
  }
}

/**
 * Parses a report of a scanner.
 *
 * @throws {@link OperationalError} JSON_INVALID; SCAN_FAILED if it is about another root, or says that the scan failed
 */
export function parseScanReport(bytes: Uint8Array, directory: string): ScanReport {
  const report = asObject(parseStrictJson(bytes, { what: 'the result of the scanner' }));
  if (report === undefined) throw failed('the result of the scanner is no object');
  const { UUID: about, Successful: successful } = report;
  if (about !== undefined && (typeof about !== 'string' || lastPart(about) !== directory))
    throw failed(`the scanner speaks of something else, ${quote(JSON.stringify(about))}`);
  if (typeof successful !== 'string' && typeof successful !== 'boolean')
    throw failed("the result of the scanner does not say whether it was 'Successful'");
  if (String(successful).toLowerCase() !== 'true') throw failed('the scanner could not scan it');
  const findings = listOf(report, 'Vulnerabilities').map(parseFinding);
  return {
    findings,
    vulnerable: findings.length > 0 || report['Vulnerable'] === true,
    results: listOf(report, 'Results'),
    custom: report['Custom'],
  };
}

function parseFinding(value: JsonValue): Finding {
  const finding = asObject(value);
  if (finding === undefined) throw failed("'Vulnerabilities' has something that is no object");
  const { Title: title, Severity: severity, Custom: custom } = finding;
  return {
    title: typeof title === 'string' ? title : '(without a title)',
    severity: typeof severity === 'string' ? severity : undefined,
    custom,
  };
}

function listOf(report: JsonObject, key: string): readonly JsonValue[] {
  const value = report[key];
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value as readonly JsonValue[];
  throw failed(`'${key}' of the scanner's result is no list`);
}

function asObject(value: JsonValue): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : undefined;
}

function lastPart(path: string): string {
  return path.replace(/\/+$/, '').split('/').at(-1) ?? '';
}

function failed(why: string): OperationalError {
  return new OperationalError('SCAN_FAILED', why);
}

/** Where the file is that {@link readScanReport} reads. */
export function reportFile(results: string, directory: string): string {
  return join(results, directory, 'json');
}
