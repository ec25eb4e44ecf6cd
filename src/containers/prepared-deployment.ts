import type { ImageTree, MountPoint } from '../store/image-store.js';
import type { ConfigChanges } from './config-changes.js';
import type { Deployment } from './deployment.js';
import type { UnitToCome } from './find-start-cycle.js';
import type { ChosenLauncher } from './place-launcher.js';
import type { PlannedHostFile } from './plan-host-files.js';
import type { DecidedSealing } from './sealed-root.js';

/** A deployment in memory: everything that will be written, checked, and nothing written yet. */
export interface PreparedDeployment {
  readonly deployment: Deployment;
  /** What is checked out; with `--rootfs` only host files come from there. */
  readonly tree: ImageTree;
  readonly mountPoints: readonly MountPoint[];
  /** How its root is to be sealed; undefined where it is not. */
  readonly sealing: DecidedSealing | undefined;
  /** Files of the deployment directory, by relative path. */
  readonly contents: ReadonlyMap<string, PreparedContent>;
  readonly launcher: ChosenLauncher | undefined;
  /** Files of the host, folders before what is in them, with their texts. */
  readonly files: readonly PlannedHostFile[];
  readonly namespaces: readonly string[];
  /** Which system calls it may make, in a person's words; undefined where it has no service. */
  readonly systemCalls: string | undefined;
  /** The administrator's own changes of its config.json. */
  readonly changes: ConfigChanges | undefined;
  /** What the unit itself does on the host. */
  readonly notices: readonly string[];
  readonly startedBy: readonly string[];
  /** How its unit is ordered; undefined where it has no service. */
  readonly ordering: UnitToCome | undefined;
  /** Whom it means by what it says of others, for a person. */
  readonly dependencyNotes: readonly string[];
  /** Those of the warnings that are about the values that were given. */
  readonly valueWarnings: readonly string[];
  /** Values with secrets masked. */
  readonly shownValues: Readonly<Record<string, string>>;
}

/** A file of a deployment directory. */
export interface PreparedContent {
  readonly content: string | Uint8Array;
  /** Modification time to set, where something depends on it. */
  readonly mtimeMs?: number | undefined;
}
