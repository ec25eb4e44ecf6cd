import { escapeText } from '../../base/escape-text.js';
import type { JsonValue } from '../../base/strict-json.js';
import type { Scanner } from '../../containers/scan/parse-scanner.js';
import type { Finding } from '../../containers/scan/scan-report.js';
import type { ScannedRoot, ScanOutcome } from '../../containers/scan/scan.js';

/** What a scanner says is a stranger's: lines of one root that are shown, and characters of one. The file has the rest. */
const MAX_LINES = 500;
const MAX_CHARACTERS = 500;

/** The scanners of a host, for people. */
export function formatScanners(
  scanners: readonly Scanner[],
  defaultScanner: string | undefined,
): string {
  if (scanners.length === 0) return 'no scanner is configured\n';
  const isUsual = (scanner: Scanner): boolean =>
    scanner.name === (defaultScanner ?? (scanners.length === 1 ? scanner.name : undefined));
  const lines = scanners.flatMap((scanner) => [
    `${scanner.name}${isUsual(scanner) ? ' *' : ''}`,
    scanner.runs.kind === 'image'
      ? `  image ${show(scanner.runs.reference)}`
      : `  command ${show(scanner.runs.argv.join(' '))}`,
    ...scanner.scans.map(({ name, description }) => {
      const usual = name === scanner.defaultScan ? ' *' : '';
      return `  scan ${name}${usual}${description === '' ? '' : `: ${show(description)}`}`;
    }),
  ]);
  return `${lines.join('\n')}\n* is taken where none is named\n`;
}

/** What a scan came to, for people. */
export function formatScan({ scanner, scan, results, scanned }: ScanOutcome): string {
  const lines = scanned.flatMap((root) => formatRoot(root));
  const counts = (['found', 'clean', 'failed'] as const).map(
    (status) => scanned.filter((root) => root.status === status).length,
  );
  const [found = 0, clean = 0, failed = 0] = counts;
  const sum = `${scanner} (${scan}): ${found} with findings, ${clean} without, ${failed} failed`;
  return `${[...lines, sum, `results: ${results}`].join('\n')}\n`;
}

function formatRoot({ name, what, status, report, problem }: ScannedRoot): readonly string[] {
  const head = name === what ? show(name) : `${show(name)} (${show(what)})`;
  if (report === undefined || status === 'failed')
    return [`${head}: failed: ${show(problem ?? '')}`];
  const { findings, results, custom } = report;
  const words =
    status === 'clean'
      ? 'nothing found'
      : findings.length === 0
        ? 'vulnerable'
        : `${findings.length} found`;
  const body = [
    ...findings.flatMap((finding) => formatFinding(finding)),
    ...results.flatMap((result) => formatValue(result, 2)),
    ...(custom === undefined ? [] : formatValue(custom, 2)),
  ];
  const left = body.length - MAX_LINES;
  return [
    `${head}: ${words}`,
    ...body.slice(0, MAX_LINES),
    ...(left > 0 ? [`  … ${left} lines more in the results`] : []),
  ];
}

function formatFinding({ title, severity, custom }: Finding): readonly string[] {
  return [
    `  ! ${show(title)}${severity === undefined ? '' : ` (${show(severity)})`}`,
    ...(custom === undefined ? [] : formatValue(custom, 6)),
  ];
}

/** Any value as indented lines; how deep it is, the parser has bounded. */
function formatValue(value: JsonValue, indent: number): readonly string[] {
  const space = ' '.repeat(indent);
  if (typeof value !== 'object' || value === null) return [`${space}${show(String(value))}`];
  if (Array.isArray(value))
    return (value as readonly JsonValue[]).flatMap((item) => formatValue(item, indent));
  return Object.entries(value).flatMap(([key, item = null]) =>
    typeof item === 'object' && item !== null
      ? [`${space}${show(key)}:`, ...formatValue(item, indent + 2)]
      : [`${space}${show(key)}: ${show(String(item))}`],
  );
}

function show(text: string): string {
  return escapeText(text, MAX_CHARACTERS);
}
