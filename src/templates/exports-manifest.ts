import { quote } from '../base/escape-text.js';
import { parseStrictJson, type JsonObject, type JsonValue } from '../base/strict-json.js';
import { OperationalError } from '../errors/operational-error.js';
import { ManifestReader } from './manifest-reader.js';
import { parseVariables, type VariableDeclaration } from './variable-declaration.js';

/**
 * `/exports/manifest.json`: what the author of an image says about its installation. The first six members are those of
 * the images published for `atomic install --system`; the others are berth's.
 */
export interface ExportsManifest {
  /** `1.0` for what was published; `1` and `1.0` are taken, others refused. */
  readonly version: string;
  readonly defaultValues: ReadonlyMap<string, string>;
  /** Path below `hostfs/` → path on the host, a template in the `$NAME` dialect. */
  readonly renameFiles: ReadonlyMap<string, string>;
  /** Host paths (after renaming) of files that are templates themselves. */
  readonly installedFilesTemplate: readonly string[];
  /** The image only brings host files: no unit, no root file system. */
  readonly noContainerService: boolean;
  /** Whether the author allows hard links from the host to the checkout. berth never makes such links; recorded only. */
  readonly useLinks: boolean;
  readonly variables: ReadonlyMap<string, VariableDeclaration>;
  /** Unit names that other images may ask for in `requires`, `after` and `before`. */
  readonly provides: readonly string[];
  readonly requires: readonly string[];
  readonly after: readonly string[];
  readonly before: readonly string[];
  /** Members that berth does not know, to be reported. */
  readonly unknownMembers: readonly string[];
}

/** Published manifests are below 4 KiB. */
const MAX_MANIFEST_BYTES = 1_048_576;

const KNOWN_MEMBERS: ReadonlySet<string> = new Set([
  'version',
  'defaultValues',
  'renameFiles',
  'installedFilesTemplate',
  'noContainerService',
  'useLinks',
  'variables',
  'provides',
  'requires',
  'after',
  'before',
]);

/** What holds for an image without `manifest.json`. */
export const EMPTY_EXPORTS_MANIFEST: ExportsManifest = fromObject(
  Object.create(null) as JsonObject,
);

/**
 * Parses `/exports/manifest.json`.
 *
 * @throws {@link OperationalError} EXPORTS_INVALID naming the member that is wrong; JSON_INVALID; LIMIT_EXCEEDED above 1 MiB
 */
export function parseExportsManifest(source: string | Uint8Array): ExportsManifest {
  if (source.length > MAX_MANIFEST_BYTES) {
    throw new OperationalError(
      'LIMIT_EXCEEDED',
      `/exports/manifest.json is larger than ${MAX_MANIFEST_BYTES} bytes, refusing to read it`,
    );
  }
  const value = parseStrictJson(source, { what: '/exports/manifest.json', maxValues: 20_000 });
  if (!isJsonObject(value)) {
    throw new OperationalError('EXPORTS_INVALID', '/exports/manifest.json is not an object');
  }
  return fromObject(value);
}

function fromObject(object: JsonObject): ExportsManifest {
  const reader = new ManifestReader(object, '');
  return {
    version: readVersion(reader),
    defaultValues: readDefaults(reader),
    renameFiles: reader.stringMap('renameFiles'),
    installedFilesTemplate: reader.stringList('installedFilesTemplate'),
    noContainerService: reader.boolean('noContainerService', false),
    useLinks: reader.boolean('useLinks', true),
    variables: parseVariables(reader),
    provides: unitNames(reader, 'provides'),
    requires: unitNames(reader, 'requires'),
    after: unitNames(reader, 'after'),
    before: unitNames(reader, 'before'),
    unknownMembers: Object.keys(object).filter((key) => !KNOWN_MEMBERS.has(key)),
  };
}

function readVersion(reader: ManifestReader): string {
  const version = reader.get('version');
  if (version === undefined) return '1.0';
  if (version === '1.0' || version === '1' || version === 1) return '1.0';
  return reader.fail('version', `expected "1.0", got ${JSON.stringify(version)}`);
}

/** Python put any JSON scalar into the text with `str()`; published manifests have strings only, some private ones numbers. */
function readDefaults(reader: ManifestReader): ReadonlyMap<string, string> {
  const defaults = new Map<string, string>();
  for (const [name, value] of reader.objectEntries('defaultValues')) {
    if (!isVariableName(name)) {
      reader.fail('defaultValues', `${quote(name)} is not a variable name`);
    }
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
      return reader.fail(`defaultValues.${name}`, 'expected a string, a number or a boolean');
    }
    defaults.set(name, String(value));
  }
  return defaults;
}

function unitNames(reader: ManifestReader, member: string): readonly string[] {
  const names = reader.stringList(member);
  for (const name of names) {
    if (!/^[A-Za-z0-9_.:@-]{1,255}$/.test(name)) {
      reader.fail(member, `${quote(name)} is not the name of a unit or container`);
    }
  }
  return names;
}

/** Whether a text can be a variable: the identifiers of Python's `string.Template`. */
export function isVariableName(text: string): boolean {
  return /^[_A-Za-z][_A-Za-z0-9]{0,127}$/.test(text);
}

/** Whether a JSON value is an object. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
