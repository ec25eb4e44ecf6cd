import { OperationalError } from '../errors/operational-error.js';
import { quote } from '../base/escape-text.js';
import type { ImageConfig } from '../oci/image-config.js';
import { openDirectoryTree } from '../store/directory-tree.js';
import type { ImageTree } from '../store/image-store.js';
import { findRenameVariables } from '../templates/render-text.js';
import { FORCED_VARIABLES, OVERRIDABLE_VARIABLES } from '../templates/resolve-values.js';
import type { VariableType } from '../templates/variable-declaration.js';
import { findContainer } from './container-directory.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import { loadExports } from './load-exports.js';

/** A variable of an image. */
export interface ImageVariable {
  readonly name: string;
  /** Undefined where a value has to be given. */
  readonly default: string | undefined;
  readonly description: string | undefined;
  /** As it is declared; `string` where it is not. */
  readonly type: VariableType;
  readonly secret: boolean;
  /** The only values allowed; empty where any is. */
  readonly enum: readonly string[];
}

/** What an image says of itself. */
export interface ImageInfo {
  readonly names: readonly string[];
  readonly digest: string;
  /** Undefined for an adopted container whose image the store does not have. */
  readonly config: ImageConfig | undefined;
  /** Whether it brings `/exports`, or runs by berth's own templates. */
  readonly exports: boolean;
  readonly variables: readonly ImageVariable[];
  readonly provides: readonly string[];
  readonly requires: readonly string[];
  /** The container that was asked about, if it was one. */
  readonly container: Deployment | undefined;
}

/**
 * Describes the image of an installed container, or an image of the store.
 *
 * @throws {@link OperationalError} IMAGE_NOT_FOUND if neither is there
 */
export async function getImageInfo(host: Host, nameOrImage: string): Promise<ImageInfo> {
  const container = await findContainerIfNamed(host, nameOrImage);
  const store = await host.openStore();
  const image =
    container === undefined
      ? ((await store.findImage(nameOrImage)) ?? (await findByReference(host, nameOrImage)))
      : await store.findImage(container.image.digest);
  if (image === undefined && container?.adoptedFrom !== undefined)
    return describeAdopted(host, container);
  if (image === undefined) {
    throw new OperationalError(
      'IMAGE_NOT_FOUND',
      `there is no container and no image in the store named ${quote(nameOrImage)}`,
      {
        hint: `fetch it with 'berth pull ${nameOrImage}'`,
      },
    );
  }
  const { names, digest, config } = image;
  return {
    ...(await describeExports(await store.openTree(image))),
    names,
    digest,
    config,
    container,
  };
}

/** The store may not have the image of an adopted container: its root says what there is to say. */
async function describeAdopted(host: Host, container: Deployment): Promise<ImageInfo> {
  using tree = openDirectoryTree(host.paths.onDisk(container.rootfs));
  return {
    ...(await describeExports(tree)),
    names: [container.image.reference],
    digest: container.image.digest,
    config: undefined,
    container,
  };
}

async function describeExports(
  tree: ImageTree,
): Promise<Pick<ImageInfo, 'exports' | 'variables' | 'provides' | 'requires'>> {
  const { manifest, present, service, config, tmpfiles } = await loadExports(tree);
  const used = [
    ...(service?.variables ?? []),
    ...(config?.kind === 'template' ? config.template.variables : []),
    ...(tmpfiles?.variables ?? []),
    ...findRenameVariables(manifest),
    ...manifest.defaultValues.keys(),
    ...manifest.variables.keys(),
  ];
  const decided = new Set<string>([...FORCED_VARIABLES, ...OVERRIDABLE_VARIABLES]);
  const variables = [...new Set(used)]
    .filter((name) => !decided.has(name) || manifest.defaultValues.has(name))
    .sort()
    .map((name) => ({
      name,
      default: manifest.defaultValues.get(name) ?? manifest.variables.get(name)?.default,
      description: manifest.variables.get(name)?.description,
      type: manifest.variables.get(name)?.type ?? 'string',
      secret: manifest.variables.get(name)?.secret ?? false,
      enum: manifest.variables.get(name)?.enum ?? [],
    }));
  return {
    exports: present,
    variables,
    provides: manifest.provides,
    requires: manifest.requires,
  };
}

async function findContainerIfNamed(host: Host, text: string): Promise<Deployment | undefined> {
  return /^[A-Za-z0-9_][A-Za-z0-9_.-]*@?$/.test(text) ? findContainer(host.paths, text) : undefined;
}

async function findByReference(
  host: Host,
  reference: string,
): ReturnType<Awaited<ReturnType<Host['openStore']>>['findImage']> {
  await using source = await host.openSource(reference, { preferStored: true });
  return await (await host.openStore()).findImage(source.storeName);
}
