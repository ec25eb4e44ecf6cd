import { escapeText } from '../base/escape-text.js';
import { parseContainerName } from '../base/container-name.js';
import { OperationalError } from '../errors/operational-error.js';
import { parseRuntimeConfig } from '../oci/parse-runtime-config.js';
import type { RuntimeConfig } from '../oci/runtime-config.js';
import { activatorsOf } from './activators.js';
import type { DeployedPermissions, Deployment } from './deployment.js';
import { describeSigners } from './describe-signers.js';
import { sha256Of } from './file-state.js';
import { covers } from './host-path-policy.js';
import { loosenedConfig } from './loosened-config.js';
import { boundFolders } from './loosened-mounts.js';
import { loosenedUnit, newTmpfiles, wordsRunOnHost, type UnitTexts } from './loosened-unit.js';

const CONFIG = 'config.json';

/** A deployment as it is compared: its record, and the texts that lie beside it, by name. */
export interface PermittedSide {
  readonly deployment: Deployment;
  readonly texts: ReadonlyMap<string, string>;
}

/**
 * What another version may do that the one before may not, in a person's words: `capability CAP_NET_ADMIN`. Everything by
 * which it gets at its host: what the record has, what its config.json allows, what its unit and its tmpfiles lines do. Resources,
 * which a container may use up, are none of it.
 *
 * @param allowed Paths of the host that the administrator named; what the image does there is left out.
 */
export function gainedPermissions(
  before: PermittedSide,
  after: PermittedSide,
  allowed: readonly string[] = [],
): readonly string[] {
  const [old, now] = [before.deployment.permissions, after.deployment.permissions];
  const isAllowed = (path: string): boolean => allowed.some((folder) => covers(folder, path));
  const config = configOf(after);
  const isSameConfig = before.texts.get(CONFIG) === after.texts.get(CONFIG);
  const oldConfig = isSameConfig ? config : configOf(before);
  const bound = boundFolders(config?.mounts ?? []);
  const gained = [
    ...lostSigners(before.deployment, after.deployment),
    ...KINDS.flatMap(([what, list]) =>
      missingIn(list(old), list(now)).map((item) => `${what} ${item}`),
    ),
    ...missingIn(old.hostPaths, now.hostPaths)
      .filter((path) => !isAllowed(path))
      .map((path) => `file on the host ${path}`),
    ...(config === undefined
      ? []
      : loosenedConfig(oldConfig, config, { ownFilter: bothOwnFilters(before, after) })),
    ...(isLesserUser(old, now.user) ? [] : [`runs as ${now.user}`]),
    ...loosenedUnit(unitTexts(before), unitTexts(after)),
    ...activatorsOf(after.deployment.units).flatMap((unit) =>
      loosenedUnit(activatorTexts(before, unit), activatorTexts(after, unit)),
    ),
    ...changedPrograms(before, after).map(
      (path) => `the unit goes by ${path} on the host, which is another file now`,
    ),
    ...newTmpfiles(unitTexts(before), { ...unitTexts(after), bound })
      .filter(({ path }) => !isAllowed(path))
      .map(({ words }) => words),
  ];
  return gained.map((text) => escapeText(text, MAX_CHARACTERS));
}

/** Longest line of the list: a profile that lets all calls through by name has 6,000 characters. */
const MAX_CHARACTERS = 8000;

const KINDS: readonly (readonly [string, (of: DeployedPermissions) => readonly string[]])[] = [
  ['capability', ({ capabilities }) => capabilities],
  ['namespace of the host:', ({ sharedNamespaces }) => sharedNamespaces],
];

/** What nobody has signed may be anybody's, where what it takes the place of was somebody's for sure. */
function lostSigners(before: Deployment, after: Deployment): readonly string[] {
  if ((after.image.trust?.signatures.length ?? 0) > 0) return [];
  return describeSigners(before.image.trust).map(
    (signer) => `an image that nobody has to have signed, in place of one signed by ${signer}`,
  );
}

function missingIn(before: readonly string[], after: readonly string[]): readonly string[] {
  const had = new Set(before);
  return after.filter((item) => !had.has(item));
}

/** What root needs to become somebody else: without, files of others may be kept from him. */
const CHANGES_USER = ['CAP_SETUID', 'CAP_SETGID'];

/** Whether another user may do nothing that the one before may not: it is the same, or one that root could become. */
function isLesserUser(before: DeployedPermissions, after: string): boolean {
  const [old, now] = [parseUser(before.user), parseUser(after)];
  if (before.user === after || now === undefined) return true;
  if (old === undefined) return false;
  if (old.uid === 0 && CHANGES_USER.every((name) => before.capabilities.includes(name)))
    return true;
  return old.uid === now.uid && now.groups.every((group) => old.groups.includes(group));
}

/** As the record has it; undefined where nobody runs. */
function parseUser(
  text: string,
): { readonly uid: number; readonly groups: readonly number[] } | undefined {
  const match = /^uid (\d+), gid (\d+)(?:, groups ([\d ]+))?$/.exec(text);
  if (match === null) return undefined;
  const [, uid, gid, more = ''] = match;
  return {
    uid: Number(uid),
    groups: [Number(gid), ...more.split(' ').filter(Boolean).map(Number)],
  };
}

/**
 * The config.json of a deployment, where it can be compared: on the disk it may have been edited, or be gone. Nothing is known of
 * it then, and all that its successor may do counts as new.
 */
function configOf({ texts }: PermittedSide): RuntimeConfig | undefined {
  const text = texts.get(CONFIG);
  if (text === undefined) return undefined;
  try {
    const config = parseRuntimeConfig(text);
    loosenedConfig(undefined, config);
    return config;
  } catch (error) {
    if (error instanceof OperationalError) return undefined;
    throw error;
  }
}

/** The filter that berth gives is none of an image's doing; but what an administrator made of it may have been less. */
function bothOwnFilters(before: PermittedSide, after: PermittedSide): boolean {
  const { filter, configSha256 } = before.deployment;
  return (
    filter?.kind === 'berth' &&
    after.deployment.filter?.kind === 'berth' &&
    configSha256 === sha256Of(before.texts.get(CONFIG) ?? '')
  );
}

/** Files that it brings to the host and that its unit runs or reads there, with another content: new ones are told anyway. */
function changedPrograms(before: PermittedSide, after: PermittedSide): readonly string[] {
  const units = [
    unitTexts(after),
    ...activatorsOf(after.deployment.units).map((unit) => activatorTexts(after, unit)),
  ];
  const run = new Set(units.flatMap((texts) => [...wordsRunOnHost(texts)]));
  const had = new Map(before.deployment.files.map(({ path, sha256 }) => [path, sha256]));
  return after.deployment.files
    .filter(
      ({ role, path, sha256 }) =>
        role === 'host-file' && run.has(path) && had.has(path) && had.get(path) !== sha256,
    )
    .map(({ path }) => path);
}

function unitTexts({ deployment, texts }: PermittedSide): UnitTexts {
  const { name, launcher, values } = deployment;
  return {
    name: parseContainerName(name),
    unit: texts.get(`${name}.service`),
    tmpfiles: texts.get(`tmpfiles-${name}.conf`),
    launcher,
    values,
  };
}

/** The same of a unit that starts the service. */
function activatorTexts(side: PermittedSide, unit: string): UnitTexts {
  return { ...unitTexts(side), unit: side.texts.get(unit), title: unit };
}
