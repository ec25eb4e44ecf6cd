import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { parsePlainYaml, type PlainYaml, type PlainYamlMap } from '../base/plain-yaml.js';
import { readdir } from '../base/quick-files.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import type { ImageIdentity } from '../transport/image-source.js';
import { normaliseScope } from './parse-policy.js';
import { listScopes } from './scopes.js';

/** Largest file and most files of the folder: they are written by hand. */
const MAX_FILE_BYTES = 256 * 1024;
const MAX_FILES = 1000;

/** Where signatures are looked for where nothing is said, as skopeo and podman have it for root. */
const DEFAULT_LOOKASIDE = 'file:///var/lib/containers/sigstore';

/** Where the signatures of a scope are. */
export interface SignaturePlaces {
  /** Read from here, and written if nothing else is said. */
  readonly lookaside?: string | undefined;
  /** Written to. */
  readonly staging?: string | undefined;
  /** Whether the registry itself has signatures of sigstore's kind. */
  readonly attachments?: boolean | undefined;
}

/** Where the signatures of one image are: {@link SignaturePlaces} with what holds where nothing is said. */
export interface ImagePlaces {
  readonly lookaside: string;
  readonly staging: string;
  readonly attachments: boolean;
}

/** What containers-registries.d(5) says. */
export interface RegistriesD {
  readonly default: SignaturePlaces | undefined;
  readonly scopes: ReadonlyMap<string, SignaturePlaces>;
  /** Which file speaks of a scope; the empty one is the default. */
  readonly files: ReadonlyMap<string, string>;
  /** Where signatures are where nothing is said of it; {@link DEFAULT_LOOKASIDE} unless given. */
  readonly lookaside?: string | undefined;
}

/**
 * Loads the `*.yaml` of the folder. A folder that is not there says nothing.
 *
 * @param lookaside Where signatures are where nothing is said of it
 * @throws OperationalError CONFIG_INVALID; also where two files speak of the same scope
 */
export async function loadRegistriesD(
  folder: string,
  lookaside: string = DEFAULT_LOOKASIDE,
): Promise<RegistriesD> {
  const scopes = new Map<string, SignaturePlaces>();
  const files = new Map<string, string>();
  let otherwise: SignaturePlaces | undefined;
  for (const file of await listFiles(folder)) {
    const bytes = await readFileBounded(file, { maxBytes: MAX_FILE_BYTES });
    const found = parseRegistriesD(bytes.toString('utf8'), file);
    otherwise = found.default ?? otherwise;
    for (const [scope, places] of found.scopes) scopes.set(scope, places);
    for (const scope of found.files.keys()) {
      const other = files.get(scope);
      if (other !== undefined) {
        const what = scope === '' ? 'default-docker' : quote(scope);
        throw new OperationalError('CONFIG_INVALID', `${file} and ${other} both have ${what}`);
      }
      files.set(scope, file);
    }
  }
  return { default: otherwise, scopes, files, lookaside };
}

/**
 * Parses one file.
 *
 * @throws OperationalError CONFIG_INVALID
 */
export function parseRegistriesD(text: string, file: string): RegistriesD {
  const scopes = new Map<string, SignaturePlaces>();
  const files = new Map<string, string>();
  let otherwise: SignaturePlaces | undefined;
  for (const [section, value] of entriesOf(parsePlainYaml(text, file), file)) {
    const at = `${file}: ${quote(section)}`;
    if (section === 'default-docker') {
      otherwise = parsePlaces(value, at);
      files.set('', file);
    } else if (section === 'docker') {
      for (const [key, places] of entriesOf(value, at)) {
        const scope = normaliseScope('docker', key);
        if (files.has(scope)) fail(at, `has ${quote(scope)} twice`);
        scopes.set(scope, parsePlaces(places, `${at}.${quote(key)}`));
        files.set(scope, file);
      }
    } else {
      fail(at, 'is unknown: berth knows docker and default-docker');
    }
  }
  return { default: otherwise, scopes, files };
}

