import { quote } from '../base/escape-text.js';
import { parseStrictJson, type JsonObject, type JsonValue } from '../base/strict-json.js';
import { OperationalError } from '../errors/operational-error.js';
import { assertDependencyName, MAX_DEPENDENCIES } from './dependency-name.js';
import { parseHealthDeclaration, type HealthDeclaration } from './health-declaration.js';
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
  /** Names, of containers or units, that other images may ask for in `requires`, `after`, `before` and `conflicts`. */
  readonly provides: readonly string[];
  readonly requires: readonly string[];
  readonly after: readonly string[];
  readonly before: readonly string[];
  readonly conflicts: readonly string[];
  /** Where an image that fulfils a requirement comes from, by the name in `requires`, for those written `{"name", "image"}`. */
  readonly requiredImages: ReadonlyMap<string, string>;
  /** How it is found out whether the container is well. */
  readonly health: HealthDeclaration | undefined;
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
  'conflicts',
  'health',
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
  const variables = parseVariables(reader);
  const defaultValues = readDefaults(reader);
  for (const name of defaultValues.keys()) {
    if (variables.get(name)?.secret === true)
      reader.fail(
        'defaultValues',
        `${name} is a secret and has no default: whoever has the image would have it`,
      );
  }
  return {
    version: readVersion(reader),
    defaultValues,
    renameFiles: reader.stringMap('renameFiles'),
    installedFilesTemplate: reader.stringList('installedFilesTemplate'),
    noContainerService: reader.boolean('noContainerService', false),
    useLinks: reader.boolean('useLinks', true),
    variables,
    provides: dependencyNames(reader, 'provides'),
    ...readRequirements(reader),
    after: dependencyNames(reader, 'after'),
    before: dependencyNames(reader, 'before'),
    conflicts: dependencyNames(reader, 'conflicts'),
    health: parseHealthDeclaration(reader),
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

function dependencyNames(reader: ManifestReader, member: string): readonly string[] {
  const names = reader.stringList(member);
  if (names.length > MAX_DEPENDENCIES) reader.fail(member, `more than ${MAX_DEPENDENCIES} names`);
  for (const name of names) assertDependencyName(name, `/exports/manifest.json: ${member}`);
  return names;
}

/** `"etcd"`, or `{"name": "etcd", "image": "registry.example/infra/etcd:3"}`. */
function readRequirements(
  reader: ManifestReader,
): Pick<ExportsManifest, 'requires' | 'requiredImages'> {
  const items = reader.get('requires') ?? [];
  if (!Array.isArray(items)) return reader.fail('requires', 'expected a list');
  const requiredImages = new Map<string, string>();
  const names = (items as readonly JsonValue[]).map((item, index) => {
    if (!isJsonObject(item)) return item;
    const entry = new ManifestReader(item, `requires[${index}].`);
    const image = entry.string('image');
    const name = entry.string('name') ?? entry.fail('name', 'is missing');
    if (image !== undefined) requiredImages.set(name, image);
    return name;
  });
  const requires = dependencyNames(new ManifestReader({ requires: names }, ''), 'requires');
  return { requires, requiredImages };
}

/** Whether a text can be a variable: the identifiers of Python's `string.Template`. */
export function isVariableName(text: string): boolean {
  return /^[_A-Za-z][_A-Za-z0-9]{0,127}$/.test(text);
}

/** Whether a JSON value is an object. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
