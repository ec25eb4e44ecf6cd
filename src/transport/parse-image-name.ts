import { resolve } from 'node:path';

import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { parseReference, type ImageReference } from '../oci/reference.js';

/** Where an image is to come from, as the command line names it. */
export type ImageName =
  | {
      readonly kind: 'registry';
      readonly reference: ImageReference;
      /** `http:NAME` or `https:NAME`: how to speak to it, whatever the configuration says. */
      readonly scheme: 'http' | 'https' | undefined;
    }
  | {
      readonly kind: 'oci';
      /** Absolute. */
      readonly path: string;
      /** The name inside the layout, if one is given. */
      readonly imageName: string | undefined;
    };

/** Transports of containers-transports(5) that berth knows but cannot read. */
const NOT_READ = [
  'containers-storage',
  'dir',
  'docker-archive',
  'docker-daemon',
  'dockertar',
  'oci-archive',
  'ostree',
  'sif',
  'tarball',
] as const;

/** What can stand in front of an image, for messages. */
export const TRANSPORTS_READ = ['docker://', 'oci:', 'http:', 'https:'] as const;

/** The names inside a layout that the specification allows (image-spec v1.1 annotations.md, "org.opencontainers.image.ref.name"). */
const NAME_IN_LAYOUT =
  /^[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*(?:\/[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*)*$/;

/**
 * Parses what a user calls an image: `[TRANSPORT:]REST`. Without a transport it is a registry reference. The old
 * spellings of atomic(1) hold: `http:NAME`, `https:NAME`, `docker:NAME` and `oci:REGISTRY/NAME` are registry references,
 * `docker:NAME:TAG` is an image of the docker engine. `oci:` in front of anything else is a layout in a directory.
 *
 * @throws {@link OperationalError} TRANSPORT_UNKNOWN or REFERENCE_INVALID
 */
export function parseImageName(text: string, workingDirectory: string): ImageName {
  const colon = text.indexOf(':');
  const prefix = text.slice(0, Math.max(colon, 0));
  const rest = text.slice(colon + 1);
  switch (prefix) {
    case 'docker':
      if (rest.startsWith('//')) return registryName(rest.slice(2));
      if (rest.includes(':')) return refuse('docker-daemon', text);
      return registryName(rest);
    case 'http':
    case 'https':
      return { ...registryName(rest.replace(/^\/\//, '')), scheme: prefix };
    case 'oci':
      return namesRegistry(rest) ? registryName(rest) : layoutName(text, rest, workingDirectory);
    default:
      if (NOT_READ.some((known) => known === prefix)) return refuse(prefix, text);
      // A word, a colon and slashes: meant as a transport, and no reference could be written so.
      if (rest.startsWith('//') || (rest.startsWith('/') && prefix !== ''))
        return refuse(prefix, text);
      return registryName(text);
  }
}

function registryName(text: string): ImageName & { readonly kind: 'registry' } {
  return { kind: 'registry', reference: parseReference(text), scheme: undefined };
}

/** `docker.io/…`, `localhost/…`, `host:5000/…`; a path that looks so is written `./docker.io/…`. */
function namesRegistry(rest: string): boolean {
  return /^(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|localhost|[A-Za-z0-9.-]+(?=:\d+\/))(?::\d+)?\//.test(
    rest,
  );
}

function layoutName(text: string, rest: string, workingDirectory: string): ImageName {
  const colon = rest.indexOf(':');
  const path = colon === -1 ? rest : rest.slice(0, colon);
  const imageName = colon === -1 ? undefined : rest.slice(colon + 1);
  if (path === '' || path.includes('\0')) {
    throw new OperationalError('REFERENCE_INVALID', `${quote(text)} names no directory`, {
      hint: 'write oci:PATH or oci:PATH:NAME',
    });
  }
  if (imageName !== undefined && !NAME_IN_LAYOUT.test(imageName)) {
    throw new OperationalError(
      'REFERENCE_INVALID',
      `${quote(imageName)} is not the name of an image in a layout`,
    );
  }
  return { kind: 'oci', path: resolve(workingDirectory, path), imageName };
}

function refuse(transport: string, text: string): never {
  throw new OperationalError(
    'TRANSPORT_UNKNOWN',
    `${quote(text)}: berth cannot read images from the transport ${quote(transport)}`,
    {
      hint: `it reads ${TRANSPORTS_READ.join(', ')}, and names without a transport from a registry`,
    },
  );
}
