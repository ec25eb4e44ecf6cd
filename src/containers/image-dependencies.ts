import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { assertDependencyName, MAX_DEPENDENCIES } from '../templates/dependency-name.js';
import type { ExportsManifest } from '../templates/exports-manifest.js';
import type { ContainerDependencies } from './container-dependencies.js';

/** What an image says of other containers and units. */
export interface ImageDependencies {
  readonly dependencies: ContainerDependencies;
  /** Where what fulfils a requirement comes from, where the image names it; by the name of the requirement. */
  readonly images: ReadonlyMap<string, string>;
}

const KINDS = ['provides', 'requires', 'after', 'before', 'conflicts'] as const;

/** Longest label that is read: as many names as a list may have, each as long as it may be. */
const MAX_LABEL_CHARACTERS = MAX_DEPENDENCIES * 256;

/**
 * What an image says of others in its manifest.json and in its labels `io.berth.provides`, `io.berth.requires`,
 * `io.berth.after`, `io.berth.before` and `io.berth.conflicts`: names with commas between them, in `requires` also
 * `NAME=IMAGE`. Both count; each list sorted, each name once.
 *
 * @throws {@link OperationalError} EXPORTS_INVALID at what is not a name
 */
export function readImageDependencies(
  manifest: ExportsManifest,
  labels: Readonly<Record<string, string>>,
): ImageDependencies {
  const images = new Map(manifest.requiredImages);
  const lists = KINDS.map((kind): [string, readonly string[]] => {
    const label = `io.berth.${kind}`;
    const names = readLabel(label, labels[label] ?? '').map((item) => {
      const equals = kind === 'requires' ? item.indexOf('=') : -1;
      if (equals === -1) return item;
      images.set(item.slice(0, equals), item.slice(equals + 1));
      return item.slice(0, equals);
    });
    for (const name of names) assertDependencyName(name, `the label ${label}`);
    return [kind, [...new Set([...manifest[kind], ...names])].sort()];
  });
  return { dependencies: Object.fromEntries(lists) as unknown as ContainerDependencies, images };
}

function readLabel(label: string, text: string): readonly string[] {
  const items = text.slice(0, MAX_LABEL_CHARACTERS + 1).split(',');
  if (text.length > MAX_LABEL_CHARACTERS || items.length > MAX_DEPENDENCIES) {
    throw new OperationalError(
      'EXPORTS_INVALID',
      `the label ${quote(label)} has more than ${MAX_DEPENDENCIES} names`,
    );
  }
  return items.map((item) => item.trim()).filter((item) => item !== '');
}
