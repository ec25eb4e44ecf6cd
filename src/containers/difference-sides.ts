import { join } from 'node:path/posix';

import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { openDirectoryTree } from '../store/directory-tree.js';
import type { ImageTree, StoredImage } from '../store/image-store.js';
import { DROP_IN_NAME } from '../systemd/drop-in.js';
import {
  findContainer,
  nearestContainer,
  loadDeployment,
  listDeploymentNumbers,
} from './container-directory.js';
import type { Deployment } from './deployment.js';
import type { DifferenceSide } from './describe-difference.js';
import { findStoredImage, nearestImage } from './find-stored-image.js';
import type { Host } from './host.js';
import type { PreparedDeployment } from './prepared-deployment.js';

/** Largest text of a deployment that is compared; the limit of templates is 1 MiB, and values may be put into them. */
const MAX_TEXT_BYTES = 4 * 1024 * 1024;

/** A side that holds a directory open until it is disposed of. */
export interface OpenSide extends DifferenceSide, Disposable {}

/**
 * Opens what a person names: an installed container (its current deployment), a deployment `NAME.N`, or an image of the
 * store by name, reference or the start of its digest; looked for in this order.
 *
 * @throws {@link OperationalError} CONTAINER_NOT_FOUND if it is none of these
 */
export async function openDifferenceSide(host: Host, what: string): Promise<OpenSide> {
  const deployment = await findDeployment(host, what);
  if (deployment !== undefined) return openDeploymentSide(host, deployment);
  const image = await findStoredImage(host, what);
  if (image !== undefined) return imageSide(host, what, image);
  throw await noSuchThing(host, what);
}

/** That nothing has a name: no container, no deployment, no image of the store. */
export async function noSuchThing(host: Host, what: string): Promise<OperationalError> {
  const near = (await nearestContainer(host.paths, what)) ?? (await nearestImage(host, what));
  return new OperationalError(
    'CONTAINER_NOT_FOUND',
    `there is no container, no deployment and no image in the store named ${quote(what)}`,
    {
      hint:
        near === undefined
          ? "'berth list' and 'berth images list' show what there is"
          : `did you mean '${near}'?`,
    },
  );
}

/** A container by name, or one of its deployments by `NAME.N`; undefined where there is none. */
export async function findDeployment(host: Host, what: string): Promise<Deployment | undefined> {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.@-]*$/.test(what)) return undefined;
  // No container has a name that ends like that of a deployment.
  const [, name, number] = /^(.+)\.(\d{1,9})$/.exec(what) ?? [];
  if (name === undefined) return findContainer(host.paths, what);
  const numbers = await listDeploymentNumbers(host.paths, name);
  return numbers.includes(Number(number)) ? loadDeployment(host.paths, what) : undefined;
}

/** A deployment on disk as a side: its files as its image has them, or as its root has them where that is not ours. */
export async function openDeploymentSide(host: Host, deployment: Deployment): Promise<OpenSide> {
  const { paths } = host;
  const directory = `${deployment.name}.${deployment.number}`;
  const store = await host.openStore({ prefer: deployment.storage });
  const image =
    deployment.rootfs === 'checkout' ? await store.findImage(deployment.image.digest) : undefined;
  let tree: ImageTree;
  let close = (): void => undefined;
  if (image !== undefined) tree = await store.openTree(image);
  else {
    const root =
      deployment.rootfs === 'checkout'
        ? join(paths.stateDir, directory, 'rootfs')
        : deployment.rootfs;
    const opened = openDirectoryTree(paths.onDisk(root));
    tree = opened;
    close = () => {
      opened[Symbol.dispose]();
    };
  }
  return {
    label: directory,
    image: deployment.image,
    tree,
    deployment,
    imageConfig: image?.config,
    labels: deployment.labels,
    texts: await readDeploymentTexts(host, deployment),
    [Symbol.dispose]: close,
  };
}

/** A deployment that is not written yet as a side. */
export function preparedSide(
  prepared: PreparedDeployment,
  label: string,
): DifferenceSide & { readonly deployment: Deployment } {
  const { deployment, contents } = prepared;
  const names = new Set(textNames(deployment));
  const texts = [...contents]
    .filter(([name]) => names.has(name))
    .map(([name, { content }]) => [name, Buffer.from(content).toString('utf8')] as const);
  return {
    label,
    image: deployment.image,
    tree: prepared.tree,
    deployment,
    imageConfig: undefined,
    labels: deployment.labels,
    texts: new Map(texts),
  };
}

async function imageSide(host: Host, label: string, image: StoredImage): Promise<OpenSide> {
  return {
    label,
    image: { reference: image.names[0] ?? image.digest, digest: image.digest },
    tree: await (await host.openStore()).openTree(image),
    deployment: undefined,
    imageConfig: image.config,
    labels: image.config.labels,
    texts: new Map(),
    [Symbol.dispose]: () => undefined,
  };
}

/** The texts of a deployment by their names in its directory; those that are missing or no texts are left out. */
export async function readDeploymentTexts(
  host: Host,
  deployment: Deployment,
): Promise<ReadonlyMap<string, string>> {
  const { paths } = host;
  const folder = join(paths.stateDir, `${deployment.name}.${deployment.number}`);
  const texts = new Map<string, string>();
  for (const name of textNames(deployment)) {
    try {
      const bytes = await readFileBounded(paths.onDisk(join(folder, name)), {
        maxBytes: MAX_TEXT_BYTES,
      });
      if (!bytes.includes(0)) texts.set(name, bytes.toString('utf8'));
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
    }
  }
  return texts;
}

/** config.json, units, drop-ins, tmpfiles lines, and host files that were rendered. */
function textNames(deployment: Deployment): readonly string[] {
  const rendered = deployment.files
    .filter(
      ({ kind, role, source }) =>
        kind === 'file' && (role !== 'host-file' || source.startsWith('host/')),
    )
    .map(({ source }) => source);
  return [...new Set(['config.json', `${deployment.name}.service`, DROP_IN_NAME, ...rendered])];
}