/** Where the signatures of an image are: each setting of the most specific scope that has it. */
export function placesFor(conf: RegistriesD, identity: ImageIdentity): ImagePlaces {
  const sections = [
    ...listScopes(identity).map((scope) => conf.scopes.get(scope)),
    conf.default,
  ].filter((section) => section !== undefined);
  const first = <K extends keyof SignaturePlaces>(key: K): SignaturePlaces[K] | undefined =>
    sections.find((section) => section[key] !== undefined)?.[key];
  const writable = sections.find(
    (section) => section.staging !== undefined || section.lookaside !== undefined,
  );
  const { lookaside: otherwise = DEFAULT_LOOKASIDE } = conf;
  return {
    lookaside: first('lookaside') ?? otherwise,
    staging: writable?.staging ?? writable?.lookaside ?? otherwise,
    attachments: first('attachments') ?? false,
  };
}

const KEYS: Readonly<Record<string, 'lookaside' | 'staging' | 'attachments'>> = {
  lookaside: 'lookaside',
  sigstore: 'lookaside',
  'lookaside-staging': 'staging',
  'sigstore-staging': 'staging',
  'use-sigstore-attachments': 'attachments',
};

/** `lookaside` counts more than `sigstore`, its old name. */
function parsePlaces(value: PlainYaml | undefined, at: string): SignaturePlaces {
  const map = new Map(entriesOf(value, at));
  for (const key of map.keys()) if (KEYS[key] === undefined) fail(at, `has ${quote(key)}, unknown`);
  const text = (key: string): string | undefined => {
    const found = map.get(key) ?? '';
    if (typeof found !== 'string') fail(at, `has ${key} that is not a text`);
    return found === '' ? undefined : found;
  };
  const url = (...names: readonly string[]): string | undefined => {
    const found = names.map(text).find((one) => one !== undefined);
    return found === undefined ? undefined : parsePlaceUrl(found, `${at}: ${names[0] ?? ''}`);
  };
  const attachments = text('use-sigstore-attachments');
  return {
    lookaside: url('lookaside', 'sigstore'),
    staging: url('lookaside-staging', 'sigstore-staging'),
    attachments: attachments === undefined ? undefined : parseTruth(attachments, at),
  };
}

/**
 * Checks the address of a place for signatures.
 *
 * @throws OperationalError CONFIG_INVALID
 */
export function parsePlaceUrl(text: string, at: string): string {
  let url: URL;
  try {
    url = new URL(text);
    if (url.protocol === 'file:' && url.host === '') fileURLToPath(url);
  } catch {
    return fail(at, `is ${quote(text)}, which is no URL`);
  }
  const isFile = url.protocol === 'file:' && url.host === '' && /^file:\/\/\//i.test(text);
  const isWeb = url.protocol === 'https:' || url.protocol === 'http:';
  if (!isFile && !isWeb) fail(at, `is ${quote(text)}, neither https://, http:// nor file:///PATH`);
  if (/\p{C}/u.test(text)) fail(at, 'has control characters');
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    fail(at, 'has an account, a query or a fragment');
  return text;
}

function parseTruth(text: string, at: string): boolean {
  if (/^(?:true|yes|on)$/i.test(text)) return true;
  if (/^(?:false|no|off)$/i.test(text)) return false;
  return fail(at, `has use-sigstore-attachments ${quote(text)}: expected true or false`);
}

/** The members of a mapping; of nothing, where nothing stands. */
function entriesOf(
  value: PlainYaml | undefined,
  at: string,
): readonly (readonly [string, PlainYaml])[] {
  if (value === undefined || value === '') return [];
  if (typeof value === 'string' || isList(value))
    return fail(at, 'has something else than settings');
  return Object.entries(value).map(([key, member]) => [key, member ?? ''] as const);
}

function isList(value: PlainYamlMap | readonly PlainYaml[]): value is readonly PlainYaml[] {
  return Array.isArray(value);
}

async function listFiles(folder: string): Promise<readonly string[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
  const files = names.filter((name) => name.endsWith('.yaml')).sort();
  if (files.length > MAX_FILES) fail(folder, `has more than ${MAX_FILES} files`);
  return files.map((name) => join(folder, name));
}

function fail(at: string, why: string): never {
  throw new OperationalError('CONFIG_INVALID', `${at} ${why}`);
}
