import { OperationalError } from '../errors/operational-error.js';
import { parseStrictJson, type JsonValue } from '../base/strict-json.js';
import { comparePackages, type PackagesDifference } from '../images/packages/compare-packages.js';
import { readPackages } from '../images/packages/read-packages.js';
import type { ImageConfig } from '../oci/image-config.js';
import type { ImageTree } from '../store/image-store.js';
import { compareJson, type MemberDifference } from './compare-json.js';
import { compareTrees, type TreeDifference } from '../store/compare-trees.js';
import { compareValues, MASKED, valuesOf, type ValueDifference } from './compare-values.js';
import type { Deployment } from './deployment.js';
import { diffLines } from './text-diff.js';

/** One of two things to compare: a deployment, on disk or in memory, or an image alone. */
export interface DifferenceSide {
  /** As a person knows it: `etcd.0`, a reference. */
  readonly label: string;
  readonly image: { readonly reference: string; readonly digest: string };
  /** Undefined where the content cannot be had; files and packages are not compared then. */
  readonly tree: ImageTree | undefined;
  /** Undefined for an image. */
  readonly deployment: Deployment | undefined;
  /** How the image wants to be run; compared where neither side is a deployment. */
  readonly imageConfig: ImageConfig | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Files of the deployment by name: `config.json`, `NAME.service`, `10-berth.conf`, `tmpfiles-NAME.conf`. */
  readonly texts: ReadonlyMap<string, string>;
}

/** A text that is not the same on both sides. */
export interface TextDifference {
  readonly name: string;
  /** Its changes with three lines around each: `+`, `-` or a blank stands in front. */
  readonly lines: readonly string[];
}

/** What came and what went of a list. */
export interface ListDifference {
  /** Which list: `capabilities`, `mounts`, … */
  readonly what: (typeof LISTS)[number][0];
  readonly gained: readonly string[];
  readonly lost: readonly string[];
}

/** What was compared. */
export interface ComparedThing {
  /** As a person names it: `NAME.N`, or a name of the image. */
  readonly label: string;
  readonly reference: string;
  readonly digest: string;
}

/** How two deployments, or two images, differ. */
export interface DeploymentDifference {
  readonly before: ComparedThing;
  readonly after: ComparedThing;
  /** Whether there is no difference at all in what follows. */
  readonly same: boolean;
  /** Bytes to download for the second, where the caller knows. */
  readonly bytesToFetch: number | undefined;
  readonly files: TreeDifference | undefined;
  readonly packages: PackagesDifference | undefined;
  /** Members of config.json; of the image's configuration where neither side is a deployment. */
  readonly config: readonly MemberDifference[];
  readonly texts: readonly TextDifference[];
  readonly variables: readonly ValueDifference[];
  readonly labels: readonly ValueDifference[];
  readonly permissions: readonly ListDifference[];
  /** Runtime, user, health check, dependencies: what else was recorded. */
  readonly record: readonly MemberDifference[];
}

/** The lists of a deployment whose gains and losses are told one by one. */
const LISTS = [
  ['capabilities', ({ permissions }: Deployment) => permissions.capabilities],
  ['mounts', ({ permissions }: Deployment) => permissions.hostMounts],
  ['shared namespaces', ({ permissions }: Deployment) => permissions.sharedNamespaces],
  ['devices', ({ permissions }: Deployment) => permissions.devices],
  ['host paths', ({ permissions }: Deployment) => permissions.hostPaths],
  ['units', ({ units }: Deployment) => units],
] as const;

/**
 * Says how two deployments or two images differ: image, files, packages, config.json by member, unit texts by line, and
 * everything that the record of a deployment says. Values that either side calls secret are masked. Changes nothing.
 *
 * @throws OperationalError what reading the trees throws; CANCELLED
 */
