import type { AdoptOutcome } from '../../containers/adopt/adopt.js';
import type { ApplyOutcome } from '../../containers/apply-config.js';
import type { AutoUpdateOutcome } from '../../containers/auto-update.js';
import type { HostCheck } from '../../containers/check-host.js';
import type { ContainerSet } from '../../containers/container-sets.js';
import type { ContainerStatus } from '../../containers/container-status.js';
import type { ContainerProcess, ContainerUsage } from '../../containers/container-usage.js';
import type { DeletedImage, DeletePlan } from '../../containers/delete-image.js';
import type { DeploymentDifference } from '../../containers/describe-difference.js';
import type { BootTimes } from '../../containers/graph/boot-times.js';
import type { StartGraph } from '../../containers/graph/start-graph.js';
import type { History } from '../../containers/history.js';
import type { ImageInfo } from '../../containers/image-info.js';
import type { ImageVersion } from '../../containers/image-version.js';
import type { FetchPlan } from '../../containers/install-plan.js';
import type { InstallOutcome } from '../../containers/install.js';
import type { MountedRoot } from '../../containers/mounts/mount-root.js';
import type { OfflineState } from '../../containers/offline-states.js';
import type { PlannedRecovery } from '../../containers/plan-recovery.js';
import type { HostRepairPlan } from '../../containers/plan-repair.js';
import type { UninstallPlan } from '../../containers/plan-uninstall.js';
import type { HostRepair } from '../../containers/repair-host.js';
import type { Scanner } from '../../containers/scan/parse-scanner.js';
import type { ScanOutcome } from '../../containers/scan/scan.js';
import type { UninstallResult } from '../../containers/uninstall.js';
import type { UpdatePolicy } from '../../containers/update-policy.js';
import type { SetOutcome } from '../../containers/update-set.js';
import type { UpdateOutcome } from '../../containers/update-outcome.js';
import type { VerifyReport } from '../../containers/verify/verify-container.js';
import type { CopyResult } from '../../images/copy-image.js';
import type { Descriptor } from '../../oci/descriptor.js';
import type { Digest } from '../../oci/digest.js';
import type { ImageConfig } from '../../oci/image-config.js';
import type { Platform } from '../../oci/platform.js';
import type { FsckReport, PruneResult, StorageKind } from '../../store/image-store.js';
import type { TrustEntry } from '../../trust/describe-policy.js';
import type { TrustRecord } from '../../trust/image-trust.js';
import type { MadeSignature } from '../../trust/sign-image.js';

/**
 * What each command prints under `--json`, by its name. This is a promise to scripts: packaging/man/berth-json.7.md is made from it, and
 * a test holds what the commands print to that page. Fields may be added; one that is here stays, and means what it meant.
 */
export interface JsonResults {
  readonly adopt: readonly AdoptOutcome[];
  readonly apply: ApplyOutcome;
  readonly 'auto-update': readonly AutoUpdateOutcome[];
  readonly copy: CopyResult;
  readonly diff: DeploymentDifference;
  readonly fsck: HostCheck | HostRepair | HostRepairPlan;
  readonly graph: StartGraph | BootGraph;
  readonly history: History;
  readonly 'images delete': readonly (DeletedImage | DeletePlan)[];
  readonly 'images list': readonly ImageRow[];
  readonly 'images prune': PruneResult | readonly PrunableImage[];
  readonly 'images tag': TaggedImage;
  readonly 'images verify': FsckReport;
  readonly 'images version': readonly ImageVersion[];
  readonly info: ImageInfo;
  readonly inspect: InspectedImage;
  readonly install: InstallOutcome;
  readonly list: readonly ContainerRow[];
  readonly login: Login;
  readonly logout: Logout;
  readonly mount: MountedRoot;
  readonly pin: PinnedDeployments;
  readonly policy: ContainerPolicy | ListedPolicies | TimerState;
  readonly pull: PulledImage;
  readonly recover: Recovered | RecoveryPlan;
  readonly restart: readonly UnitVerbDone[];
  readonly rollback: UpdateOutcome | SetOutcome;
  readonly scan: ScanOutcome | readonly Scanner[];
  readonly 'sets create': ContainerSet;
  readonly 'sets delete': DeletedSet;
  readonly 'sets list': readonly ContainerSet[];
  readonly 'sets show': ShownSet;
  readonly sign: readonly ImageSignature[];
  readonly start: readonly UnitVerbDone[];
  readonly stats: readonly ContainerUsage[];
  readonly status: readonly ContainerStatus[];
  readonly stop: readonly UnitVerbDone[];
  readonly tags: RepositoryTags;
  readonly top: readonly ContainerProcess[];
  readonly 'trust add': ChangedPolicy;
  readonly 'trust default': ChangedPolicy;
  readonly 'trust delete': ChangedPolicy;
  readonly 'trust show': ShownPolicy;
  readonly uninstall: readonly (UninstallPlan | UninstallResult)[];
  readonly unmount: Unmounted;
  readonly update: readonly (UpdateOutcome | SetOutcome)[];
  readonly verify: readonly VerifyReport[];
}

/** With `--boot`. */
export interface BootGraph extends BootTimes {
  /** Containers and units that would wait for each other. */
  readonly cycles: StartGraph['cycles'];
}

