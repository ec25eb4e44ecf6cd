import { getImageInfo } from './image-info.js';
import type { Host } from './host.js';

/** What an image says of its version. */
export interface ImageVersion {
  readonly names: readonly string[];
  /** `NAME-VERSION-RELEASE`, of its labels; undefined where it has none of them. */
  readonly version: string | undefined;
  readonly digest: string;
}

/**
 * The labels that make up a version, in their order: the words of the forerunner's images, in small letters and in capital
 * ones, and those of image-spec 1.1 (annotations.md).
 */
const PARTS: readonly (readonly string[])[] = [
  ['name', 'Name', 'org.opencontainers.image.title'],
  ['version', 'Version', 'org.opencontainers.image.version'],
  ['release', 'Release'],
];

/**
 * What the image of an installed container, or an image of the store, says of its version.
 *
 * @throws OperationalError IMAGE_NOT_FOUND
 */
export async function getImageVersion(host: Host, nameOrImage: string): Promise<ImageVersion> {
  const { names, digest, config, container } = await getImageInfo(host, nameOrImage);
  const labels = { ...container?.labels, ...config?.labels };
  const parts = PARTS.map((keys) =>
    keys.map((key) => (Object.hasOwn(labels, key) ? labels[key] : undefined)).find(isSaid),
  );
  const [, version] = parts;
  return {
    names,
    digest,
    // A name alone is no version.
    version: version === undefined ? undefined : parts.filter(isSaid).join('-'),
  };
}

function isSaid(text: string | undefined): text is string {
  return text !== undefined && text !== '';
}
