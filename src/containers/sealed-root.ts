import { join } from 'node:path/posix';

import { syncFolder } from '../base/atomic-file.js';
import { quote } from '../base/escape-text.js';
import { readFile, rename, unlink, writeFile } from '../base/quick-files.js';
import { runProgram } from '../base/subprocess.js';
import type { HostPaths } from '../config/host-paths.js';
import { OperationalError } from '../errors/operational-error.js';
import { compileRootTrial, sealPlan } from '../runtime/seal-plan.js';
import { verityDigest } from '../store/composefs/verity-digest.js';
import type { ImageTree, MountPoint } from '../store/image-store.js';
import { measureSeal, sealFile } from '../sys/fs-verity.js';
import { AT_FDCWD, type At } from '../sys/libc.js';
import { syncFileSystemOf } from '../sys/sync.js';
import type { Host } from './host.js';

/*
 * What a container has as its root instead of the checkout, where that is wanted: names, owners, modes and links of a composefs image,
 * sealed by fs-verity, and content of the store's sealed objects. `rootfs/` stays: it costs names only, and what berth itself reads of a
 * container it reads there.
 */

/** The sealed root of a deployment, as its record has it. */
export interface SealedRoot {
  /** The composefs image: a file of the deployment. */
  readonly image: string;
  /** What fs-verity measures of it, hexadecimal. */
  readonly digest: string;
  /** The folder of the objects, as the host has it when it runs. */
  readonly objects: string;
  /** What was added to the tree of the image. */
  readonly mountPoints: readonly MountPoint[];
}

/** How the root of a deployment is to be sealed. */
export interface DecidedSealing {
  readonly wanted: 'maybe' | 'yes';
  /** As the host has it when it runs. */
  readonly objects: string;
}

/** What {@link decideSealing} goes by. */
export interface SealingRequest {
  readonly tree: ImageTree;
  /** `--rootfs`: a root that is not of the store. */
  readonly rootfs: string | undefined;
  /** `--runtime`; berth's own unless given. */
  readonly runtime: string | undefined;
}

/**
 * Whether the root of a service is to be sealed: where the repository or berth.conf says so, and it is berth that mounts it.
 *
 * @throws OperationalError RUNTIME_UNSUPPORTED where it has to be, and cannot
 */
export async function decideSealing(
  host: Host,
  { tree, rootfs, runtime }: SealingRequest,
): Promise<DecidedSealing | undefined> {
  if (rootfs !== undefined) return undefined;
  const sealing = (await host.openStore()).rootSealing(tree);
  if (sealing === undefined) return undefined;
  const problem =
    host.paths.mode !== 'system'
      ? 'only root can mount sealed roots'
      : runtime === undefined
        ? undefined
        : `${runtime} mounts no sealed root`;
  if (problem === undefined)
    return { wanted: sealing.wanted, objects: pathOnHost(host.paths, sealing.objects) };
  refuse(host, sealing.wanted, new OperationalError('RUNTIME_UNSUPPORTED', problem, WITHOUT));
  return undefined;
}

/** A deployment that is being built. */
export interface RootToSeal {
  readonly name: string;
  readonly sealing: DecidedSealing;
  readonly tree: ImageTree;
  readonly mountPoints: readonly MountPoint[];
  /** The plan for a root that is a directory. */
  readonly plan: Uint8Array;
  /** The launcher of the unit, as the host has it when it runs. */
  readonly launcher: string;
  /** The folder of the deployment, on disk. */
  readonly folder: string;
}

/** A root that was sealed. */
export interface RootSealed {
  readonly record: SealedRoot;
  readonly plan: Buffer;
}

/**
 * Writes and seals the image of a deployment's root, and has the launcher mount it once. Undefined where that cannot be and need not.
 *
 * @throws OperationalError STORE_UNSUITABLE, RUNTIME_UNSUPPORTED where it has to be
 */
export async function sealRoot(host: Host, root: RootToSeal): Promise<RootSealed | undefined> {
  const { sealing, folder } = root;
  let image: string | undefined;
  try {
    const composed = await composeSealedRoot(host, root);
    image = join(folder, composed.record.image);
    await writeSealedImage(image, composed.bytes);
    await tryMounting(host, { ...root, image, record: composed.record });
    return { record: composed.record, plan: planOf(host, root, composed.record) };
  } catch (error) {
    if (image !== undefined) await unlink(image).catch(() => undefined);
    refuse(host, sealing.wanted, error);
    return undefined;
  }
}

/** The image of a root, and what a record says of it; nothing is written. */
export async function composeSealedRoot(
  host: Host,
  root: Pick<RootToSeal, 'tree' | 'mountPoints'> & {
    readonly sealing: { readonly objects: string };
  },
): Promise<{ readonly bytes: Buffer; readonly record: SealedRoot }> {
  const { tree, mountPoints, sealing } = root;
  const bytes = await (await host.openStore()).encodeSealedRoot(tree, mountPoints);
  const digest = verityDigest(bytes).toString('hex');
  const image = `root-${digest.slice(0, 16)}.erofs`;
  return { bytes, record: { image, digest, objects: sealing.objects, mountPoints } };
}

/** A plan with the sealed root of a record, by the path that the deployment has once it is in place. */
export function planOf(
  host: Host,
  { name, plan }: Pick<RootToSeal, 'name' | 'plan'>,
  { image, objects, digest }: SealedRoot,
): Buffer {
  return sealPlan(Buffer.from(plan), {
    image: join(host.paths.stateDir, name, image),
    objects,
    digest: Buffer.from(digest, 'hex'),
  });
}

/**
 * Writes an image where nothing stands, and seals it.
 *
 * @throws OperationalError STORE_UNSUITABLE where there is no fs-verity
 */
