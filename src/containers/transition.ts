import type { Digest } from '../oci/digest.js';
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
export function sideOf(deployment: Deployment, enabled: readonly string[]): TransitionSide {
  const { number, image, files, units, createdPaths } = deployment;
  return { number, digest: image.digest, files, units, enabled, createdPaths };
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
