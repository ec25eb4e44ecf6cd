import { quote } from '../../base/escape-text.js';
import { parsePlainYaml, type PlainYaml, type PlainYamlMap } from '../../base/plain-yaml.js';
import { suggestName } from '../../base/suggest-name.js';
import { OperationalError } from '../../errors/operational-error.js';

/** A scanner as its file describes it. */
export interface Scanner {
  readonly name: string;
  /** The file, for messages. */
  readonly file: string;
  /** What is run: an image, once, or a program of the host. */
  readonly runs:
    | { readonly kind: 'image'; readonly reference: string }
    | { readonly kind: 'command'; readonly argv: readonly string[] };
  /** What of the host the image gets beside what is scanned. */
  readonly binds: readonly ScannerBind[];
  /** The scan that is meant where none is named. */
  readonly defaultScan: string;
  readonly scans: readonly ScanType[];
}

/** A folder or file of the host that a scanner's image sees: its database, its settings. */
export interface ScannerBind {
  readonly source: string;
  readonly destination: string;
  readonly readOnly: boolean;
}

/** One of the things that a scanner can look for. */
export interface ScanType {
  readonly name: string;
  readonly args: readonly string[];
  readonly description: string;
}

const KEYS = [
  ...['type', 'scanner_name', 'image_name', 'command', 'custom_args'],
  ...['default_scan', 'scans', 'remediation_script'],
];
const SCAN_KEYS = ['name', 'args', 'description'];

/** Names become folders of results and words of a command line. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Several times what any scanner has; a file is 64 KiB at most anyway. */
const MAX_SCANS = 100;

/**
 * Parses the description of a scanner in the form of atomic's `/etc/atomic.d`, with `command` as a list of words in place of
 * `image_name` for a program of the host. Undefined for a file that describes something else.
 *
 * @throws {@link OperationalError} CONFIG_INVALID naming the file and what is wrong
 */
export function parseScanner(text: string, file: string): Scanner | undefined {
  const fail = (problem: string): never => {
    throw new OperationalError('CONFIG_INVALID', `${file}: ${problem}`);
  };
  const top = parsePlainYaml(text, file);
  if (!isMap(top)) return fail('expected keys and values');
  if (top['type'] !== 'scanner') return undefined;
  checkKeys(top, KEYS, fail);
  const scans = list(top['scans'], 'scans', fail).map((scan) => parseScan(scan, fail));
  if (scans.length === 0) fail("'scans' names none");
  if (scans.length > MAX_SCANS) fail(`'scans' has more than ${MAX_SCANS}`);
  const names = scans.map(({ name }) => name);
  if (new Set(names).size < names.length) fail("two of 'scans' have the same name");
  const [only = ''] = names;
  const defaultScan =
    top['default_scan'] === undefined && names.length === 1
      ? only
      : name(top['default_scan'], 'default_scan', fail);
  if (!names.includes(defaultScan))
    fail(`'default_scan' is none of 'scans': ${quote(defaultScan)}`);
  return {
    name: name(top['scanner_name'], 'scanner_name', fail),
    file,
    runs: parseRuns(top, fail),
    binds: parseBinds(top, fail),
    defaultScan,
    scans,
  };
}

type Fail = (problem: string) => never;

function parseRuns(top: PlainYamlMap, fail: Fail): Scanner['runs'] {
  const { image_name: image, command } = top;
  if ((image === undefined) === (command === undefined))
    return fail("expected either 'image_name' or 'command'");
  if (image !== undefined) return { kind: 'image', reference: word(image, 'image_name', fail) };
  const argv = list(command, 'command', fail).map((item) => word(item, 'command', fail));
  if (argv[0]?.startsWith('/') !== true)
    fail("'command' does not begin with the path of a program");
  return { kind: 'command', argv };
}

function parseScan(scan: PlainYaml, fail: Fail): ScanType {
  if (!isMap(scan)) return fail("'scans' has something that is no scan");
  checkKeys(scan, SCAN_KEYS, fail);
  const { description } = scan;
  return {
    name: name(scan['name'], 'name', fail),
    args: list(scan['args'], 'args', fail).map((item) => text(item, 'args', fail)),
    description: description === undefined ? '' : text(description, 'description', fail),
  };
}

/** Of the options of `docker run` those that bind: `-v SOURCE:DESTINATION[:ro]`. */
function parseBinds(top: PlainYamlMap, fail: Fail): readonly ScannerBind[] {
  const words = list(top['custom_args'], 'custom_args', fail).map((item) =>
    text(item, 'custom_args', fail),
  );
  if (words.length > 0 && top['image_name'] === undefined)
    fail("'custom_args' are for images; add them to 'command'");
  const binds: ScannerBind[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const [option = '', attached] = (words[at] ?? '').split(/=(.*)/s);
    if (option !== '-v' && option !== '--volume')
      fail(`'custom_args': only -v SOURCE:DESTINATION[:ro] is understood, not ${quote(option)}`);
    if (attached === undefined) at += 1;
    const bind = attached ?? words[at] ?? '';
    const [source = '', destination = '', options = '', ...more] = bind.split(':');
    const known = options.split(',').every((one) => ['', 'ro', 'rw', 'z', 'Z'].includes(one));
    if (!isPath(source) || !isPath(destination) || !known || more.length > 0)
      fail(`'custom_args': ${quote(bind)} is not SOURCE:DESTINATION[:ro]`);
    binds.push({ source, destination, readOnly: options.split(',').includes('ro') });
  }
  return binds;
}

function isPath(path: string): boolean {
  return /^\/[^\0]*[^/]$/.test(path) && !path.split('/').includes('..');
}

function checkKeys(map: PlainYamlMap, known: readonly string[], fail: Fail): void {
  for (const key of Object.keys(map)) {
    if (known.includes(key)) continue;
    const near = suggestName(key.slice(0, 64), known);
    fail(`${quote(key)} is not known${near === undefined ? '' : `; did you mean '${near}'?`}`);
  }
}

function isMap(value: PlainYaml | undefined): value is PlainYamlMap {
  return typeof value === 'object' && !Array.isArray(value);
}

function list(value: PlainYaml | undefined, key: string, fail: Fail): readonly PlainYaml[] {
  if (value === undefined || value === '') return [];
  return Array.isArray(value) ? (value as readonly PlainYaml[]) : fail(`'${key}' is not a list`);
}

function text(value: PlainYaml | undefined, key: string, fail: Fail): string {
  if (typeof value !== 'string') return fail(`'${key}' is not a text`);
  return value.includes('\0') ? fail(`'${key}' has a NUL character`) : value;
}

function word(value: PlainYaml | undefined, key: string, fail: Fail): string {
  const given = text(value, key, fail);
  return given === '' ? fail(`'${key}' is empty`) : given;
}

function name(value: PlainYaml | undefined, key: string, fail: Fail): string {
  if (value === undefined) return fail(`'${key}' is missing`);
  const given = text(value, key, fail);
  return NAME.test(given) ? given : fail(`'${key}' is no name: ${quote(given)}`);
}
