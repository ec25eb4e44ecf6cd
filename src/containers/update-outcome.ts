import type { Digest } from '../oci/digest.js';
import type { Deployment } from './deployment.js';
import type { DeploymentDifference } from './describe-difference.js';
import type { InstallPlan } from './install-plan.js';

/** A deployment in a few words. */
export interface DeploymentInBrief {
  readonly number: number;
  readonly reference: string;
  readonly digest: Digest;
}

/** What updating, or going back, came to. */
export interface UpdateOutcome {
  readonly name: string;
  /**
   * `nothing` where there is nothing new; `rejected` where what is new was tried and was not well; `held` where it may do more
   * than what is installed, and nobody has allowed that; `planned` with `--plan`.
   */
  readonly action: 'updated' | 'nothing' | 'rejected' | 'held' | 'planned';
  readonly from: DeploymentInBrief;
  /** The same as `from` where nothing changed. */
  readonly to: DeploymentInBrief;
  /** Why the image is not tried again. */
  readonly rejected: string | undefined;
  /** What the new version may do that the one before may not. */
  readonly gained: readonly string[];
  /** What of it is for somebody to allow: not what follows from values that he gave himself. */
  readonly asks: readonly string[];
  /** Whether the service was stopped and started. */
  readonly restarted: boolean;
  /** Host files that were changed on this host, and stay so. */
  readonly kept: readonly string[];
  /** Units that were, put aside. */
  readonly saved: readonly string[];
  /** What the new version has for kept files, beside them: `PATH.berth-new`; undefined where there is nothing new. */
  readonly newVersions?: readonly string[];
  /** With `--plan`, and where there is something new. */
  readonly difference: DeploymentDifference | undefined;
  /** What the new version requires and what is installed before it, in that order (`--with-dependencies`). */
  readonly installs: readonly InstallPlan[];
}

/** A deployment in a few words, for outcomes. */
export function inBrief({ number, image }: Deployment): DeploymentInBrief {
  return { number, reference: image.reference, digest: image.digest };
}
