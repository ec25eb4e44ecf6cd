import { randomBytes } from 'node:crypto';
import { closeSync, constants, existsSync, openSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

import { quote } from '../../base/escape-text.js';
import { mkdir } from '../../base/quick-files.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import {
  MOUNT_ATTR,
  parseMountOptions,
  type AttributeChange,
} from '../../runtime/mount-options.js';
import type { StoredImage } from '../../store/image-store.js';
import { attachMount } from '../../sys/attach-mount.js';
import type { Deployment } from '../deployment.js';
import { findDeployment, noSuchThing } from '../difference-sides.js';
import { findStoredImage } from '../find-stored-image.js';
import type { Host } from '../host.js';
import { covers } from '../host-path-policy.js';
import { assertForSystem } from '../preflight.js';
import { encodeByteString } from '../../layer/tree.js';
import { removePath } from '../remove-path.js';
import { deploymentRoot, withMountsLock } from './mounted-roots.js';

/** What was mounted, and where. */
export interface MountedRoot {
  /** What was mounted: the manifest's digest of an image, `NAME.N` of a container. */
  readonly what: string;
  /** Where, links in the path resolved. */
  readonly directory: string;
}

const OPEN_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY;
/** Of open(2); Node has no word for it. */
const O_PATH = 0o10000000;

/**
 * Mounts the root of an installed container, of one of its deployments (`NAME.N`), or of an image of the store on a
 * directory: read-only always, since the files are the store's own; without set-user-ID programs and devices unless asked
 * for. Of an image a checkout is made, which goes with {@link unmountRoot}.
 *
 * @throws {@link OperationalError} USAGE for an option that cannot be, or a directory that is none or berth's own; NEEDS_ROOT;
 * CONTAINER_NOT_FOUND; BUSY while another berth mounts; what the store gives rise to
 */
export async function mountRoot(
  host: Host,
  request: { readonly what: string; readonly directory: string; readonly options: string },
): Promise<MountedRoot> {
  assertForSystem(host, 'mounting');
  const attributes = readAttributes(request.options);
  const target = openTarget(host, request.directory);
  try {
    // A mistyped name is told before a lock file is made for it.
    const found = await findThing(host, request.what);
    return await withMountsLock(host, async () => {
      const { what, root, takeBack } = await provideRoot(host, found);
      try {
        const source = openSync(root, OPEN_DIRECTORY);
        try {
          attachMount(source, target.fd, attributes);
        } finally {
          closeSync(source);
        }
      } catch (error) {
        takeBack();
        throw error;
      }
      return { what, directory: target.path };
    });
  } finally {
    closeSync(target.fd);
  }
}

function readAttributes(options: string): AttributeChange {
  const words = options.split(',').filter((word) => word !== '');
  const { attributes, recursive, bind, propagation, idmap, remount, data } = parseMountOptions([
    ...['ro', 'nosuid', 'nodev'],
    ...words,
  ]);
  if ((attributes.set & MOUNT_ATTR.rdonly) === 0) {
    throw new OperationalError(
      'USAGE',
      "--options: 'rw' cannot be: the files are the store's own",
      {
        hint: 'copy what you want to change out of the mount, or install the image',
      },
    );
  }
  const others = bind !== 'none' || propagation !== 0 || idmap !== 'none' || remount;
  if (others || data.length > 0 || recursive.set !== 0 || recursive.clear !== 0) {
    throw new OperationalError('USAGE', `--options: ${quote(options)} has what cannot be chosen`, {
      hint: 'suid, dev, noexec, nosymfollow, noatime, nodiratime and their like can',
    });
  }
  return attributes;
}

/** The directory by descriptor: that it is swapped for a link after it was looked at leads nowhere. */
function openTarget(host: Host, directory: string): { readonly fd: number; readonly path: string } {
  let fd;
  try {
    fd = openSync(directory, O_PATH | constants.O_DIRECTORY);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG')) throw error;
    throw new OperationalError('USAGE', `there is no directory ${quote(directory)} to mount on`, {
      hint: 'make it first',
      cause: error,
    });
  }
  const path = realpathSync(`/proc/self/fd/${fd}`);
  const state = host.paths.onDisk(host.paths.stateDir);
  const own = existsSync(state) ? encodeByteString(realpathSync(state)) : undefined;
  const isOwn = own !== undefined && covers(own, encodeByteString(path));
  if (path !== '/' && !isOwn) return { fd, path };
  closeSync(fd);
  throw new OperationalError('USAGE', `cannot mount on ${quote(path)}: what is there is needed`, {
    hint: 'make an empty directory elsewhere and mount on that',
  });
}

async function findThing(host: Host, what: string): Promise<Deployment | StoredImage> {
  const found = (await findDeployment(host, what)) ?? (await findStoredImage(host, what));
  if (found === undefined) throw await noSuchThing(host, what);
  return found;
}

/** The directory to mount, and what undoes its making. */
async function provideRoot(
  host: Host,
  found: Deployment | StoredImage,
): Promise<{ readonly what: string; readonly root: string; readonly takeBack: () => void }> {
  if ('rootfs' in found) {
    return {
      what: `${found.name}.${found.number}`,
      root: deploymentRoot(host, found),
      takeBack: () => undefined,
    };
  }
  const image = found;
  const store = await host.openStore();
  const place = join(host.paths.onDisk(host.paths.mountsDir), randomBytes(16).toString('hex'));
  const root = join(place, 'rootfs');
  const takeBack = (): void => {
    removePath(place);
  };
  try {
    await mkdir(place, { mode: 0o700 });
    await mkdir(root, { mode: 0o755 });
    (await host.openLabels())?.labelContent(root);
    await store.checkout(await store.openTree(image), root, { signal: host.signal, devices: true });
  } catch (error) {
    takeBack();
    throw error;
  }
  return { what: image.digest, root, takeBack };
}
