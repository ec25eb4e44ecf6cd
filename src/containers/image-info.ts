import { OperationalError } from '../errors/operational-error.js';
import { quote } from '../base/escape-text.js';
import { withContext } from '../errors/with-context.js';
import { inspectImage } from '../images/inspect-image.js';
import { readPlatformOf } from '../images/tree-platform.js';
import type { ImageConfig } from '../oci/image-config.js';
import { openDirectoryTree } from '../store/directory-tree.js';
import type { ImageTree } from '../store/image-store.js';
import type { ExportsManifest } from '../templates/exports-manifest.js';
import { findRenameVariables } from '../templates/render-text.js';
import { FORCED_VARIABLES, OVERRIDABLE_VARIABLES } from '../templates/resolve-values.js';
import type { VariableType } from '../templates/variable-declaration.js';
import { findChangesState, type ChangesState } from './config-changes.js';
import { findContainer, nearestContainer } from './container-directory.js';
import { decideHealth } from './decide-health.js';
import type { Deployment } from './deployment.js';
import type { HealthCheck } from './health-check.js';
import type { Host } from './host.js';
import { nearestImage } from './find-stored-image.js';
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
  /** Whether it brings `/exports`, or runs by berth's own templates; undefined where its layers were not looked at. */
  readonly exports: boolean | undefined;
  /** `80/tcp`: what it says that it listens on. */
  readonly ports: readonly string[];
  /** How an update finds out whether it is well; undefined where its layers were not looked at and could say. */
  readonly health: HealthCheck | undefined;
  readonly variables: readonly ImageVariable[];
  readonly provides: readonly string[];
  readonly requires: readonly string[];
  /** The container that was asked about, if it was one. */
  readonly container: Deployment | undefined;
  /** An administrator's changes of its config.json, where there are any. */
  readonly configChanges?: ChangesState | undefined;
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
    const near =
      (await nearestContainer(host.paths, nameOrImage)) ?? (await nearestImage(host, nameOrImage));
    throw new OperationalError(
      'IMAGE_NOT_FOUND',
      `there is no container and no image in the store named ${quote(nameOrImage)}`,
      {
        hint:
          near === undefined
            ? `fetch it with 'berth pull ${nameOrImage}', or ask its registry: 'berth info --remote ${nameOrImage}'`
            : `did you mean '${near}'?`,
      },
    );
  }
  const { names, digest, config } = image;
  const { manifest, ...described } = await describeExports(await store.openTree(image));
  return {
    ...described,
    health:
      container?.health ?? healthOf(host, { manifest, config, hasExports: described.exports }),
    ports: config.process.exposedPorts,
    names,
    digest,
    config,
    container,
    configChanges: container && (await findChangesState(host.paths, container)),
  };
}

/**
 * Describes what the reference of an installed container, or any reference, means in its registry or archive now, by manifest and
 * configuration: layers are not fetched, and what they say (variables, dependencies) is not known.
 */
export async function getRemoteImageInfo(host: Host, nameOrImage: string): Promise<ImageInfo> {
  const container = await findContainerIfNamed(host, nameOrImage);
  const reference = container?.image.reference ?? nameOrImage;
  return withContext(`cannot look at ${quote(reference)} where it comes from`, async () => {
    await using source = await host.openSource(reference);
    const { signal } = host;
    const platform = readPlatformOf(host.paths);
    const { digest, config } = await inspectImage(source, { platform, signal });
    return {
      names: [source.name],
      digest,
      config,
      exports: undefined,
      ports: config.process.exposedPorts,
      health: undefined,
      variables: [],
      provides: [],
      requires: [],
      container,
    };
  });
}

function healthOf(
  host: Host,
  of: {
    readonly manifest: ExportsManifest;
    readonly config: ImageConfig;
    readonly hasExports: boolean;
  },
): HealthCheck {
  const { manifest, config, hasExports } = of;
  const soakMs = host.conf.health.soak;
  return decideHealth({ declared: manifest.health, image: config, hasExports, soakMs });
}

/** The store may not have the image of an adopted container: its root says what there is to say. */
async function describeAdopted(host: Host, container: Deployment): Promise<ImageInfo> {
  using tree = openDirectoryTree(host.paths.onDisk(container.rootfs));
  const { exports, variables, provides, requires } = await describeExports(tree);
  return {
    exports,
    variables,
    provides,
    requires,
    ports: [],
    health: container.health,
    names: [container.image.reference],
    digest: container.image.digest,
    config: undefined,
    container,
    configChanges: await findChangesState(host.paths, container),
  };
}

async function describeExports(tree: ImageTree): Promise<
  Pick<ImageInfo, 'variables' | 'provides' | 'requires'> & {
    readonly exports: boolean;
    readonly manifest: ExportsManifest;
  }
> {
  const exports = await loadExports(tree);
  const { manifest, present, service, activators, config, tmpfiles } = exports;
  const used = [
    ...(service?.variables ?? []),
    ...[...activators.values()].flatMap((template) => template.variables),
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
    manifest,
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
