import type { Digest } from '../oci/digest.js';
import { parseUnitName, templateOf } from '../systemd/unit-name.js';
import type { Deployment, DeployedFile } from './deployment.js';

/** What a transition has to know of a deployment: what of it is, or will be, outside its directory. */
export interface TransitionSide {
  /** The N of `NAME.N`. */
  readonly number: number;
  /** Of the image; undefined in an entry that an older berth wrote. */
  readonly digest: Digest | undefined;
  readonly files: readonly DeployedFile[];
  readonly units: readonly string[];
  /** Those of `units` that systemd starts at boot: an administrator may have said otherwise since the installation. */
  readonly enabled: readonly string[];
  /**
   * Units that are up, or are to be, beside the service of which {@link Transition.starts} speaks: what starts it, and waits.
   * Of a template its instances.
   */
  readonly up: readonly string[];
  /** See {@link Deployment.createdPaths}. */
  readonly createdPaths: readonly string[];
}

/**
 * One container going from a deployment, or none, to another, or none: what installing, updating, rolling back and
 * uninstalling are, and what taking each of them back is.
 */
export interface Transition {
  readonly name: string;
  /** Undefined where the container was not installed. */
  readonly from: TransitionSide | undefined;
  /** Undefined where it will not be. */
  readonly to: TransitionSide | undefined;
  /** Whether the directory of `to` is made by this transition: it goes away again where it is taken back. */
  readonly builds: boolean;
  /** Whether the service runs afterwards; it is stopped in between. */
  readonly starts: boolean;
  /** Units that were up and go down with the service: they are started again after it. */
  readonly dependents: readonly string[];
  /** Why the image that is left is not to be tried again; undefined where nothing is wrong with it. */
  readonly rejected: string | undefined;
}

/** What a transition has to know of a deployment. */
export function sideOf(
  deployment: Deployment,
  enabled: readonly string[],
  up: readonly string[] = [],
): TransitionSide {
  const { number, image, files, units, createdPaths } = deployment;
  return { number, digest: image.digest, files, units, enabled, up, createdPaths };
}

/** The way back: what was built goes away, what ran runs again. */
export function invert(transition: Transition, rejected: string | undefined): Transition {
  const { from, to } = transition;
  return { ...transition, from: to, to: from, rejected };
}

/** What the NAME link says before or after a transition. */
export function directoryOf(name: string, side: TransitionSide | undefined): string | undefined {
  return side === undefined ? undefined : `${name}.${side.number}`;
}

/** Whether systemd has to read its files again: also where a unit is not to be enabled. */
export function changesUnits({ from, to }: Transition): boolean {
  const unitFiles = (side: TransitionSide | undefined): string =>
    JSON.stringify(
      (side?.files ?? [])
        .filter(({ role }) => role === 'unit' || role === 'drop-in')
        .map(({ path, kind, sha256 }) => [path, kind, sha256])
        .sort(),
    );
  return unitFiles(from) !== unitFiles(to);
}

/**
 * Units that are up before a transition and after it, and whose files say the same: they are not stopped for it, so that who
 * connects meanwhile waits, and is served by the new version.
 */
export function unitsStayingUp({ from, to }: Transition): readonly string[] {
  if (from === undefined || to === undefined) return [];
  return from.up.filter(
    (unit) => to.up.includes(unit) && sameFiles(filesOf(from, unit), filesOf(to, unit)),
  );
}

/** The unit and its drop-in. */
function filesOf({ files }: TransitionSide, unit: string): readonly DeployedFile[] {
  const name = templateOf(parseUnitName(unit)) ?? unit;
  return files.filter(
    ({ role, path }) =>
      (role === 'unit' && path.endsWith(`/${name}`)) ||
      (role === 'drop-in' && path.includes(`/${name}.d/`)),
  );
}

function sameFiles(one: readonly DeployedFile[], other: readonly DeployedFile[]): boolean {
  const text = (files: readonly DeployedFile[]): string =>
    JSON.stringify(files.map(({ path, kind, sha256 }) => [path, kind, sha256]).sort());
  return one.length > 0 && text(one) === text(other);
}