/** An image of the store. */
export interface ImageRow {
  /** All its names, with commas between them; empty where it has none. */
  readonly name: string;
  readonly storage: StorageKind;
  readonly digest: Digest;
  /** Deployments that were made of it: `NAME`, or `NAME.N` of an earlier one. */
  readonly usedBy: readonly string[];
  readonly storedAt: string;
  readonly contentBytes: number;
  readonly platform: Platform;
}

/** With `--plan`: an image that would go. */
export interface PrunableImage {
  readonly digest: Digest;
  readonly names: readonly string[];
  /** At most so much would be freed: other images may have the same files. */
  readonly contentBytes: number;
}

/** A name that an image of the store has now. */
export interface TaggedImage {
  readonly digest: Digest;
  readonly name: string;
}

/** Manifest and configuration of an image that need not be in the store. */
export interface InspectedImage {
  readonly name: string;
  readonly digest: Digest;
  /** Of the index, where there is one; else the same as `digest`. */
  readonly topDigest: Digest;
  /** All that the index lists. */
  readonly platforms: readonly string[];
  readonly mediaType: string;
  readonly layers: readonly InspectedLayer[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly config: ImageConfig;
  /** With `--referrers`. */
  readonly referrers?: readonly Referrer[];
}

/** What refers to an image in its registry. */
export type Referrer = Omit<Descriptor, 'data' | 'platform'>;

/** A layer of {@link InspectedImage}. */
export interface InspectedLayer {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  /** Digest of what it is uncompressed. */
  readonly diffId: Digest | undefined;
}

/** An installed container. */
export interface ContainerRow {
  readonly name: string;
  readonly image: string;
  readonly digest: string;
  /**
   * As systemd has it (`active`, `failed`, …); `waiting` where its socket, timer or path will start it; `N instances` of a
   * template, `files only` where there is no service, `offline` in the tree of `--root`.
   */
  readonly state: string;
  /** As `systemctl is-enabled` says it, of what a boot starts; empty where there is no service. */
  readonly enabled: string;
  /**
   * With `--root`, where the tree has not been booted yet and systemd's presets will say otherwise then: `enable` enables what is
   * disabled; `disable` disables what is enabled, where systemd was built to do so.
   */
  readonly preset: OfflineState['preset'];
  readonly deployment: number;
  readonly runtime: string;
  readonly createdAt: string;
}

/** An account that is kept now. */
export interface Login {
  readonly registry: string;
  readonly username: string;
  /** Where it is kept. */
  readonly file: string;
}

/** An account that is not kept any more. */
export interface Logout {
  readonly registry: string;
  /** False where there was none. */
  readonly removed: boolean;
  readonly file: string;
}

/** All pinned deployments of a container. */
export interface PinnedDeployments {
  readonly name: string;
  readonly pinned: readonly number[];
}

/** Without a name: how the timer updates containers. */
export interface ListedPolicies {
  /** Whether the timer is enabled; undefined where no systemd can be asked. */
  readonly timer: boolean | undefined;
  readonly containers: readonly ContainerPolicy[];
}

/** How the timer updates a container. */
export interface ContainerPolicy extends UpdatePolicy {
  readonly name: string;
}

/** With `--enable-timer` or `--disable-timer` and no name: whether it is enabled now. */
export interface TimerState {
  readonly timer: boolean;
}

/** An image that is in the store now. */
export interface PulledImage {
  readonly digest: Digest;
  readonly names: readonly string[];
  readonly fetch: FetchPlan;
  readonly alreadyPresent: boolean;
  readonly trust: TrustRecord;
}

/** What was interrupted and is finished or undone now. */
export interface Recovered {
  /** Names of containers. */
  readonly recovered: readonly string[];
}

/** With `--plan`: what was interrupted. */
export interface RecoveryPlan {
  readonly planned: readonly PlannedRecovery[];
}

/** What systemd has done. */
export interface UnitVerbDone {
  readonly name: string;
  readonly action: 'started' | 'stopped' | 'restarted';
  /** Of `start`: sockets that stay down since their service runs already, where there are any; `berth restart` brings both up. */
  readonly leftDown?: readonly string[];
}

/** A set that is forgotten. */
export interface DeletedSet {
  readonly deleted: string;
}

/** A set, and where rolling it back goes. */
export interface ShownSet {
  readonly name: string;
  readonly members: readonly SetMember[];
}

/** A container of {@link ShownSet}. */
export interface SetMember {
  readonly name: string;
  /** Number of its deployment; null where it is not installed. */
  readonly current: number | null;
  /** Where rolling the set back goes; null where the set has not changed yet. */
  readonly previous: number | null;
}

/** A signature that was made. */
export interface ImageSignature extends MadeSignature {
  /** As it was given. */
  readonly image: string;
}

/** All tags of a repository. */
export interface RepositoryTags {
  readonly repository: string;
  readonly tags: readonly string[];
}

/** A policy that was changed. */
export interface ChangedPolicy {
  /** Its file. */
  readonly policy: string;
}

/** The policy of the host. */
export interface ShownPolicy {
  /** Its file; not there where the host has none. */
  readonly policy: string | undefined;
  readonly entries: readonly TrustEntry[];
  /** Scopes whose images may be signed by their digest alone, by berth.conf. */
  readonly unnamed: readonly string[];
}

/** A directory on which nothing of berth's is mounted any more. */
export interface Unmounted {
  readonly directory: string;
}
