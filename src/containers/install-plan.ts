import type { Digest } from '../oci/digest.js';
import type { TrustRecord } from '../trust/image-trust.js';
import type { DeployedFile, DeployedPermissions, FileRole } from './deployment.js';
import type { HealthCheck } from './health-check.js';

/**
 * What `install` will do, as a value: printed by `--plan`, recorded in part, carried out otherwise. Reading matter for a
 * person who has to decide whether the image may.
 */
export interface InstallPlan {
  readonly name: string;
  /** `nothing` where the same image with the same values is installed already. */
  readonly action: 'install' | 'nothing';
  readonly image: {
    readonly reference: string;
    readonly storeName: string;
    readonly digest: Digest;
    /** Why it may be taken, and who signed it. */
    readonly trust?: TrustRecord | undefined;
  };
  readonly fetch: FetchPlan;
  /** Everything that appears outside the state directory, folders before what is in them. */
  readonly files: readonly FileChange[];
  /** Paths that the unit's tmpfiles lines will make. */
  readonly createdPaths: readonly string[];
  readonly permissions: DeployedPermissions;
  /** Which system calls it may make; undefined where it has no service. */
  readonly systemCalls?: string | undefined;
  /** The administrator's own changes of its config.json; undefined where there are none. */
  readonly configChanges?:
    { readonly path: string; readonly members: readonly string[] } | undefined;
  /** Namespaces of its own. */
  readonly namespaces: readonly string[];
  /** `80/tcp`: what the image says that it listens on. Nothing is forwarded to it. */
  readonly ports: readonly string[];
  /** How an update will find out whether it is well. */
  readonly health: HealthCheck;
  /** What the unit itself does on the host, outside the container. */
  readonly notices: readonly string[];
  /** Who starts it: `at boot (multi-user.target)`, `docker.service requires it`, … */
  readonly startedBy: readonly string[];
  readonly enable: boolean;
  readonly start: boolean;
  /** Whether its image asks to be run once, in the foreground, and removed again, in the place of staying as a service. */
  readonly runsOnce: boolean;
  readonly values: Readonly<Record<string, string>>;
  /** Whom it means by what it says of other containers and units. */
  readonly dependencies: readonly string[];
  /** What it requires and what is installed before it, in that order (`--with-dependencies`). */
  readonly installs: readonly InstallPlan[];
  readonly warnings: readonly string[];
}

/** What has to come over the network. */
export interface FetchPlan {
  readonly layers: number;
  readonly missingLayers: number;
  readonly missingBytes: number;
}

/** One file that appears on the host. */
export interface FileChange {
  readonly role: FileRole;
  readonly path: string;
  readonly kind: DeployedFile['kind'];
  readonly mode: number;
  /** `new`, or `same` where the same file stands there already. */
  readonly state: 'new' | 'same' | 'changed';
  /** Its text, for units, drop-ins and tmpfiles; undefined for what is copied from the image. */
  readonly text: string | undefined;
  /** Against what stands there, where something does. */
  readonly diff: readonly string[];
  readonly sizeBytes: number;
}