export async function writeSealedImage(path: string, bytes: Buffer): Promise<void> {
  await writeFile(path, bytes, { mode: 0o600, flag: 'wx' });
  if (sealFile(at(path)) && measureSeal(at(path))?.equals(verityDigest(bytes)) === true) return;
  throw new OperationalError(
    'STORE_UNSUITABLE',
    `${quote(path)} cannot be sealed: the file system or the kernel has no fs-verity`,
    { hint: "ext4 has it after 'tune2fs -O verity DEVICE'" },
  );
}

/**
 * What is wrong with the sealed root of a deployment, in words; the first thing only.
 *
 * @throws OperationalError CANCELLED
 */
export async function checkSealedRoot(
  host: Host,
  {
    record,
    folder,
    tree,
  }: {
    readonly record: SealedRoot;
    /** The folder of the deployment, on disk. */
    readonly folder: string;
    /** Of its image; undefined where that is not in the store. */
    readonly tree: ImageTree | undefined;
  },
): Promise<string | undefined> {
  const path = join(folder, record.image);
  let bytes: Buffer;
  try {
    const digest = measureSeal(at(path));
    if (digest === undefined) return 'it is not sealed any more: the service does not start';
    if (digest.toString('hex') !== record.digest)
      return 'it is not the one that was sealed: the service does not start';
    bytes = await readFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error) return `it cannot be read: ${error.message}`;
    throw error;
  }
  if (tree === undefined) return undefined;
  try {
    const store = await host.openStore();
    const expected = await store.encodeSealedRoot(tree, record.mountPoints);
    if (expected.equals(bytes)) return undefined;
    const replaced =
      expected.length === bytes.length
        ? await store.findReplaced(tree, record.mountPoints, bytes)
        : [];
    return replaced.length === 0
      ? 'what it says is not what is in the store: objects were replaced, their files cannot be read'
      : `objects were replaced in the store, the files cannot be read: ${nameSome(replaced)}`;
  } catch (error) {
    if (!(error instanceof OperationalError) || error.code === 'CANCELLED') throw error;
    return `files of it cannot be read: ${error.message}`;
  }
  return undefined;
}

/** Files that are named one by one; the others are counted. */
const MAX_NAMED = 10;

function nameSome(paths: readonly string[]): string {
  const names = paths
    .slice(0, MAX_NAMED)
    .map((path) => quote(`/${Buffer.from(path, 'latin1').toString('utf8')}`));
  const more = paths.length - names.length;
  return `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Puts the image of a record in its place once more; false where the store does not come to the same any more. */
export async function renewSealedRoot(
  host: Host,
  { record, folder, tree }: Parameters<typeof checkSealedRoot>[1] & { readonly tree: ImageTree },
): Promise<boolean> {
  const { mountPoints } = record;
  const composed = await composeSealedRoot(host, { tree, mountPoints, sealing: record });
  if (composed.record.digest !== record.digest) return false;
  const temporary = join(folder, `.${record.image}`);
  await unlink(temporary).catch(() => undefined);
  await writeSealedImage(temporary, composed.bytes);
  await syncFileSystemOf(folder);
  await rename(temporary, join(folder, record.image));
  await syncFolder(folder);
  return true;
}

/** What the trial ends with where all went well: the program cannot be run. */
const NOTHING_TO_RUN = 203;

const WITHOUT = {
  hint: "'ostree-composefs' in berth.conf, or 'ex-integrity.composefs' of the repository, is to be \"no\" to do without",
};

/** Whether the kernel can mount it is known when it has. In a tree that is not booted, another kernel will. */
async function tryMounting(
  host: Host,
  root: RootToSeal & { readonly image: string; readonly record: SealedRoot },
): Promise<void> {
  if (host.paths.root !== '') return;
  const trial = join(root.folder, '.trial.plan');
  const { digest, objects } = root.record;
  const source = { image: root.image, objects, digest: Buffer.from(digest, 'hex') };
  const plan = compileRootTrial(sealPlan(Buffer.from(root.plan), source));
  await writeFile(trial, plan, { mode: 0o600, flag: 'wx' });
  try {
    const okStatuses = Array.from({ length: 256 }, (_, status) => status);
    const { status, stderrTail } = await runProgram([root.launcher, trial], {
      okStatuses,
      signal: host.signal,
    });
    if (status === NOTHING_TO_RUN) return;
    const reason = stderrTail.trim().replace(/^.*?: cannot start [^:]*: /s, '');
    throw new OperationalError(
      'RUNTIME_UNSUPPORTED',
      `this host cannot mount the sealed root of '${root.name}': ${reason}`,
      {
        hint: `it takes Linux 6.12 or later with erofs and overlay; ${WITHOUT.hint}`,
      },
    );
  } finally {
    await unlink(trial);
  }
}

/** Never a weaker root in silence: where one is allowed, it is said. */
function refuse(host: Host, wanted: 'maybe' | 'yes', error: unknown): void {
  const isExpected =
    error instanceof OperationalError &&
    (error.code === 'STORE_UNSUITABLE' || error.code === 'RUNTIME_UNSUPPORTED');
  if (wanted === 'yes' || !isExpected) throw error;
  host.onEvent({ kind: 'warning', text: `the root is not sealed: ${error.message}` });
}

function pathOnHost({ root }: HostPaths, onDisk: string): string {
  return root !== '' && onDisk.startsWith(`${root}/`) ? onDisk.slice(root.length) : onDisk;
}

function at(path: string): At {
  return { dirFd: AT_FDCWD, name: Buffer.from(path, 'utf8').toString('latin1') };
}