export async function describeDifference(
  before: DifferenceSide,
  after: DifferenceSide,
  options: {
    readonly bytesToFetch?: number | undefined;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<DeploymentDifference> {
  const secrets = new Set([
    ...(before.deployment?.secrets ?? []),
    ...(after.deployment?.secrets ?? []),
  ]);
  const trees = { before: before.tree, after: after.tree };
  const files = await compareFiles(trees, options.signal);
  const packages = await comparePackageLists(trees);
  const rest = {
    config: compareConfigs(before, after, secrets),
    texts: compareTexts(before, after, secrets),
    variables: compareValues(valuesIn(before), valuesIn(after), secrets),
    labels: compareValues(before.labels, after.labels, NO_SECRETS),
    permissions: comparePermissions(before.deployment, after.deployment),
    record: compareRecords(before.deployment, after.deployment),
  };
  const isSame =
    before.image.digest === after.image.digest &&
    before.image.reference === after.image.reference &&
    (files === undefined || files.files.length === 0) &&
    (packages === undefined || packages.changes.length === 0) &&
    Object.values(rest).every((changes) => changes.length === 0);
  return {
    before: labelled(before),
    after: labelled(after),
    same: isSame,
    bytesToFetch: options.bytesToFetch,
    files,
    packages,
    ...rest,
  };
}

function labelled({ label, image: { reference, digest } }: DifferenceSide): ComparedThing {
  return { label, reference, digest };
}

const NO_SECRETS: ReadonlySet<string> = new Set();

interface Trees {
  readonly before: ImageTree | undefined;
  readonly after: ImageTree | undefined;
}

async function compareFiles(
  { before, after }: Trees,
  signal: AbortSignal | undefined,
): Promise<TreeDifference | undefined> {
  if (before === undefined || after === undefined) return undefined;
  return compareTrees(before.root, after.root, { times: false, signal });
}

async function comparePackageLists({
  before,
  after,
}: Trees): Promise<PackagesDifference | undefined> {
  if (before === undefined || after === undefined) return undefined;
  return comparePackages(await readPackages(before), await readPackages(after));
}

/** An administrator may have edited a config.json into something that is no JSON: its text is compared then. */
function compareConfigs(
  before: DifferenceSide,
  after: DifferenceSide,
  secrets: ReadonlySet<string>,
): readonly MemberDifference[] {
  if (before.deployment === undefined && after.deployment === undefined) {
    return compareJson(imageMembers(before), imageMembers(after));
  }
  const old = parseConfig(before);
  const now = parseConfig(after);
  if (old === undefined || now === undefined) return [];
  return compareJson(old, now).map((change) => maskMember(change, secrets));
}

const CONFIG = 'config.json';

function parseConfig(side: DifferenceSide): JsonValue | undefined {
  const text = side.texts.get(CONFIG);
  if (text === undefined) return undefined;
  try {
    return parseStrictJson(text, { what: CONFIG });
  } catch (error) {
    if (error instanceof OperationalError) return undefined;
    throw error;
  }
}

function imageMembers({ imageConfig }: DifferenceSide): JsonValue {
  if (imageConfig === undefined) return {};
  const { process, platform } = imageConfig;
  return JSON.parse(JSON.stringify({ ...process, platform })) as JsonValue;
}

/** The environment of the process is where older images take their passwords from. */
function maskMember(change: MemberDifference, secrets: ReadonlySet<string>): MemberDifference {
  const variable = /\.env\[(.*)\]$/.exec(change.path)?.[1];
  if (variable === undefined || !secrets.has(variable)) return change;
  return {
    path: change.path,
    before: change.before === undefined ? undefined : MASKED,
    after: change.after === undefined ? undefined : MASKED,
  };
}

/** The unit and what goes with it line by line; config.json only where it could not be compared by member. */
function compareTexts(
  before: DifferenceSide,
  after: DifferenceSide,
  secrets: ReadonlySet<string>,
): readonly TextDifference[] {
  const byMember = parseConfig(before) !== undefined && parseConfig(after) !== undefined;
  const names = [...new Set([...before.texts.keys(), ...after.texts.keys()])].sort();
  const mask = maskTexts(before, after, secrets);
  return names
    .filter((name) => name !== CONFIG || !byMember)
    .map((name) => ({
      name,
      lines: diffLines(mask(before.texts.get(name) ?? ''), mask(after.texts.get(name) ?? '')),
    }))
    .filter(({ lines }) => lines.length > 0);
}

/** Shorter values stand in any text by chance. */
const MIN_MASKED_CHARACTERS = 4;

/** Takes the secret values that are known out of a text: a template may have put them anywhere. */
function maskTexts(
  before: DifferenceSide,
  after: DifferenceSide,
  secrets: ReadonlySet<string>,
): (text: string) => string {
  const known = [before, after]
    .flatMap((side) => Object.entries(valuesIn(side)))
    .filter(([name, value]) => secrets.has(name) && value.length >= MIN_MASKED_CHARACTERS)
    .map(([, value]) => value);
  return (text) => known.reduce((masked, value) => masked.replaceAll(value, MASKED), text);
}

function valuesIn({ deployment }: DifferenceSide): Readonly<Record<string, string>> {
  return deployment === undefined ? {} : valuesOf(deployment);
}

function comparePermissions(
  before: Deployment | undefined,
  after: Deployment | undefined,
): readonly ListDifference[] {
  if (before === undefined || after === undefined) return [];
  return LISTS.map(([what, listOf]) => {
    const old = listOf(before);
    const now = listOf(after);
    return {
      what,
      gained: now.filter((item) => !old.includes(item)),
      lost: old.filter((item) => !now.includes(item)),
    };
  }).filter(({ gained, lost }) => gained.length + lost.length > 0);
}

function compareRecords(
  before: Deployment | undefined,
  after: Deployment | undefined,
): readonly MemberDifference[] {
  if (before === undefined || after === undefined) return [];
  const told = (deployment: Deployment): JsonValue => {
    const { runtime, storage, rootfs, dependencies, health, permissions, secrets } = deployment;
    const { user } = permissions;
    const systemCallFilter = nameOfFilter(deployment);
    const members = {
      runtime,
      storage,
      rootfs,
      user,
      systemCallFilter,
      dependencies,
      health,
      secrets,
    };
    return JSON.parse(JSON.stringify(members)) as JsonValue;
  };
  return compareJson(told(before), told(after));
}

/** Whose filter it is, where that does not show in config.json alone. */
function nameOfFilter({ filter }: Deployment): string | undefined {
  if (filter?.kind === 'file') return filter.file;
  return filter?.kind === 'image' ? undefined : filter?.kind;
}
