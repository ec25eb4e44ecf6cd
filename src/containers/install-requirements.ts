import { parseContainerName, type ContainerName } from '../base/container-name.js';
import { OperationalError } from '../errors/operational-error.js';
import { withContext } from '../errors/with-context.js';
import { findContainer } from './container-directory.js';
import { fetchImage, type FetchedImage, type ImageChoice } from './fetch-image.js';
import type { Host } from './host.js';
import { readImageDependencies } from './image-dependencies.js';
import { loadExports } from './load-exports.js';
import { withNameLock } from './name-lock.js';
import {
  answersTo,
  containerNameOf,
  resolveDependencies,
  type Neighbour,
} from './resolve-dependencies.js';
import { siblingReference } from './sibling-reference.js';

/** Containers that one command installs: more than published sets of images have, few enough to look at. */
const MAX_INSTALLS = 32;

/** A container that is to be installed because another one requires it. */
export interface RequiredContainer {
  readonly name: ContainerName;
  readonly fetched: FetchedImage;
  /** Whose image asks for it. */
  readonly requiredBy: string;
  readonly neighbour: Neighbour;
}

/** What {@link findRequiredContainers} gives. */
export interface Requirements {
  /** The one that was asked for, as the others see it. */
  readonly root: Neighbour;
  /** What has to be installed before it, in that order. */
  readonly ordered: readonly RequiredContainer[];
}

/** Whose requirements are looked for. */
export interface Requiring {
  readonly name: ContainerName;
  readonly fetched: FetchedImage;
}

/**
 * Finds and fetches all images that have to be installed before a container, with what they require themselves, in the
 * order in which they can be installed. What cannot be an image (`x.mount`) is left for who checks the requirements.
 *
 * @throws {@link OperationalError} LIMIT_EXCEEDED for more than 32; what fetching throws
 */
export async function findRequiredContainers(
  host: Host,
  root: Requiring,
  options: { readonly choice: Omit<ImageChoice, 'reference'>; readonly preview: boolean },
): Promise<Requirements> {
  const neighbours: Neighbour[] = [];
  const ordered: RequiredContainer[] = [];
  const visit = async (container: Requiring): Promise<Neighbour> => {
    const { manifest } = await loadExports(container.fetched.tree);
    const { name } = container;
    const { dependencies, images } = readImageDependencies(
      manifest,
      container.fetched.config.labels,
    );
    const units = manifest.noContainerService ? [] : [`${name}.service`];
    const neighbour = { name, units, dependencies };
    neighbours.push(neighbour);
    const { missing } = await resolveDependencies(host, {
      name,
      dependencies,
      planned: neighbours,
    });
    for (const wanted of missing) {
      const known = containerNameOf(wanted);
      // Or somebody that was added for another requirement provides it.
      if (known === undefined || neighbours.some((other) => answersTo(other, wanted))) continue;
      await withContext(`cannot install '${known}', which '${name}' requires`, async () => {
        if (neighbours.length > MAX_INSTALLS) throw tooMany();
        const required = parseContainerName(known);
        const reference =
          images.get(wanted) ?? siblingReference(container.fetched.reference, required);
        const fetched = await fetchImage(
          host,
          { ...options.choice, reference },
          { preview: options.preview, acceptDigest: () => undefined },
        );
        const found = { name: required, fetched };
        ordered.push({ ...found, requiredBy: name, neighbour: await visit(found) });
      });
    }
    return neighbour;
  };
  return { root: await visit(root), ordered };
}

function tooMany(): OperationalError {
  return new OperationalError(
    'LIMIT_EXCEEDED',
    `more than ${MAX_INSTALLS} containers would be installed at once`,
    { hint: 'install some of them by themselves first' },
  );
}

/**
 * Runs `body` as the only one who changes containers that are not there yet.
 *
 * @throws {@link OperationalError} BUSY if another holds one of the locks, or installed one meanwhile
 */
export async function withNewNames<T>(
  host: Host,
  names: readonly ContainerName[],
  body: () => Promise<T>,
): Promise<T> {
  const [name, ...rest] = names;
  if (name === undefined) return body();
  return withNameLock(host, name, async () => {
    if ((await findContainer(host.paths, name)) !== undefined) {
      throw new OperationalError('BUSY', `another berth installed '${name}' meanwhile`, {
        hint: 'run the command again',
      });
    }
    return withNewNames(host, rest, body);
  });
}
